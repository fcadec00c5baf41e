"""What every paper has around its content: the bank, the sheet's words, and the answer with the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Response
from flask_babel import gettext as _

from portal import papers
from portal.money import Money
from portal.papers import characters, qr
from portal.web.context import portal
from portal.web.locale import money_text

log = structlog.get_logger()

PDF = "application/pdf"
#: The colour of the bank's mark where its file names none.
ACCENT = "#0b5a6e"
#: How many characters of a fingerprint and of a signature stand together on paper.
DIGEST_GROUP, SIGNATURE_GROUP = 8, 11

Data = Mapping[str, Any]


def sheet(language: str, *, title: str, corner: list[str], foot: str) -> dict[str, Any]:
    """What the sheet itself says: the title, who writes, the corner that names the paper, the foot."""
    bank = portal().settings.bank
    return {
        "title": title,
        "bank": {
            "name": bank.name(language),
            "other_name": bank.name("zh" if language == "en" else "en"),
            "accent": bank.accent or ACCENT,
        },
        "corner": corner,
        "foot": foot,
    }


def large(amount: Money) -> dict[str, str]:
    """An amount as the one large figure: its decimals are set smaller."""
    text = str(money_text(amount))
    whole, point, rest = text.rpartition(".")
    return {"whole": whole, "rest": point + rest} if point else {"whole": text, "rest": ""}


def code(address: str, alt: str) -> dict[str, str]:
    """A QR code with what a screen reader says of it."""
    return {"drawing": qr.drawing(address), "alt": alt}


def proof(
    *, heading: str, covers: str, facts: list[list[str]], check_address: str, alt: str, scan: str = ""
) -> dict[str, Any]:
    """How anybody checks a signed paper: in words, by its facts, and by a code that leads to the check. `covers`
    says what the signature is over, `alt` what a screen reader says of the code; `scan` where the usual words do
    not fit."""
    scan = scan or _(
        "Scan the code or open %(address)s and type the reference and the fingerprint. The page says whether this paper is ours; it shows no name and no figure.",
        address=check_address.partition("?")[0],
    )
    return {"heading": heading, "paragraphs": [scan, covers], "facts": facts, "qr": code(check_address, alt)}


def covers_figures(keys_url: str) -> str:
    """What the signature of a paper with figures is over."""
    said: str = _(
        "The signature covers the facts below and, through the fingerprint, every figure. The signed data is attached to this file; the key is at %(address)s.",
        address=keys_url,
    )
    return said


def fingerprint_and_signature(digest: str, signature: str) -> list[list[str]]:
    """The two long facts, in groups that can be compared by eye."""
    return [
        [_("Fingerprint"), digest, str(DIGEST_GROUP)],
        [_("Signature"), signature, str(SIGNATURE_GROUP)],
    ]


def signed_text(content: Data, signed: Data, *, signature: str, key_id: str | None, keys_url: str) -> str:
    """The file that goes with a signed paper: everything that somebody needs who computes it alone."""
    key = {"key_id": key_id} if key_id else {}
    given = {"content": content, "signed": signed, "signature": signature, **key, "keys": keys_url}
    return json.dumps(given, ensure_ascii=False, indent=1) + "\n"


def made(template: str, data: Data, *, language: str, timestamp: datetime) -> bytes:
    """The paper. A character that no font draws stands as its number, and the log says so, with the
    number and nothing of the text."""
    spelled, lost = characters.spelled(data)
    if lost:
        log.warning("papers.not_drawn", kind=template, count=len(lost), reason=" ".join(map(_number, lost)))
    return papers.render(template, spelled, language=language, timestamp=timestamp)


def _number(character: str) -> str:
    return f"U+{ord(character):04X}"


def as_pdf(content: bytes, name: str) -> Response:
    """The file, opened by the browser under its name; no cache keeps it."""
    response = Response(content, mimetype=PDF)
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def keys_address() -> str:
    """Where the bank's public key is."""
    return f"{_base()}/.well-known/portal-keys.json"


def paper_address(reference: str, digest: str) -> str:
    """Where anybody can check an agreement or a certificate; the fingerprint goes along, so that scanning is
    enough."""
    return f"{_base()}/paper/{reference}?digest={digest}"


def _base() -> str:
    return portal().settings.base_url.rstrip("/")
