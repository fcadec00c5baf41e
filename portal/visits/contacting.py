"""Visits as contacts: whether one may be planned or moved to an hour, and the contact that one was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.contacts import ground
from portal.contacts.log import Happened, Rules, record_contact
from portal.contacts.rule import MayContact
from portal.keys import Keys
from portal.visits.models import Officer, Visit


def may_visit(
    connection: Connection | Session, borrower_id: int, *, starts_at: datetime, rules: Rules
) -> MayContact:
    """Whether a visit to this borrower may begin at `starts_at`; ask it before planning and before moving."""
    at = starts_at.astimezone(rules.zone)
    return ground.may_contact(connection, borrower_id, channel="visit", at=at, pack=rules.pack)


def log_visit(
    session: Session,
    *,
    keys: Keys,
    visit_ref: str,
    at: datetime,
    outcome: str,
    rules: Rules,
    now: datetime,
    actor: Actor,
) -> int | None:
    """Write a visit that was made into the log of contacts; None where it stands there already.

    `outcome`: ``answered`` (the borrower was met), ``no_answer``, ``refused``, ``third_party``, ``left`` or
    ``made`` where it is not known. Raises LookupError for an unknown visit.
    """
    row = session.execute(
        select(Visit.borrower_id, Visit.notice_id, Officer.officer_ref, Officer.agency_id)
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .where(Visit.visit_ref == visit_ref)
    ).one_or_none()
    if row is None:
        raise LookupError(f"no visit {visit_ref}")
    happened = Happened(
        borrower_id=row.borrower_id,
        source="officer",
        source_ref=f"visit:{visit_ref}",
        channel="visit",
        at=at,
        outcome=outcome,
        agency_id=row.agency_id,
        officer_ref=row.officer_ref,
        notice_id=row.notice_id,
    )
    return record_contact(session, keys=keys, happened=happened, rules=rules, now=now, actor=actor)
