"""What stands in any text that is not ours: addresses, numbers, accounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from portal.content import comparison as content
from portal.content.difference import Part
from portal.content.folding import fold
from portal.content.links import LinkKind, links_in

#: Nobody needs more than this to be warned.
_MOST = 20
_NUMBER = re.compile(r"\+?[0-9]+(?:[- ][0-9]+)*")


def strangers_in(text: str, *, hosts: Sequence[str], published: Collection[str]) -> tuple[Part, ...]:
    """Addresses that are not the portal's, and numbers of five digits and more that are not published.

    `published` are plain digits. A day or a sum of money is no number to call or to pay to.
    """
    links = links_in(text, ours=hosts)
    found = [Part("link", each.text, each.kind) for each in links if each.kind is not LinkKind.OURS]
    rest = text
    for each in reversed(links):
        rest = rest[: each.start] + " " * (each.end - each.start) + rest[each.end :]
    for match in _NUMBER.finditer(fold(rest)):
        run = match.group().replace(" ", "-")
        kind = content.kind_of(run.lstrip("+"))
        if kind in ("phone", "account") and re.sub(r"\D", "", run) not in published:
            found.append(Part(kind, match.group()))
    return tuple(dict.fromkeys(found))[:_MOST]
