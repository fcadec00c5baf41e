"""A visit as its printed notice announces it: when, where, who."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.orm import aliased

from portal.contacts.models import Agency
from portal.keys import Keys
from portal.letters.words import VisitFacts
from portal.visits.models import Officer, Visit


def announced_for(connection: Connection, keys: Keys, notice_id: int) -> VisitFacts | None:
    """The planned visit that a notice announces; nothing where it is off, paused or done."""
    second = aliased(Officer)
    row = connection.execute(
        select(
            Visit.starts_at,
            Visit.ends_at,
            Officer.officer_ref,
            Officer.name_sealed,
            second.officer_ref.label("second_ref"),
            second.name_sealed.label("second_sealed"),
            Agency.name,
            Agency.kind,
            Agency.phone,
        )
        .select_from(Visit)
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .join(Agency, Agency.id == Officer.agency_id)
        .outerjoin(second, second.id == Visit.second_officer_id)
        .where(Visit.notice_id == notice_id, Visit.state == "planned")
        .order_by(Visit.starts_at)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    people = [(keys.unseal("officer.name", row.name_sealed), row.officer_ref)]
    if row.second_ref:
        people.append((keys.unseal("officer.name", row.second_sealed), row.second_ref))
    return VisitFacts(row.starts_at, row.ends_at, tuple(people), row.name, row.kind, row.phone)
