"""What happened in a case, newest first: rounds, decisions, papers, notices and who took it. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from portal.access.models import Staff
from portal.audit import AuditEntry
from portal.contacts.models import Agency
from portal.documents.models import Document
from portal.hardship.models import HardshipReport
from portal.notices.models import Notice
from portal.plans.models import Plan
from portal.plans.queries import NegotiationView
from portal.reviews.queries import DecisionView

#: The entries of the record that the desk tells of, beside what has its own row.
_TOLD = (
    "reviews.claimed",
    "reviews.given_back",
    "document.accepted",
    "document.unsuitable",
    "plans.proposal_withdraw",
    "plans.proposal_accept",
    "plans.proposal_decline_offer",
    "plans.proposal_lapse",
    "plans.proposal_supply",
    "plans.schedule_changed",
    "contacts.hold_placed",
    "contacts.hold_lifted",
)


@dataclass(frozen=True)
class Happening:
    """One thing that happened. `what` is a stable code, `facts` what its sentence needs; `who` is a
    member of staff or an agency by name, empty for the borrower and for what goes by itself."""

    at: datetime
    what: str
    who: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def history_of(
    connection: Connection,
    case: NegotiationView,
    decisions: Iterable[DecisionView],
    *,
    now: datetime,
) -> tuple[Happening, ...]:
    """Everything that happened to the borrower of a case up to `now`, newest first; four statements."""
    happened = [
        *(
            Happening(one.created_at, f"round_{one.made_by}", facts={"round": one.round})
            for one in case.rounds
        ),
        *(_decided(one) for one in decisions),
        *_notices(connection, case.borrower_id, now),
        *_papers(connection, case.borrower_id),
        *_reports(connection, case.borrower_id),
        *_recorded(connection, case),
    ]
    return tuple(sorted(happened, key=lambda one: one.at, reverse=True))


def _decided(one: DecisionView) -> Happening:
    confirmed = one.stage == 2 and one.kind != "send_back"
    return Happening(
        one.decided_at,
        "confirmed" if confirmed else f"decided_{one.kind}",
        who=one.staff_name,
        facts={"kind": one.kind, "effective": one.effective},
    )


def _notices(connection: Connection, borrower_id: int, now: datetime) -> Iterable[Happening]:
    rows = connection.execute(
        select(Notice.issued_at, Notice.channel, Notice.notice_ref, Agency.name)
        .join(Agency, Agency.id == Notice.agency_id)
        .where(Notice.borrower_id == borrower_id, Notice.issued_at <= now)
    )
    return [
        Happening(row.issued_at, f"notice_{row.channel}", row.name, {"reference": row.notice_ref})
        for row in rows
    ]


def _papers(connection: Connection, borrower_id: int) -> Iterable[Happening]:
    rows = connection.execute(
        select(Document.sent_at, Document.kind).where(
            Document.borrower_id == borrower_id, Document.sent_at.is_not(None)
        )
    )
    return [Happening(row.sent_at, "paper_sent", facts={"kind": row.kind}) for row in rows]


def _reports(connection: Connection, borrower_id: int) -> Iterable[Happening]:
    rows = connection.execute(
        select(HardshipReport.submitted_at, HardshipReport.reference).where(
            HardshipReport.borrower_id == borrower_id, HardshipReport.submitted_at.is_not(None)
        )
    )
    return [Happening(row.submitted_at, "report_sent", facts={"reference": row.reference}) for row in rows]


def _recorded(connection: Connection, case: NegotiationView) -> Iterable[Happening]:
    papers = select(Document.public_ref).where(Document.borrower_id == case.borrower_id)
    plans = select(Plan.reference).where(Plan.proposal_id.in_([one.id for one in case.rounds]))
    about = or_(
        and_(AuditEntry.subject_kind == "negotiation", AuditEntry.subject_ref == case.reference),
        and_(
            AuditEntry.subject_kind == "proposal",
            AuditEntry.subject_ref.in_([one.reference for one in case.rounds]),
        ),
        and_(AuditEntry.subject_kind == "plan", AuditEntry.subject_ref.in_(plans)),
        and_(AuditEntry.subject_kind == "document", AuditEntry.subject_ref.in_(papers)),
        and_(AuditEntry.subject_kind == "borrower", AuditEntry.subject_ref == str(case.borrower_id)),
    )
    rows = connection.execute(
        select(AuditEntry.created_at, AuditEntry.event, AuditEntry.actor_ref, AuditEntry.facts, Staff.name)
        .outerjoin(Staff, and_(AuditEntry.actor_kind == "staff", AuditEntry.actor_ref == Staff.staff_ref))
        .where(about, AuditEntry.event.in_(_TOLD))
    )
    return [Happening(row.created_at, row.event.replace(".", "_"), row.name or "", row.facts) for row in rows]
