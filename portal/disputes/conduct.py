"""What was against the rules of conduct, as the record itself or the borrower says, for the supervisor's queue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.contacts.lifecycle import LIFECYCLE
from portal.contacts.models import Contact, ContactBreach
from portal.db import upsert
from portal.jurisdictions import Jurisdiction

#: Whose word it is, kept as the breach's detail.
BY_RECORD, BY_BORROWER = "record", "borrower"


def mark(
    session: Session,
    *,
    visit_ref: str,
    kinds: Iterable[str],
    whose: str,
    pack: Jurisdiction,
    now: datetime,
) -> int:
    """Put each kind beside the contact that the visit was, once, whoever says it first; how many were new."""
    contact = session.execute(
        select(Contact.id, Contact.borrower_id).where(Contact.source_ref == f"visit:{visit_ref}")
    ).one_or_none()
    rows = [
        {
            "created_at": now,
            "contact_id": contact.id,
            "borrower_id": contact.borrower_id,
            "kind": kind,
            "detail": whose,
            "source": pack.conduct.source[:200],
            "over": 0,
            "state": LIFECYCLE.initial,
            "worked_by": "",
        }
        for kind in kinds
        if contact is not None
    ]
    if contact is None or not rows:
        return 0
    found = session.scalars(
        upsert(ContactBreach)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["contact_id", "kind"])
        .returning(ContactBreach.kind)
    ).all()
    for kind in found:
        audit.record(
            session,
            actor=audit.SYSTEM,
            event="disputes.conduct_marked",
            subject_kind="visit",
            subject_ref=visit_ref,
            now=now,
            facts={"borrower": contact.borrower_id, "kind": kind, "whose": whose},
        )
    return len(found)
