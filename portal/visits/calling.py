"""The calls and texts an officer makes around today's visits: whether one may be made now, and writing it down.

What happened is written down whether or not it was allowed; what broke a rule is marked and reaches the supervisor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.contacts import ground
from portal.contacts.log import Happened, Rules, record_contact
from portal.contacts.log_queries import ContactView, contacts_for
from portal.contacts.models import Contact
from portal.contacts.rule import MayContact
from portal.keys import Keys
from portal.visits.models import Officer, Visit

#: What an officer may write down, and what can become of each.
OUTCOMES = {
    "call": ("answered", "no_answer", "refused", "third_party"),
    "sms": ("delivered", "failed"),
}
#: A call is written down within two days.
LATEST = timedelta(days=2)
_SHOWN = 30


class CannotRecord(Exception):
    """Nothing was written down. `reason`: ``visit`` (not one of the officer's today), ``channel``, ``outcome``,
    ``number`` (no number of this person ends so), ``time`` (in the future, or too long ago)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Case:
    """A person visited today, what may be done at this minute, and what this officer wrote down."""

    visit_ref: str
    name: str
    starts_at: datetime
    ends_at: datetime
    may: dict[str, MayContact]
    written: tuple[ContactView, ...]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A call or text as the officer writes it down; `tail`: the last four digits of the number."""

    visit_ref: str
    channel: str
    tail: str
    at: datetime
    outcome: str
    form_key: str


def cases_for(
    connection: Connection | Session,
    keys: Keys,
    officer_id: int,
    officer_ref: str,
    *,
    day: tuple[datetime, datetime],
    rules: Rules,
    now: datetime,
) -> tuple[Case, ...]:
    """Whom the officer visits within `day`, each once, in the order of their hours."""
    rows = connection.execute(
        _visits(officer_id, day)
        .add_columns(Visit.starts_at, Visit.ends_at, Borrower.name_sealed, Borrower.phone_digest)
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .order_by(Visit.starts_at, Visit.id)
    ).all()
    at = now.astimezone(rules.zone)
    grounds = ground.read(connection, {row.borrower_id for row in rows}, since=at - ground.reach(rules.pack))
    found: dict[int, Case] = {}
    for row in rows:
        if row.borrower_id in found:
            continue
        may = {
            channel: ground.answer(
                grounds, row.borrower_id, channel=channel, number=row.phone_digest, at=at, pack=rules.pack
            )
            for channel in OUTCOMES
        }
        written = contacts_for(connection, keys, row.borrower_id, limit=_SHOWN)
        found[row.borrower_id] = Case(
            row.visit_ref,
            keys.unseal("borrower.name", row.name_sealed),
            row.starts_at,
            row.ends_at,
            may,
            tuple(one for one in written if one.officer_ref == officer_ref and one.channel in OUTCOMES),
        )
    return tuple(found.values())


def record(
    session: Session,
    made: Made,
    *,
    keys: Keys,
    officer_id: int,
    day: tuple[datetime, datetime],
    rules: Rules,
    now: datetime,
) -> int | None:
    """Write a call or text down, once for a form; the contact's row, None when it stands there already. Raises
    CannotRecord."""
    visit = session.execute(
        _visits(officer_id, day).add_columns(Visit.notice_id).where(Visit.visit_ref == made.visit_ref)
    ).one_or_none()
    if visit is None:
        raise CannotRecord("visit")
    if made.channel not in OUTCOMES:
        raise CannotRecord("channel")
    if made.outcome not in OUTCOMES[made.channel]:
        raise CannotRecord("outcome")
    if not now - LATEST <= made.at <= now:
        raise CannotRecord("time")
    officer = session.execute(
        select(Officer.officer_ref, Officer.agency_id).where(Officer.id == officer_id)
    ).one()
    happened = Happened(
        borrower_id=visit.borrower_id,
        source="officer",
        source_ref=f"officer:{keys.digest('contact.form', f'{officer.officer_ref} {made.form_key}')}",
        channel=made.channel,
        at=made.at,
        outcome=made.outcome,
        agency_id=officer.agency_id,
        officer_ref=officer.officer_ref,
        notice_id=visit.notice_id,
        **_number(session, keys, visit.borrower_id, made.tail),
    )
    actor = Actor("officer", officer.officer_ref)
    return record_contact(session, keys=keys, happened=happened, rules=rules, now=now, actor=actor)


def _visits(officer_id: int, day: tuple[datetime, datetime]) -> Any:
    return (
        select(Visit.borrower_id, Visit.visit_ref)
        .where(or_(Visit.lead_officer_id == officer_id, Visit.second_officer_id == officer_id))
        .where(Visit.starts_at >= day[0], Visit.starts_at < day[1])
    )


def _number(session: Session, keys: Keys, borrower_id: int, tail: str) -> dict[str, Any]:
    """Which of the person's numbers ends in `tail`: that on file, else one of an earlier contact."""
    phone = session.scalar(select(Borrower.phone_sealed).where(Borrower.id == borrower_id))
    on_file = keys.unseal("borrower.phone", phone) if phone else ""
    if len(tail) == 4 and on_file.endswith(tail):
        return {"number": on_file}
    earlier = session.execute(
        select(Contact.number_digest, Contact.tail_sealed)
        .where(Contact.borrower_id == borrower_id, Contact.tail_sealed.is_not(None))
        .order_by(Contact.at.desc(), Contact.id.desc())
    )
    for digest, sealed in earlier:
        if sealed is not None and keys.unseal("contact.tail", sealed) == tail:
            return {"known": (digest, tail)}
    raise CannotRecord("number")
