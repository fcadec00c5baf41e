"""Phone numbers as people write them, in one form; and whose a number is by what the bank publishes. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from portal.contacts.queries import AgencyView
from portal.settings import Bank

LONGEST = 60
_MOBILE = re.compile(r"1[3-9]\d{9}")
_SHARED = re.compile(r"[48]00\d{7}")
#: An area code without its zero, and the number: two or three digits, then seven or eight.
_LANDLINE = re.compile(r"(?:10|2\d|[3-9]\d{2})\d{7,8}")
_EXTENSION = re.compile(r"(?:转|轉|分机|分機|ext\.?|x|#|;).*", re.DOTALL | re.IGNORECASE)


def normalised(text: str) -> str:
    """The number that was meant: digits, with the area code's 0 and without China's 86; "" for no number.

    Width, spaces, dashes, brackets and an extension do not matter. A number of another country keeps its
    code behind a "+".

    >>> [normalised(text) for text in ("+86 139-0000-0034", "（0086）10 8888 6666", "４００-000-0001 转 2")]
    ['13900000034', '01088886666', '4000000001']
    >>> normalised("+44 20 7946 0000"), normalised("106 9000 0000 001"), normalised("unknown")
    ('+442079460000', '10690000000001', '')
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).strip()
    plain = _EXTENSION.sub("", plain)
    digits = "".join(str(unicodedata.digit(c)) for c in plain if c.isdigit())
    if not digits:
        return ""
    abroad = plain.lstrip("(【[ ").startswith("+")
    if not abroad and digits.startswith("00") and len(digits) > 8:
        abroad, digits = True, digits[2:]
    if abroad and not digits.startswith("86"):
        return f"+{digits}"
    return _domestic(digits, abroad)


def _domestic(digits: str, abroad: bool) -> str:
    rest = digits.removeprefix("86") if abroad else digits
    if not abroad and digits.startswith("86") and _is_whole(digits[2:].removeprefix("0")):
        rest = digits[2:]
    if rest.startswith("0") and (_MOBILE.fullmatch(rest[1:]) or _SHARED.fullmatch(rest[1:])):
        return rest[1:]
    if _MOBILE.fullmatch(rest) or _SHARED.fullmatch(rest) or not _LANDLINE.fullmatch(rest):
        return rest
    return f"0{rest}"


def _is_whole(digits: str) -> bool:
    return any(form.fullmatch(digits) for form in (_MOBILE, _SHARED, _LANDLINE))


class Whose(StrEnum):
    """Whose number it is, by what is published."""

    BANK_LINE = "bank_line"
    BANK_SENDER = "bank_sender"
    AGENCY = "agency"
    #: of an agency that acts for us no longer
    AGENCY_ENDED = "agency_ended"
    UNLISTED = "unlisted"
    #: no number at all
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Listed:
    """A number and whose it is; of an agency its reference, name and last day."""

    number: str
    whose: Whose
    agency_ref: str = ""
    agency_name: str = ""
    until: date | None = None

    @property
    def may_contact(self) -> bool:
        """Whether it is the number of somebody who may contact a customer today."""
        return self.whose in (Whose.BANK_LINE, Whose.BANK_SENDER, Whose.AGENCY)


def whose_is(text: str, *, bank: Bank, agencies: Iterable[AgencyView]) -> Listed:
    """Whose the number in `text` is. Of an agency's number that is also another's in force, the latter counts."""
    number = normalised(text)
    if not number:
        return Listed("", Whose.UNREADABLE)
    if number == normalised(bank.phone):
        return Listed(number, Whose.BANK_LINE)
    if number in {normalised(sender) for sender in bank.sms_senders}:
        return Listed(number, Whose.BANK_SENDER)
    theirs = [agency for agency in agencies if normalised(agency.phone) == number]
    for agency in sorted(theirs, key=lambda one: not one.in_force):
        if agency.kind == "bank":
            return Listed(number, Whose.BANK_LINE)
        whose = Whose.AGENCY if agency.in_force else Whose.AGENCY_ENDED
        return Listed(number, whose, agency.agency_ref, agency.name, agency.engaged_until)
    return Listed(number, Whose.UNLISTED)
