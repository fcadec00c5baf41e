"""What makes two reports one group: an address, a number, or nearly the same words. Pure.

Groups are the connected parts of *alike*: which report came first decides nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portal.contacts.numbers import normalised
from portal.content.folding import fold
from portal.content.links import SHORTENERS, LinkKind, host_of, kind_among, links_in

#: The longest text that is read; what is longer is kept and compared by its beginning.
LONGEST = 4_000
#: Characters in a piece of the text, and how many least values make its sketch.
PIECE, SKETCH, BAND = 4, 64, 2
#: The share of common pieces from which two texts are alike, and the fewest pieces that say anything.
ALIKE, FEWEST = 0.4, 12
_DIGITS = re.compile(r"(?<![\d.])\+?\d(?:[ \-]?\d){6,24}(?![\d.])")
_CODE = re.compile(r"(?<![0-9a-z])[0-9a-z]{4}-?[0-9a-z]{4}-?[0-9a-z]{5}(?![0-9a-z])")
_NOT_WORDS = re.compile(r"[\W_\d]+")


@dataclass(frozen=True, slots=True)
class Suspect:
    """An address in a report that is not ours: what stands for it, and what it turned out to be."""

    name: str
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a report is compared by. `sketch` is empty where there are too few words."""

    strong: frozenset[str]
    sketch: tuple[int, ...]

    @property
    def bands(self) -> frozenset[str]:
        """Pieces of the sketch: texts that are alike have at least one of them in common."""
        pairs = range(0, len(self.sketch), BAND)
        return frozenset(f"band:{at}:{self.sketch[at : at + BAND]}" for at in pairs)


def likeness(
    text: str, number: str, link: str, *, hosts: Sequence[str], published: Iterable[str]
) -> Likeness:
    """What a report is compared by; our own address and published numbers say nothing about it."""
    names = {f"link:{one.name}" for one in suspects(text, link, hosts=hosts)}
    found = {f"number:{one}" for one in numbers(text, number, published=published)}
    return Likeness(frozenset(names | found), sketch(text))


def alike(one: Likeness, other: Likeness) -> bool:
    """Whether two reports belong together.

    >>> a = likeness("", "170 0000 1234", "", hosts=("my.bank.example",), published=())
    >>> b = likeness("call 17000001234 now", "", "", hosts=("my.bank.example",), published=())
    >>> alike(a, b)
    True
    """
    return bool(one.strong & other.strong) or resemblance(one.sketch, other.sketch) >= ALIKE


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """The estimated share of common pieces of two sketches; 0 where one is empty."""
    if not one or not other:
        return 0.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def groups(reports: Sequence[Likeness]) -> list[frozenset[int]]:
    """The groups of `reports` by their places, each and all in order: what arriving one by one gives too."""
    above = list(range(len(reports)))

    def root(place: int) -> int:
        while above[place] != place:
            place = above[place]
        return place

    for place, report in enumerate(reports):
        for earlier in range(place):
            if alike(report, reports[earlier]):
                first, last = sorted((root(place), root(earlier)))
                above[last] = first
    members: dict[int, set[int]] = {}
    for place in range(len(reports)):
        members.setdefault(root(place), set()).add(place)
    return [frozenset(members[key]) for key in sorted(members)]


def suspects(text: str, link: str, *, hosts: Sequence[str]) -> tuple[Suspect, ...]:
    """The addresses in a report that are not ours, by name, each once. Of an address that hides where it
    leads the name is all of it: its host is shared by the innocent."""
    found = [(one.text, one.kind) for one in links_in(text[:LONGEST], ours=hosts)]
    if link.strip():
        found.append((link.strip(), kind_among(link.strip(), ours=hosts)))
    named = {name_of(address): kind for address, kind in found if kind is not LinkKind.OURS}
    own = {host.partition(":")[0] for host in hosts}
    return tuple(Suspect(name, kind) for name, kind in sorted(named.items()) if name and name not in own)


def name_of(address: str) -> str:
    """What stands for an address: its host, and its path where the host is a shortener's."""
    host = host_of(address)
    if host.removeprefix("www.") not in SHORTENERS:
        return host
    path = (address.partition("://")[2] or address).partition("/")[2]
    return f"{host}/{path.partition('?')[0]}"


def numbers(text: str, number: str, *, published: Iterable[str]) -> tuple[str, ...]:
    """The phone numbers and accounts in a report that we do not publish, each once."""
    known = {normalised(one) for one in published}
    found = {normalised(one) for one in [number, *_DIGITS.findall(fold(_without_links(text)))]}
    return tuple(sorted(one for one in found if len(one) >= 5 and one not in known))


def sketch(text: str) -> tuple[int, ...]:
    """The least values of SKETCH hashes over the pieces of a folded text: its code, digits, marks and
    addresses are left out, so that a copy to the next victim has the same sketch."""
    words = _NOT_WORDS.sub("", _CODE.sub(" ", fold(_without_links(text))))
    pieces = {words[at : at + PIECE] for at in range(len(words) - PIECE + 1)}
    if len(pieces) < FEWEST:
        return ()
    values = [_value(piece) for piece in pieces]
    return tuple(min((a * value + b) % _PRIME for value in values) for a, b in _MIXERS)


def _without_links(text: str) -> str:
    text = text[:LONGEST]
    for link in links_in(text, ours=_NOBODY):
        text = text.replace(link.text, " ")
    return text


#: No address is this one's: all of them are found.
_NOBODY = ("invalid.example",)
_PRIME = (1 << 31) - 1


def _value(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % _PRIME


#: Fixed for good: a sketch made last year is compared with one of today.
_MIXERS = tuple((1 + _value(f"a{at}"), _value(f"b{at}")) for at in range(SKETCH))
