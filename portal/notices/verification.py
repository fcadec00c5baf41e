"""Is what somebody holds one of ours? The question as typed, and the answer the public may have. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from portal.access import codes
from portal.keys import Keys

_PLAIN_START = re.compile(r"[0-9A-Za-z]*")


class Verdict(StrEnum):
    """The answers there are. Only the first is *genuine*; a typing slip is no answer yet."""

    GENUINE = "genuine"
    #: ours and in force, and used in more places than one person is in
    COPIED = "copied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    NOT_OURS = "not_ours"
    SLIP = "slip"


@dataclass(frozen=True)
class Face:
    """What the public may be told of one notice. `mobile_tail` is the last two digits."""

    notice_id: int
    issued_on: date
    expires_on: date
    status: str
    mobile_tail: str
    is_copied: bool = False


@dataclass(frozen=True)
class Asked:
    """A code or link as somebody gave it.

    `kind` is "code" or "token", "no_link" for a link of another form, or what explains a slip: "access" (an access number is no notice
    code), "length" and "check" (a character is missing, or one is wrong), "letters" (something that
    is in no code of ours). `digest` is of the plain text in every case, so that slips cost the same.
    """

    plain: str
    kind: str
    digest: str

    @property
    def can_be_ours(self) -> bool:
        """Whether a notice with this code or link can exist at all."""
        return self.kind in ("code", "token")


def asked_for(keys: Keys, text: str, *, link: bool = False) -> Asked:
    """What `text` asks about; a `link` is a token and is never read as anything shorter.

    Phones take the words that follow an address without a space for a part of it: a link ends with
    its last plain letter or digit.
    """
    if link:
        text = _PLAIN_START.match(text).group()  # type: ignore[union-attr]
    plain = codes.normalise(text[:200])
    kind = codes.kind_of(plain)
    if link and kind != "token":
        kind = "no_link"
    purpose = codes.PURPOSES["token" if kind == "token" else "code"]
    return Asked(plain=plain, kind=kind or _slip(plain), digest=keys.digest(purpose, plain or text[:200]))


def _slip(plain: str) -> str:
    if not plain:
        return "letters"
    return "check" if len(plain) == codes.CODE_LENGTH else "length"


def verdict_on(asked: Asked, face: Face | None, *, today: date) -> Verdict:
    """The answer. A withdrawn or expired notice is never genuine again; its last day still counts.

    >>> from datetime import date
    >>> face = Face(1, date(2026, 10, 14), date(2026, 12, 13), "live", "34")
    >>> asked = Asked("7KQF3MWD01ABC", "code", "d")
    >>> verdict_on(asked, face, today=date(2026, 12, 13)).value
    'genuine'
    >>> verdict_on(asked, face, today=date(2026, 12, 14)).value
    'expired'
    >>> verdict_on(asked, None, today=date(2026, 12, 13)).value
    'not_ours'
    """
    if not asked.can_be_ours and asked.kind != "no_link":
        return Verdict.SLIP
    if face is None:
        return Verdict.NOT_OURS
    if face.status != "live":
        return Verdict.WITHDRAWN
    if today > face.expires_on:
        return Verdict.EXPIRED
    return Verdict.COPIED if face.is_copied else Verdict.GENUINE
