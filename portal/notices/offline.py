"""Verify offline: the signed text in a letter's second QR code, made and checked. Pure.

A compact JWS of the bank's key over issuer, issue, expiry, a digest of the code and a digest of the words on the
paper: no code, no kind, nothing of a person. docs/verify-offline.md says it for whoever checks without us,
docs/decisions/021 why it is made so.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from portal.access import codes
from portal.signing import BadJws, Jws, KeyRing, Signer, canonical, encoding, read_jws
from portal.signing.signer import ALGORITHM

#: Of PBKDF2-HMAC-SHA-256 over the code. A code has 60 bits; each guess costs this many rounds, so that
#: whoever has only the picture of the QR code does not find it: some 100,000 years of one graphics card.
ROUNDS = 100_000
CODE_DIGEST_BYTES = 16
CLAIMS = {"iss": str, "iat": int, "exp": int, "cd": str, "td": str}
#: How far ahead of ours the clock of the machine that signed may be, in seconds.
LEEWAY = 300

#: Punctuation that counts between two plain letters or digits.
_INSIDE_WORDS = ".,-/:@_"
_YEAR_9999 = 253_370_764_800


class Reason(StrEnum):
    """Why a signed text is not believed, or not for this letter."""

    UNREADABLE = "unreadable"
    OTHER_ALGORITHM = "other_algorithm"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    FORGED = "forged"
    OTHER_ISSUER = "other_issuer"
    KEY_NOT_IN_FORCE = "key_not_in_force"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    OTHER_CODE = "other_code"
    OTHER_TEXT = "other_text"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` against it, all of them; none: it is the bank's and in force. `code_compared` and
    `text_compared` say what beyond that was looked at: without the text, the words may have been changed."""

    reasons: tuple[Reason, ...]
    issued: datetime | None = None
    expires: datetime | None = None
    code_compared: bool = False
    text_compared: bool = False

    @property
    def is_genuine(self) -> bool:
        """Signed by the bank, in force, and everything that was compared fits."""
        return not self.reasons


def sign(signer: Signer, *, issuer: str, code: str, text: str, issued: datetime, expires: datetime) -> str:
    """The compact JWS for a letter with `code` and the words `text`, good until `expires` (excluded)."""
    td = text_digest(text)
    claims = {
        "iss": issuer,
        "iat": int(issued.timestamp()),
        "exp": int(expires.timestamp()),
        "cd": code_digest(code, issuer=issuer, td=td),
        "td": td,
    }
    return signer.jws(canonical(claims))


def verify(jws: str, keys: KeyRing, *, code: str | None, text: str | None, now: datetime) -> Verdict:
    """Whether `jws` is of one of `keys` and of its issuer, in force at `now`, and of this code and text.

    `code` as typed, `text` as copied from the paper; None where it is not at hand. Nothing inside an
    unsigned text is looked at: dates and comparisons are told of a signed one only.
    """
    try:
        read = read_jws(jws.strip())
    except BadJws:
        return Verdict((Reason.UNREADABLE,))
    unsigned = _signed(read, keys)
    if unsigned:
        return Verdict((unsigned,))
    claims = _claims(read)
    if claims is None:
        return Verdict((Reason.UNREADABLE,))
    reasons = [*_of_time(claims, read, keys, now)]
    if claims["iss"] != keys.issuer:
        reasons.insert(0, Reason.OTHER_ISSUER)
    if text is not None and text_digest(text) != claims["td"]:
        reasons.append(Reason.OTHER_TEXT)
    if code is not None and code_digest(code, issuer=claims["iss"], td=claims["td"]) != claims["cd"]:
        reasons.append(Reason.OTHER_CODE)
    return Verdict(
        tuple(reasons),
        issued=datetime.fromtimestamp(claims["iat"], UTC),
        expires=datetime.fromtimestamp(claims["exp"], UTC),
        code_compared=code is not None,
        text_compared=text is not None,
    )


def code_digest(code: str, *, issuer: str, td: str) -> str:
    """What stands for the code: slow to make, and another one for every letter."""
    plain = codes.normalise(code)
    salt = f"{issuer}\n{td}".encode()
    return encoding.encode(hashlib.pbkdf2_hmac("sha256", plain.encode(), salt, ROUNDS, CODE_DIGEST_BYTES))


def text_digest(text: str) -> str:
    """SHA-256 of the folded text, base64url."""
    return encoding.encode(hashlib.sha256(folded(text).encode()).digest())


def folded(text: str) -> str:
    """The words without what paper, print and copying do to them: form KC, small letters, no spaces and no
    punctuation. Kept: letters, digits, currency signs, per cent, and marks inside numbers and addresses.

    >>> folded("还款 1,234.50 元，\\n请到 my.Harbour.example。")
    '还款1234.50元请到my.harbour.example'
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", plain)
    return "".join(c for at, c in enumerate(plain) if _counts(plain, at, c))


def _counts(plain: str, at: int, c: str) -> bool:
    if c in _INSIDE_WORDS:
        around = plain[at - 1 : at] + plain[at + 1 : at + 2]
        return len(around) == 2 and around.isascii() and around.isalnum()
    return c.isalnum() or c == "%" or unicodedata.category(c) == "Sc"


def _signed(read: Jws, keys: KeyRing) -> Reason | None:
    """Why the signature does not count, or nothing. The algorithm is ours to say, never the text's."""
    if read.header.get("alg") != ALGORITHM:
        return Reason.OTHER_ALGORITHM
    key_id = read.header.get("kid")
    if set(read.header) != {"alg", "kid"} or not isinstance(key_id, str):
        return Reason.UNREADABLE
    key = keys.find(key_id)
    if key is None:
        return Reason.UNKNOWN_KEY
    if not read.is_signed_by(key.public):
        return Reason.FORGED
    return Reason.REVOKED_KEY if key.revoked_at is not None else None


def _claims(read: Jws) -> dict[str, Any] | None:
    try:
        claims = read.claims()
    except BadJws:
        return None
    if set(claims) != set(CLAIMS) or any(type(claims[name]) is not kind for name, kind in CLAIMS.items()):
        return None
    return claims if 0 <= claims["iat"] < claims["exp"] < _YEAR_9999 else None


def _of_time(claims: dict[str, Any], read: Jws, keys: KeyRing, now: datetime) -> list[Reason]:
    """What its dates and its key's say against it at `now`. A key's end counts against what it signed later."""
    key = keys.find(str(read.header["kid"]))
    at, found = now.timestamp(), []
    late = key is not None and key.until is not None and claims["iat"] >= key.until.timestamp()
    early = key is not None and key.since is not None and at < key.since.timestamp() - LEEWAY
    if late or early:
        found.append(Reason.KEY_NOT_IN_FORCE)
    if at < claims["iat"] - LEEWAY:
        found.append(Reason.NOT_YET)
    if at >= claims["exp"]:
        found.append(Reason.EXPIRED)
    return found
