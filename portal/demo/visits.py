"""Visits of the demonstration: one of each officer's is on the day on which it starts."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.visits.lifecycle import State
from portal.visits.models import Officer, Visit


def bring_forward(session: Session, *, officer_ref: str, starts_at: datetime, until: datetime) -> None:
    """Let the officer's first planned visit begin at `starts_at`. Does nothing once one was brought forward."""
    lead = select(Officer.id).where(Officer.officer_ref == officer_ref).scalar_subquery()
    own = select(Visit.id).where(Visit.lead_officer_id == lead, Visit.state == State.PLANNED)
    if session.scalar(own.where(Visit.moved_from.is_not(None)).limit(1)) is not None:
        return
    first = session.scalar(own.order_by(Visit.starts_at).limit(1))
    session.execute(
        update(Visit)
        .where(Visit.id == first)
        .values(starts_at=starts_at, ends_at=until, moved_from=Visit.starts_at)
        .execution_options(synchronize_session=False)
    )


def doors_today(connection: Connection, *, now: datetime) -> list[tuple[str, str]]:
    """Officer number and customer number of the visits that were brought forward and are not over."""
    rows = connection.execute(
        select(Officer.officer_ref, Borrower.customer_ref)
        .join(Visit, Visit.lead_officer_id == Officer.id)
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .where(Visit.moved_from.is_not(None), Visit.state == State.PLANNED, Visit.ends_at > now)
        .where(Visit.starts_at < now + timedelta(hours=12))
        .order_by(Visit.starts_at)
    )
    return [(row.officer_ref, row.customer_ref) for row in rows]
