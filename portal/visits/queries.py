"""A borrower's visits, as a page can print them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session, aliased

from portal.contacts.models import Agency
from portal.keys import Keys
from portal.visits.models import Officer, Visit


@dataclass(frozen=True)
class VisitView:
    """One visit. `people` is how many come; `card_valid_until` is the lead officer's card."""

    visit_id: int
    visit_ref: str
    starts_at: datetime
    ends_at: datetime
    address: str
    purpose: str
    state: str
    off_reason: str
    officer_ref: str
    officer_name: str
    officer_active: bool
    card_valid_until: date
    second_officer_ref: str
    agency_name: str
    agency_kind: str
    agency_phone: str

    @property
    def people(self) -> int:
        """How many officers are announced."""
        return 2 if self.second_officer_ref else 1


def visits_for(connection: Connection | Session, keys: Keys, borrower_id: int) -> tuple[VisitView, ...]:
    """Every visit announced to this borrower, in the order of their hours."""
    second = aliased(Officer)
    rows = connection.execute(
        select(
            Visit.id,
            Visit.visit_ref,
            Visit.starts_at,
            Visit.ends_at,
            Visit.address_sealed,
            Visit.purpose,
            Visit.state,
            Visit.off_reason,
            Officer.officer_ref,
            Officer.name_sealed,
            Officer.status.label("officer_status"),
            Officer.card_valid_until,
            second.officer_ref.label("second_ref"),
            Agency.name.label("agency_name"),
            Agency.kind.label("agency_kind"),
            Agency.phone.label("agency_phone"),
        )
        .select_from(Visit)
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .join(Agency, Agency.id == Officer.agency_id)
        .outerjoin(second, second.id == Visit.second_officer_id)
        .where(Visit.borrower_id == borrower_id)
        .order_by(Visit.starts_at)
    )
    return tuple(
        VisitView(
            visit_id=row.id,
            visit_ref=row.visit_ref,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            address=keys.unseal("visit.address", row.address_sealed),
            purpose=row.purpose,
            state=row.state,
            off_reason=row.off_reason or "",
            officer_ref=row.officer_ref,
            officer_name=keys.unseal("officer.name", row.name_sealed),
            officer_active=row.officer_status == "active",
            card_valid_until=row.card_valid_until,
            second_officer_ref=row.second_ref or "",
            agency_name=row.agency_name,
            agency_kind=row.agency_kind,
            agency_phone=row.agency_phone,
        )
        for row in rows
    )
