"""Which holds are in force, whether somebody may be contacted, and who acts for the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.orm import Session

from portal.contacts.models import Agency, Hold
from portal.jurisdictions.cn import CN
from portal.jurisdictions.shape import ContactHours


@dataclass(frozen=True)
class HoldView:
    """A hold in force. `ends_at` is empty while it lasts until somebody lifts it."""

    kind: str
    reason: str
    source: str
    since: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class MayContact:
    """Yes, or no with the stable reason: "quiet_hours" or the reason of a hold."""

    allowed: bool
    reason: str = ""


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
    """The condition on `hold` rows that count at `now`."""
    return Hold.lifted_at.is_(None) & or_(Hold.ends_at.is_(None), Hold.ends_at > now)


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


def may_contact(
    connection: Connection | Session,
    borrower_id: int,
    *,
    now: datetime,
    local_time: time,
    asked_for: bool = False,
    hours: ContactHours = CN.contact_hours,
) -> MayContact:
    """Whether the bank may call, write to or visit this borrower now, and if not why.

    What the person has just asked for is not a contact and always allowed. `hours` are those of
    the jurisdiction pack (the default pack's when none is given), `local_time` the borrower's wall clock.
    """
    if asked_for:
        return MayContact(True)
    if not hours.allow(local_time):
        return MayContact(False, "quiet_hours")
    holds = holds_in_force(connection, borrower_id, now=now)
    return MayContact(False, holds[0].reason) if holds else MayContact(True)


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
        ).order_by(Agency.agency_ref)
    )
    views = [AgencyView(*row, in_force=row.engaged_from <= today <= row.engaged_until) for row in rows]
    return tuple(sorted(views, key=lambda view: (view.kind != "bank", not view.in_force)))
