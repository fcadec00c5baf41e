"""Did we call or write then? Answered to whoever holds a live notice code, and to nobody else.

Without a code the answer is the published list's alone. The number and the hour of a call are known to
whoever was called and to whoever called, so they prove nothing; nor do four digits of a mobile, which
neighbours know (docs/decisions/022).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access import counters
from portal.access.limits import STANDARD, Guards
from portal.contacts.models import Agency, Contact
from portal.contacts.numbers import Listed, Whose
from portal.keys import Keys
from portal.notices import faces
from portal.notices.models import Notice
from portal.notices.verification import Asked, Verdict, verdict_on

#: Clocks differ, and nobody looks at the minute when the phone rings.
AROUND = timedelta(minutes=15)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
#: What comes from a number: nobody is called from a text message's sender.
_CHANNELS = {
    Whose.BANK_LINE: ("call",),
    Whose.BANK_SENDER: ("sms",),
    Whose.AGENCY: ("call", "sms"),
}


class Match(StrEnum):
    """What is said of one contact."""

    #: no code, no hour or no number of ours: nothing is looked for
    NOT_ASKED = "not_asked"
    #: the code is not one of ours, or holds no longer
    NO_CODE = "no_code"
    #: this code was asked with too often today
    OFTEN = "often"
    FOUND = "found"
    NOT_FOUND = "not_found"


@dataclass(frozen=True)
class Asking:
    """A number as it is listed, when it called or wrote, and the code that was given, if any."""

    listed: Listed
    at: datetime | None
    asked: Asked | None


@dataclass(frozen=True)
class Answer:
    """The answer; `wait_seconds` is above zero when this network must wait first. `asks_tail` and
    `tail_refused` are those of faces.Tried."""

    match: Match
    wait_seconds: int = 0
    asks_tail: bool = False
    tail_refused: bool = False


def ask(
    session: Session,
    asking: Asking,
    *,
    keys: Keys,
    network: str,
    today: date,
    real_now: datetime,
    guards: Guards = STANDARD,
    tail: str = "",
) -> Answer:
    """Whether a contact of ours matches. Every code that is given counts, whatever the number is."""
    if asking.asked is None:
        return Answer(Match.NOT_ASKED)
    tried = faces.try_code(
        session, asking.asked, keys=keys, network=network, real_now=real_now, guards=guards, tail=tail
    )
    if tried.wait_seconds or tried.asks_tail:
        return Answer(Match.NO_CODE, tried.wait_seconds, tried.asks_tail, tried.tail_refused)
    is_live = verdict_on(asking.asked, tried.face, today=today) is Verdict.GENUINE
    notice_id = tried.face.notice_id if tried.face and is_live else 0
    count = counters.count_towards(
        session, keys=keys, limit=guards.contact_asked, key=asking.asked.digest, real_now=real_now
    )
    found = is_on_record(session, notice_id, asking)
    if not is_live:
        return Answer(Match.NO_CODE)
    if asking.at is None or not asking.listed.may_contact:
        return Answer(Match.NOT_ASKED)
    if count > guards.contact_asked.most:
        return Answer(Match.OFTEN)
    return Answer(Match.FOUND if found else Match.NOT_FOUND)


def is_on_record(session: Session, notice_id: int, asking: Asking) -> bool:
    """Whether the person of that notice was called or written to about then by whoever has the number."""
    at, listed = asking.at or _NEVER, asking.listed
    agency = select(Agency.id).where(Agency.agency_ref == listed.agency_ref).scalar_subquery()
    bank = select(Agency.id).where(Agency.kind == "bank")
    by_agency = Contact.agency_id == agency
    by_bank = Contact.agency_id.is_(None) | Contact.agency_id.in_(bank)
    found = session.execute(
        select(Contact.id)
        .join(Notice, Notice.borrower_id == Contact.borrower_id)
        .where(
            Notice.id == notice_id,
            Contact.direction == "out",
            Contact.channel.in_(_CHANNELS.get(listed.whose, ())),
            Contact.at.between(at - AROUND, at + AROUND),
            by_agency if listed.whose is Whose.AGENCY else by_bank,
        )
        .limit(1)
    )
    return found.scalar_one_or_none() is not None
