"""Which holds are in force, and who acts for the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.contacts.ground import may_contact as may_contact
from portal.contacts.models import Agency, Hold
from portal.contacts.rule import WRONG_NUMBER


@dataclass(frozen=True)
class HoldView:
    """A hold in force. `ends_at` is empty while it lasts until somebody lifts it."""

    kind: str
    reason: str
    source: str
    since: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class AgencyView:
    """The bank or a contractor, as it is published. `in_force` is whether it may act today."""

    agency_ref: str
    name: str
    kind: str
    phone: str
    engaged_from: date
    engaged_until: date
    in_force: bool


def is_in_force(now: datetime) -> ColumnElement[bool]:
    """The condition on `hold` rows that count at `now`. One that rests a single number counts as long as the
    borrower has that number by the bank's records."""
    on_file = select(Borrower.phone_digest).where(Borrower.id == Hold.borrower_id).scalar_subquery()
    return (
        Hold.lifted_at.is_(None)
        & or_(Hold.ends_at.is_(None), Hold.ends_at > now)
        & or_(Hold.number_digest == "", Hold.number_digest == on_file)
    )


def rests_all(now: datetime) -> ColumnElement[bool]:
    """Those that rest whatever presses. A wrong number says nothing of letters and visits."""
    return is_in_force(now) & (Hold.reason != WRONG_NUMBER)


def holds_in_force(
    connection: Connection | Session, borrower_id: int, *, now: datetime
) -> tuple[HoldView, ...]:
    """The holds on this borrower, oldest first."""
    rows = connection.execute(
        select(Hold.kind, Hold.reason, Hold.source, Hold.created_at, Hold.ends_at)
        .where(Hold.borrower_id == borrower_id, is_in_force(now))
        .order_by(Hold.id)
    )
    return tuple(HoldView(*row) for row in rows)


def agencies(connection: Connection | Session, *, today: date) -> tuple[AgencyView, ...]:
    """The bank first, then everybody who acts or acted for it, those in force before the others."""
    rows = connection.execute(
        select(
            Agency.agency_ref,
            Agency.name,
            Agency.kind,
            Agency.phone,
            Agency.engaged_from,
            Agency.engaged_until,
            Agency.revoked_at,
        ).order_by(Agency.agency_ref)
    )
    views = [
        AgencyView(*row[:6], in_force=row.revoked_at is None and row[4] <= today <= row[5]) for row in rows
    ]
    return tuple(sorted(views, key=lambda view: (view.kind != "bank", not view.in_force)))
