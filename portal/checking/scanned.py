"""What a QR code says, and what it is: a link of ours, a code, a signed text, or somebody else's. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from portal.content.links import LinkKind, host_of, kind_of
from portal.keys import Keys
from portal.notices.verification import Asked, asked_for

#: A compact JWS: three parts of base64url.
_JWS = re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:|www\.)\S+|(?:[\w-]+[.．。｡])+[a-z]{2,24}(?:[:/?#]\S*)?", re.I)
_OUR_LINK = re.compile(r"/n/([0-9A-Za-z]+)/?")
#: Addresses that open a payment: nothing of ours asks for one by a picture.
_PAYING = re.compile(
    r"(?:wxp|alipays?|alipayqr|upwrp|unionpay|weixin)://|https?://(?:[\w-]+\.)*"
    r"(?:qr\.alipay\.com|qr\.95516\.com|payapp\.weixin\.qq\.com|wx\.tenpay\.com|mobilepay\.[\w.]+)(?:[/?#]|$)",
    re.I,
)


class What(StrEnum):
    """What a scanned code turned out to be."""

    #: the link of a notice
    LINK = "link"
    #: a notice code, as it is typed
    CODE = "code"
    #: a signed text to verify offline
    OFFLINE = "offline"
    #: another page of ours
    OWN_PAGE = "own_page"
    #: an address of somebody else
    FOREIGN = "foreign"
    #: a payment to somebody
    PAYMENT = "payment"
    OTHER = "other"


@dataclass(frozen=True)
class Scanned:
    """One code: its text, what it is, what is asked with it (a link or code), and what kind of address."""

    text: str
    what: What
    asked: Asked | None = None
    link: LinkKind | None = None
    host: str = ""


def scanned(keys: Keys, text: str, *, hosts: Sequence[str]) -> Scanned:
    """What one code's text is; `hosts` are the portal's, with a port in a demonstration."""
    plain = text.strip()
    if _PAYING.match(plain):
        return Scanned(plain, What.PAYMENT, link=LinkKind.FOREIGN, host=host_of(plain))
    if _JWS.fullmatch(plain):
        return Scanned(plain, What.OFFLINE)
    if _ADDRESS.fullmatch(plain):
        return _address(keys, plain, hosts)
    asked = asked_for(keys, plain)
    if asked.kind == "code":
        return Scanned(plain, What.CODE, asked=asked)
    return Scanned(plain, What.OTHER)


def _address(keys: Keys, plain: str, hosts: Sequence[str]) -> Scanned:
    kinds = [kind_of(plain, ours=host) for host in hosts]
    kind = LinkKind.OURS if LinkKind.OURS in kinds else kinds[0]
    if kind is not LinkKind.OURS:
        return Scanned(plain, What.FOREIGN, link=kind, host=host_of(plain))
    token = _OUR_LINK.fullmatch(urlsplit(plain if "://" in plain else f"https://{plain}").path)
    if token is None:
        return Scanned(plain, What.OWN_PAGE, link=kind, host=host_of(plain))
    return Scanned(plain, What.LINK, asked_for(keys, token[1], link=True), kind, host_of(plain))
