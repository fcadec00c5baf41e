"""What the desk sees of visits: those of a day, places asked for, and the words for somebody who rings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.visits.changes import NoSuchVisit
from portal.visits.lifecycle import State
from portal.visits.models import Officer, Visit
from portal.visits.today import words_of
from portal.visits.words import Words


@dataclass(frozen=True)
class DeskVisit:
    """One visit on the desk's list. `place` is what the borrower asked for, "" for nothing."""

    visit_ref: str
    customer_ref: str
    starts_at: datetime
    ends_at: datetime
    state: str
    off_reason: str
    officer_ref: str
    place: str


def visits_of_day(
    connection: Connection | Session, keys: Keys, *, day: tuple[datetime, datetime], now: datetime
) -> tuple[DeskVisit, ...]:
    """The visits that begin within `day`, and every one still ahead whose place the bank has to answer."""
    asked = (Visit.state == State.PLACE_ASKED) & (Visit.ends_at > now)
    rows = connection.execute(
        select(
            Visit.visit_ref,
            Borrower.customer_ref,
            Visit.starts_at,
            Visit.ends_at,
            Visit.state,
            Visit.off_reason,
            Officer.officer_ref,
            Visit.place_asked_sealed,
        )
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .where(or_((Visit.starts_at >= day[0]) & (Visit.starts_at < day[1]), asked))
        .order_by(Visit.state != State.PLACE_ASKED, Visit.starts_at)
    )
    return tuple(
        DeskVisit(
            row.visit_ref,
            row.customer_ref,
            row.starts_at,
            row.ends_at,
            row.state,
            row.off_reason or "",
            row.officer_ref,
            keys.unseal("visit.address", row.place_asked_sealed) if row.place_asked_sealed else "",
        )
        for row in rows
    )


def tell_words(session: Session, *, keys: Keys, visit_ref: str, actor: Actor, now: datetime) -> Words | None:
    """The words for a borrower who rings, and the record that this person looked. None outside the visit's
    hour and when it is off. Raises NoSuchVisit."""
    row = session.execute(
        select(Visit.state, Visit.starts_at, Visit.ends_at).where(Visit.visit_ref == visit_ref)
    ).one_or_none()
    if row is None:
        raise NoSuchVisit(visit_ref)
    audit.record(
        session,
        actor=actor,
        event="visits.words_told",
        subject_kind="visit",
        subject_ref=visit_ref,
        now=now,
        facts={},
    )
    return words_of(keys, visit_ref, state=row.state, starts_at=row.starts_at, ends_at=row.ends_at, now=now)
