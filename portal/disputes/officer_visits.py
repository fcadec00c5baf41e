"""An officer's own visits, as far as records of them are concerned: those begun, of any day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, or_, select
from sqlalchemy.orm import Session, aliased

from portal.disputes.models import VisitRecord
from portal.visits.lifecycle import State
from portal.visits.models import Officer, Visit
from portal.visits.today import WORDS_BEFORE


@dataclass(frozen=True)
class OwnVisit:
    """A visit of this officer. Nothing of the person visited but the row's number."""

    visit_id: int
    visit_ref: str
    borrower_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    officer_ref: str
    #: who else was announced, "" for nobody
    with_ref: str

    def has_begun(self, now: datetime) -> bool:
        """Whether somebody may have been at the door: from half an hour before the announced hour on."""
        return self.starts_at - WORDS_BEFORE <= now


def own_visit(connection: Connection | Session, officer_id: int, visit_ref: str) -> OwnVisit | None:
    """The officer's own visit of that number, whoever of the two was to lead; None for anybody else's."""
    row = connection.execute(_own(officer_id).where(Visit.visit_ref == visit_ref)).one_or_none()
    return _view(row, officer_id) if row else None


def without_record(
    connection: Connection | Session, officer_id: int, *, before: datetime, now: datetime
) -> tuple[OwnVisit, ...]:
    """Visits that began before the instant `before`, were not called off, and have no record; oldest first."""
    rows = connection.execute(
        _own(officer_id)
        .where(Visit.starts_at < before, Visit.starts_at <= now)
        .where(Visit.state.in_((State.PLANNED, State.DONE)))
        .where(~exists().where(VisitRecord.visit_id == Visit.id))
        .order_by(Visit.starts_at, Visit.id)
    )
    return tuple(_view(row, officer_id) for row in rows)


def recorded(connection: Connection | Session, officer_id: int, *, since: datetime) -> frozenset[str]:
    """The numbers of the officer's visits from `since` on that have a record."""
    rows = connection.execute(
        _own(officer_id)
        .where(Visit.starts_at >= since)
        .where(exists().where(VisitRecord.visit_id == Visit.id))
    )
    return frozenset(row.visit_ref for row in rows)


def _own(officer_id: int) -> Select[*tuple[Any, ...]]:
    lead, second = aliased(Officer), aliased(Officer)
    return (
        select(
            Visit.id,
            Visit.visit_ref,
            Visit.borrower_id,
            Visit.starts_at,
            Visit.ends_at,
            Visit.state,
            Visit.lead_officer_id,
            lead.officer_ref.label("lead_ref"),
            second.officer_ref.label("second_ref"),
        )
        .join(lead, lead.id == Visit.lead_officer_id)
        .outerjoin(second, second.id == Visit.second_officer_id)
        .where(or_(Visit.lead_officer_id == officer_id, Visit.second_officer_id == officer_id))
    )


def _view(row: Row[*tuple[Any, ...]], officer_id: int) -> OwnVisit:
    leads = row.lead_officer_id == officer_id
    return OwnVisit(
        visit_id=row.id,
        visit_ref=row.visit_ref,
        borrower_id=row.borrower_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=row.state,
        officer_ref=row.lead_ref if leads else row.second_ref,
        with_ref=(row.second_ref if leads else row.lead_ref) or "",
    )
