"""The links in a text, and what each really is: ours, or something made to look like ours. Pure.

An address is ours when its host is exactly the portal's, over https, without a user name or a port of
its own. Everything else is foreign, and where it imitates us the way is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from portal.content.folding import skeleton

_HAN_RANGE = "㐀-鿿豈-﫿"
#: What ends an address in running Chinese or Latin text.
_ENDS = r"\s<>\"'“”‘’「」『』《》【】（）()\[\]，。；！？、：,;"
_ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,20}}://|www\.)[^{_ENDS}]+"
    rf"|(?<![@.-])(?<![^\W{_HAN_RANGE}])(?:[^\W_{_HAN_RANGE}](?:(?![{_HAN_RANGE}])[\w-]){{0,62}}[.．。｡])+(?:xn--[a-z0-9-]+|[a-z]{{2,24}})(?!-)(?![^\W{_HAN_RANGE}])(?:[:/?#@][^{_ENDS}]*)?"
    rf"|(?<![\d.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?![\d.])(?:[:/][^{_ENDS}]*)?",
    re.IGNORECASE,
)
_HAN = re.compile(f"[{_HAN_RANGE}]")
#: Services whose addresses hide where they lead.
SHORTENERS = frozenset(
    {
        "bit.ly", "t.cn", "dwz.cn", "url.cn", "suo.im", "tinyurl.com", "goo.gl", "t.co", "ow.ly", "is.gd",
        "buff.ly", "rebrand.ly", "w.url.cn", "u.nu", "6du.in", "mrw.so", "rrd.me", "ft12.com", "sourl.cn",
        "reurl.cc", "cutt.ly", "s.id", "shorturl.at", "tiny.cc", "v.gd",
    }
)  # fmt: skip


class LinkKind(StrEnum):
    """What an address turned out to be."""

    OURS = "ours"
    LOOK_ALIKE = "look_alike"
    #: letters of another alphabet, as they are or in the code that begins with xn--
    OTHER_LETTERS = "other_letters"
    PUNYCODE = "punycode"
    #: our address stands behind the slash of somebody else's
    IN_PATH = "in_path"
    SUB_DOMAIN = "sub_domain"
    USER_NAME = "user_name"
    OTHER_PORT = "other_port"
    NOT_SECURE = "not_secure"
    SHORTENER = "shortener"
    NUMBERS = "numbers"
    SCHEME = "scheme"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Link:
    """An address in a text: as written there, where, its host as browsers read it, and what it is."""

    text: str
    start: int
    end: int
    host: str
    kind: LinkKind


def links_in(text: str, *, ours: Sequence[str]) -> tuple[Link, ...]:
    """Every address in `text`; `ours` are the bank's host and the portal's, which in a demonstration differ."""
    return tuple(_link(found, ours) for found in _ADDRESS.finditer(text))


def kind_among(address: str, *, ours: Sequence[str]) -> LinkKind:
    """What one address is, where several hosts are ours: a foreign one is named after the first of them."""
    kinds = [kind_of(address, ours=host) for host in ours]
    return LinkKind.OURS if LinkKind.OURS in kinds else kinds[0]


def kind_of(address: str, *, ours: str) -> LinkKind:
    """What one address is.

    >>> [kind_of(text, ours="my.bank.example").value for text in (
    ...     "https://my.bank.example/n/ABC", "http://my.bank.example", "my.bank.example.pay.cc",
    ...     "https://my.bank.example@evil.cc/", "my-bank.example", "mу.bank.example", "bit.ly/3x",
    ...     "xn--m-2tb.bank.example", "evil.cc/my.bank.example/n/1")]
    ['ours', 'not_secure', 'sub_domain', 'user_name', 'look_alike', 'other_letters', 'shortener', 'punycode', 'in_path']
    """
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        port = parts.port
    except ValueError:
        return LinkKind.FOREIGN
    if parts.scheme.lower() not in ("http", "https"):
        return LinkKind.SCHEME
    host, own_host = host_of(address), ours.partition(":")[0].lower()
    if "@" in parts.netloc or "\\" in address:
        return LinkKind.USER_NAME
    if host != own_host:
        return _foreign(host, own_host, parts)
    own_port = ours.partition(":")[2]
    if port is not None and str(port) != (own_port or "443"):
        return LinkKind.OTHER_PORT
    written = parts.netloc.partition(":")[0].rstrip(".").lower()
    if written != own_host:
        return LinkKind.LOOK_ALIKE
    return LinkKind.NOT_SECURE if parts.scheme.lower() == "http" and not own_port else LinkKind.OURS


def host_of(address: str) -> str:
    """The host as a browser would ask for it, in small letters; "" where there is none."""
    try:
        host = urlsplit(address if "://" in address else f"https://{address}").hostname or ""
    except ValueError:
        return ""
    plain = unicodedata.normalize("NFKC", host.replace("。", ".").replace("｡", "."))
    return plain.rstrip(".").lower()


def _link(found: re.Match[str], ours: Sequence[str]) -> Link:
    text = _without_chinese_tail(found.group()).rstrip(".。．")
    return Link(text, found.start(), found.start() + len(text), host_of(text), kind_among(text, ours=ours))


def _without_chinese_tail(address: str) -> str:
    """Where an address is followed by Chinese without a space, the words are no part of it."""
    han = _HAN.search(address)
    return address[: han.start()] if han and "." in address[: han.start()] else address


def _foreign(host: str, ours: str, parts: SplitResult) -> LinkKind:
    if "xn--" in host:
        return LinkKind.PUNYCODE
    if not host.isascii():
        return LinkKind.OTHER_LETTERS if _is_like(host, ours) else LinkKind.FOREIGN
    if re.fullmatch(r"[\d.]+|0x[0-9a-f.x]+", host) or parts.netloc.startswith("["):
        return LinkKind.NUMBERS
    if host in SHORTENERS or host.removeprefix("www.") in SHORTENERS:
        return LinkKind.SHORTENER
    if host.startswith(f"{ours}.") or f".{ours}." in host or host.endswith(f".{ours}"):
        return LinkKind.SUB_DOMAIN
    if _is_like(host, ours):
        return LinkKind.LOOK_ALIKE
    behind = "/".join((parts.path, parts.query, parts.fragment)).lower()
    return LinkKind.IN_PATH if ours in behind else LinkKind.FOREIGN


def _is_like(host: str, ours: str) -> bool:
    """Whether a reader could take one for the other: the same drawn, or two characters apart, or ours
    with its name inside."""
    theirs, own = skeleton(host), skeleton(ours)
    joined = own.replace(".", "").replace("-", "")
    name = max(own.split(".")[:-1], key=len, default=own)
    return (
        _apart(theirs, own) <= 2
        or joined in theirs.replace(".", "").replace("-", "")
        or (len(name) >= 4 and name in theirs)
    )


def _apart(one: str, other: str, most: int = 3) -> int:
    """The number of single changes between two words, not counted beyond `most`."""
    if abs(len(one) - len(other)) >= most:
        return most
    row = list(range(len(other) + 1))
    for place, character in enumerate(one, 1):
        last, row[0] = row[0], place
        for at, its in enumerate(other, 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (character != its))
    return min(row[-1], most)
