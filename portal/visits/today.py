"""An officer's own visits of one day, and nobody else's; what the words of a visit need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, or_, select
from sqlalchemy.orm import Session, aliased

from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.visits.lifecycle import State
from portal.visits.models import Officer, Visit
from portal.visits.words import Words, words_at

#: The words are shown from so long before the announced hour, until its end.
WORDS_BEFORE = timedelta(minutes=30)


@dataclass(frozen=True)
class Round:
    """A visit as the officer who makes it sees it: nothing of the person's affairs."""

    visit_id: int
    visit_ref: str
    starts_at: datetime
    ends_at: datetime
    name: str
    address: str
    purpose: str
    state: str
    off_reason: str
    #: who comes along, "" for nobody
    with_ref: str

    @property
    def is_on(self) -> bool:
        """Whether it may be made."""
        return self.state == State.PLANNED


def rounds_for(
    connection: Connection | Session, keys: Keys, officer_id: int, *, day: tuple[datetime, datetime]
) -> tuple[Round, ...]:
    """The officer's visits that begin within `day` (first and next midnight), in the order of their hours."""
    lead, second = aliased(Officer), aliased(Officer)
    rows = connection.execute(
        select(
            Visit.id,
            Visit.visit_ref,
            Visit.starts_at,
            Visit.ends_at,
            Borrower.name_sealed,
            Visit.address_sealed,
            Visit.purpose,
            Visit.state,
            Visit.off_reason,
            Visit.lead_officer_id,
            lead.officer_ref.label("lead_ref"),
            second.officer_ref.label("second_ref"),
        )
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .join(lead, lead.id == Visit.lead_officer_id)
        .outerjoin(second, second.id == Visit.second_officer_id)
        .where(or_(Visit.lead_officer_id == officer_id, Visit.second_officer_id == officer_id))
        .where(Visit.starts_at >= day[0], Visit.starts_at < day[1])
        .order_by(Visit.starts_at, Visit.id)
    )
    return tuple(
        Round(
            visit_id=row.id,
            visit_ref=row.visit_ref,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            name=keys.unseal("borrower.name", row.name_sealed),
            address=keys.unseal("visit.address", row.address_sealed),
            purpose=row.purpose,
            state=row.state,
            off_reason=row.off_reason or "",
            with_ref=(row.second_ref if row.lead_officer_id == officer_id else row.lead_ref) or "",
        )
        for row in rows
    )


def words_of(
    keys: Keys, visit_ref: str, *, state: str, starts_at: datetime, ends_at: datetime, now: datetime
) -> Words | None:
    """Both words of a visit that is on and at its hour; None before, after, and when it is off."""
    is_time = starts_at - WORDS_BEFORE <= now < ends_at
    if state != State.PLANNED or not is_time:
        return None
    return words_at(partial(keys.digest, "visit.word"), visit_ref, now)
