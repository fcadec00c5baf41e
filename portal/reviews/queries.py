"""The reviewers' reads of one case: its head, its decisions, and what the borrower is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select
from sqlalchemy.orm import aliased

from portal.access.models import Staff
from portal.accounts.models import Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.plans.models import Negotiation, Proposal
from portal.plans.terms import Terms
from portal.reviews.models import Decision


@dataclass(frozen=True)
class DecisionView:
    """A decision as the desk shows it."""

    id: int
    proposal_id: int
    staff_id: int
    staff_name: str
    staff_ref: str
    human_ref: str
    kind: str
    stage: int
    attempt: int
    terms_hash: str
    offer: Terms | None
    offer_hash: str | None
    reasons: tuple[str, ...]
    note: str
    nearest: Terms | None
    effective: bool
    decided_at: datetime


@dataclass(frozen=True)
class Answer:
    """What the borrower is told of a decision. `kind` is "approve", "counter", "ask" or "decline"."""

    kind: str
    reasons: tuple[str, ...]
    note: str
    nearest: Terms | None
    decided_at: datetime


@dataclass(frozen=True)
class CaseHead:
    """Whose case it is and where it stands; the pages compose the rest from each feature's reads."""

    negotiation_id: int
    reference: str
    borrower_id: int
    customer_ref: str
    name: str
    phone_tail: str
    language: str
    opened_at: datetime
    answer_due_on: date
    closed_at: datetime | None
    owner_staff_id: int | None
    owner_name: str | None
    #: the newest round
    proposal_id: int


def case_head(connection: Connection, keys: Keys, reference: str) -> CaseHead | None:
    """The case with this reference, open or closed; None when there is none."""
    row = connection.execute(
        select(
            Negotiation.id,
            Negotiation.reference,
            Negotiation.borrower_id,
            Negotiation.created_at,
            Negotiation.answer_due_on,
            Negotiation.closed_at,
            Negotiation.owner_staff_id,
            Staff.name.label("owner_name"),
            Proposal.id.label("proposal_id"),
            Borrower.customer_ref,
            Borrower.name_sealed,
            Borrower.phone_tail_sealed,
            Borrower.language,
        )
        .select_from(Negotiation)
        .join(Proposal, is_newest_round())
        .join(Borrower, Borrower.id == Negotiation.borrower_id)
        .outerjoin(Staff, Staff.id == Negotiation.owner_staff_id)
        .where(Negotiation.reference == reference)
    ).one_or_none()
    if row is None:
        return None
    return CaseHead(
        negotiation_id=row.id,
        reference=row.reference,
        borrower_id=row.borrower_id,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        phone_tail=keys.unseal("borrower.phone_tail", row.phone_tail_sealed)[-2:],
        language=row.language,
        opened_at=row.created_at,
        answer_due_on=row.answer_due_on,
        closed_at=row.closed_at,
        owner_staff_id=row.owner_staff_id,
        owner_name=row.owner_name,
        proposal_id=row.proposal_id,
    )


def decisions_of(connection: Connection, negotiation_id: int) -> tuple[DecisionView, ...]:
    """Every decision of a case, oldest first."""
    rows = connection.execute(
        select(Decision, Staff.name.label("staff_name"), Staff.staff_ref)
        .select_from(Decision)
        .join(Staff, Staff.id == Decision.staff_id)
        .join(Proposal, Proposal.id == Decision.proposal_id)
        .where(Proposal.negotiation_id == negotiation_id)
        .order_by(Decision.id)
    )
    return tuple(_decision_view(row) for row in rows)


def answer_for(connection: Connection, borrower_id: int, proposal_id: int) -> Answer | None:
    """What the bank answered the borrower on this proposal of theirs: the decision that stands, else the
    latest question; None while there is neither."""
    row = connection.execute(
        select(Decision.kind, Decision.reasons, Decision.note, Decision.nearest_text, Decision.created_at)
        .join(Proposal, Proposal.id == Decision.proposal_id)
        .where(
            Decision.proposal_id == proposal_id,
            Proposal.borrower_id == borrower_id,
            or_(Decision.effective, Decision.kind == "ask"),
        )
        .order_by(Decision.effective.desc(), Decision.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Answer(
        kind=row.kind,
        reasons=tuple(row.reasons),
        note=row.note,
        nearest=Terms.parse(row.nearest_text) if row.nearest_text else None,
        decided_at=row.created_at,
    )


def figures_version(connection: Connection, borrower_id: int) -> str:
    """The versions of a borrower's balances as one text: another text, other figures (S14)."""
    rows = connection.execute(
        select(LoanBalance.loan_id, LoanBalance.version, LoanBalance.as_of)
        .join(Loan, Loan.id == LoanBalance.loan_id)
        .where(Loan.borrower_id == borrower_id)
        .order_by(LoanBalance.loan_id)
    )
    return " ".join(f"{row.loan_id}.{row.version}.{row.as_of:%Y%m%d}" for row in rows)


def _decision_view(row: Any) -> DecisionView:
    return DecisionView(
        id=row.id,
        proposal_id=row.proposal_id,
        staff_id=row.staff_id,
        staff_name=row.staff_name,
        staff_ref=row.staff_ref,
        human_ref=row.human_ref,
        kind=row.kind,
        stage=row.stage,
        attempt=row.attempt,
        terms_hash=row.terms_hash,
        offer=Terms.parse(row.offer_text) if row.offer_text else None,
        offer_hash=row.offer_hash,
        reasons=tuple(row.reasons),
        note=row.note,
        nearest=Terms.parse(row.nearest_text) if row.nearest_text else None,
        effective=row.effective,
        decided_at=row.created_at,
    )


def is_newest_round() -> ColumnElement[bool]:
    """The condition that joins a negotiation with its newest round."""
    newer = aliased(Proposal)
    last = select(func.max(newer.round)).where(newer.negotiation_id == Negotiation.id).scalar_subquery()
    return and_(Proposal.negotiation_id == Negotiation.id, Proposal.round == last)
