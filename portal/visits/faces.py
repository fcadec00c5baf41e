"""What may be told of a visit to whoever holds its notice's live code: nothing of the person visited.

`visit_face` names nobody. `visitors_of` names who comes; a door shows it only with a live code and the
end of the mobile's number, or to the borrower who is signed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.orm import Session, aliased

from portal.contacts.models import Agency
from portal.keys import Keys
from portal.notices.faces import NoticeFace
from portal.visits.models import Officer, Visit
from portal.visits.officers import ACTIVE
from portal.visits.standing import Card, Claim, Hours, Standing, claim_of, standing_of


@dataclass(frozen=True)
class VisitFace:
    """An announced visit. `people` is how many come."""

    visit_id: int
    visit_ref: str
    starts_at: datetime
    ends_at: datetime
    purpose: str
    state: str
    off_reason: str
    people: int
    agency_name: str
    agency_kind: str
    agency_phone: str
    agency_until: date
    lead: Card

    @property
    def hours(self) -> Hours:
        """When, and what became of it."""
        return Hours(self.state, self.starts_at, self.ends_at)

    def standing(self, *, now: datetime, local: Callable[[datetime], datetime]) -> Standing:
        """How it stands; `local` is the bank's wall clock."""
        today, day = local(now).date(), local(self.starts_at).date()
        return standing_of(self.hours, self.lead, now=now, today=today, day=day)


@dataclass(frozen=True)
class Visitor:
    """Somebody who comes, as the card says it; the lead first."""

    officer_ref: str
    name: str
    role: str
    card_valid_until: date
    has_photo: bool
    card: Card


def live_notice(connection: Connection | Session, notice_id: int, *, today: date) -> bool:
    """Whether the notice is still genuine: neither withdrawn nor expired."""
    found = connection.scalar(
        select(NoticeFace.notice_id).where(
            NoticeFace.notice_id == notice_id, NoticeFace.status == "live", NoticeFace.expires_on >= today
        )
    )
    return found is not None


def visit_face(connection: Connection | Session, notice_id: int) -> VisitFace | None:
    """The visit that a notice announces; of several the one whose hour is the latest."""
    return _face(connection, Visit.notice_id == notice_id)


def visit_face_for(connection: Connection | Session, borrower_id: int, visit_ref: str) -> VisitFace | None:
    """The borrower's own visit of that number; None for anybody else's."""
    return _face(connection, (Visit.borrower_id == borrower_id) & (Visit.visit_ref == visit_ref))


def visitors_of(connection: Connection | Session, keys: Keys, visit_id: int) -> tuple[Visitor, ...]:
    """Who comes, the lead first."""
    rows = connection.execute(
        select(
            Officer.officer_ref,
            Officer.name_sealed,
            Officer.role,
            Officer.photo_ref,
            *_CARD,
        )
        .select_from(Visit)
        .join(Officer, or_(Officer.id == Visit.lead_officer_id, Officer.id == Visit.second_officer_id))
        .join(Agency, Agency.id == Officer.agency_id)
        .where(Visit.id == visit_id)
        .order_by(Officer.id != Visit.lead_officer_id)
    )
    return tuple(
        Visitor(
            officer_ref=row.officer_ref,
            name=keys.unseal("officer.name", row.name_sealed),
            role=row.role,
            card_valid_until=row.card_valid_until,
            has_photo=row.photo_ref is not None,
            card=_card(row),
        )
        for row in rows
    )


def claim_at_the_door(
    connection: Connection | Session,
    notice_id: int,
    officer_ref: str,
    *,
    now: datetime,
    local: Callable[[datetime], datetime],
) -> Claim:
    """What is said of a staff number with a live notice code; `local` is the bank's wall clock. The answer
    on an unknown number is that on a known one that is not announced for this notice."""
    face = visit_face(connection, notice_id)
    row = connection.execute(
        select(*_CARD)
        .select_from(Visit)
        .join(Officer, or_(Officer.id == Visit.lead_officer_id, Officer.id == Visit.second_officer_id))
        .join(Agency, Agency.id == Officer.agency_id)
        .where(Visit.id == (face.visit_id if face else -1), Officer.officer_ref == officer_ref)
    ).one_or_none()
    return claim_of(
        face.hours if face else None,
        _card(row) if row else None,
        now=now,
        today=local(now).date(),
        day=local(face.starts_at).date() if face else None,
    )


_CARD = (
    Officer.status,
    Officer.revoked_at,
    Officer.card_valid_until,
    Agency.engaged_from,
    Agency.engaged_until,
    Agency.revoked_at.label("agency_revoked_at"),
)


def _card(row: object) -> Card:
    facts = row._mapping  # type: ignore[attr-defined]
    return Card(
        in_service=facts["status"] == ACTIVE and facts["revoked_at"] is None,
        card_valid_until=facts["card_valid_until"],
        agency_from=facts["engaged_from"],
        agency_until=facts["engaged_until"],
        agency_in_service=facts["agency_revoked_at"] is None,
    )


def _face(connection: Connection | Session, which: ColumnElement[bool]) -> VisitFace | None:
    second = aliased(Officer)
    row = connection.execute(
        select(
            Visit.id,
            Visit.visit_ref,
            Visit.starts_at,
            Visit.ends_at,
            Visit.purpose,
            Visit.state,
            Visit.off_reason,
            second.id.label("second_id"),
            Agency.name.label("agency_name"),
            Agency.kind.label("agency_kind"),
            Agency.phone.label("agency_phone"),
            *_CARD,
        )
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .join(Agency, Agency.id == Officer.agency_id)
        .outerjoin(second, second.id == Visit.second_officer_id)
        .where(which)
        .order_by(Visit.starts_at.desc(), Visit.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return VisitFace(
        visit_id=row.id,
        visit_ref=row.visit_ref,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        purpose=row.purpose,
        state=row.state,
        off_reason=row.off_reason or "",
        people=1 if row.second_id is None else 2,
        agency_name=row.agency_name,
        agency_kind=row.agency_kind,
        agency_phone=row.agency_phone,
        agency_until=row.engaged_until,
        lead=_card(row),
    )
