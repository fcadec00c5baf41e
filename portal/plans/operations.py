"""What borrowers do with proposals and plans: propose, withdraw, supply, accept, decline an offer.

The bank's answers are in answers.py and money that counts towards a plan in receipts.py; both are
imported from here by everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.plans.acceptance import (
    BalanceChanged,
    LoanInPlan,
    OfferLapsed,
    PlanMade,
    Signatory,
    accept,
)
from portal.plans.answers import (
    lapse_offers,
    mark_approved,
    mark_countered,
    mark_declined,
    mark_more_asked,
    mark_second_approval,
    mark_sent_back,
)
from portal.plans.lifecycle import OPEN, PROPOSAL, ProposalAction, ProposalState
from portal.plans.models import Negotiation, Proposal
from portal.plans.policy import Assessment, Ground, affordability_of, examine
from portal.plans.receipts import apply_receipt
from portal.plans.rounds import (
    StaleProposal,
    UnknownProposal,
    close,
    lock_borrower,
    move,
    next_round,
    pause_collection,
    resume_collection,
)
from portal.plans.terms import Terms, TermsRequest
from portal.signing import Signer

__all__ = [
    "BalanceChanged",
    "LoanInPlan",
    "OfferLapsed",
    "PlanMade",
    "Receipt",
    "Signatory",
    "StaleProposal",
    "UnableToPropose",
    "UnknownProposal",
    "accept",
    "apply_receipt",
    "decline_offer",
    "lapse_offers",
    "mark_approved",
    "mark_countered",
    "mark_declined",
    "mark_more_asked",
    "mark_second_approval",
    "mark_sent_back",
    "propose",
    "supply",
    "withdraw",
]


class UnableToPropose(Exception):
    """The request does not meet the bank's rules, or needs a comment it lacks. Carries every finding."""

    def __init__(self, assessment: Assessment) -> None:
        super().__init__(", ".join(finding.code for finding in assessment.findings if not finding.ok))
        self.assessment = assessment


@dataclass(frozen=True, slots=True)
class Receipt:
    """The signed answer to a proposal: the bank cannot say that it never arrived."""

    proposal_id: int
    negotiation_id: int
    reference: str
    negotiation_ref: str
    round: int
    terms: Terms
    terms_hash: str
    signature: str
    sent_at: datetime
    answer_due_on: date


def receipt_content(reference: str, terms_hash: str, sent_at: datetime) -> dict[str, Any]:
    """What the signature of a receipt covers."""
    return {
        "kind": "proposal",
        "reference": reference,
        "terms_hash": terms_hash,
        "sent_at": sent_at.isoformat(),
    }


def propose(
    session: Session,
    *,
    borrower_id: int,
    request: TermsRequest,
    comment: str,
    form_key: str,
    ground: Ground,
    report_id: int | None,
    signer: Signer,
    now: datetime,
) -> Receipt:
    """Send a proposal: open a negotiation or add the next round to it, and pause collection.

    The terms are computed here, from `ground` (loaded in the same transaction) and the request. The same
    `form_key` again gives the first receipt. An earlier open round, the bank's included, is superseded.
    Raises UnableToPropose with every finding.
    """
    actor = Actor("borrower", str(borrower_id))
    lock_borrower(session, borrower_id)
    first = _receipt_of(session, borrower_id, form_key)
    if first is not None:
        return first
    assessment = examine(request, ground)
    if not assessment.passes or (assessment.needs_comment and not comment.strip()):
        raise UnableToPropose(assessment)
    answer_due_on = ground.working_days.add(ground.today, ground.policy.decision_working_days)
    negotiation_id = _negotiation(session, borrower_id, report_id, answer_due_on, actor, now)
    _supersede_open(session, negotiation_id, actor, now)
    _add_round(
        session, negotiation_id, borrower_id, assessment, ground, comment, form_key, signer, actor, now
    )
    pause_collection(session, borrower_id=borrower_id, negotiation_id=negotiation_id, actor=actor, now=now)
    receipt = _receipt_of(session, borrower_id, form_key)
    if receipt is None:
        raise AssertionError("the round was just written")
    return receipt


def _negotiation(
    session: Session,
    borrower_id: int,
    report_id: int | None,
    answer_due_on: date,
    actor: Actor,
    now: datetime,
) -> int:
    """The borrower's open negotiation with its clock set anew, or a new one; the partial unique index
    keeps it to one."""
    opened = session.execute(
        update(Negotiation)
        .where(Negotiation.borrower_id == borrower_id, Negotiation.closed_at.is_(None))
        .values(answer_due_on=answer_due_on, report_id=func.coalesce(report_id, Negotiation.report_id))
        .returning(Negotiation.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if opened is not None:
        return opened
    negotiation = Negotiation(
        created_at=now,
        reference=new_reference("K"),
        borrower_id=borrower_id,
        report_id=report_id,
        answer_due_on=answer_due_on,
    )
    session.add(negotiation)
    session.flush()
    audit.record(
        session,
        actor=actor,
        event="plans.negotiation_opened",
        subject_kind="negotiation",
        subject_ref=negotiation.reference,
        now=now,
        facts={"answer_due_on": answer_due_on.isoformat()},
    )
    return negotiation.id


def _supersede_open(session: Session, negotiation_id: int, actor: Actor, now: datetime) -> None:
    open_rounds = (Proposal.negotiation_id == negotiation_id, Proposal.state.in_(OPEN))
    # whoever is deciding at this moment goes first; what came of it is looked at anew
    session.execute(select(Proposal.id).where(*open_rounds).with_for_update())
    earlier = session.execute(select(Proposal.id, Proposal.version).where(*open_rounds)).all()
    for row in earlier:
        move(
            session,
            proposal_id=row.id,
            version=row.version,
            action=ProposalAction.SUPERSEDE,
            actor=actor,
            now=now,
        )


def _add_round(
    session: Session,
    negotiation_id: int,
    borrower_id: int,
    assessment: Assessment,
    ground: Ground,
    comment: str,
    form_key: str,
    signer: Signer,
    actor: Actor,
    now: datetime,
) -> None:
    terms = assessment.terms
    if terms is None:
        raise UnableToPropose(assessment)
    reference = new_reference("F")
    row = Proposal(
        created_at=now,
        reference=reference,
        negotiation_id=negotiation_id,
        borrower_id=borrower_id,
        round=next_round(session, negotiation_id),
        made_by="borrower",
        terms_text=terms.canonical(),
        terms_hash=terms.digest(),
        affordability=affordability_facts(terms, ground, assessment),
        comment=comment.strip(),
        state=PROPOSAL.initial,
        version=1,
        form_key=form_key,
        receipt_signature=signer.sign(receipt_content(reference, terms.digest(), now)),
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        event="plans.proposal_submitted",
        subject_kind="proposal",
        subject_ref=reference,
        now=now,
        facts={"state": ProposalState.SUBMITTED.value, "round": row.round, "terms_hash": row.terms_hash},
    )


def affordability_facts(terms: Terms, ground: Ground, assessment: Assessment) -> Mapping[str, Any]:
    """The stated month when the round was sent: integers and codes, for the desk and its queue."""
    facts: dict[str, Any] = {
        "currency": terms.currency,
        "instalment_minor": terms.largest.minor,
        "findings": [finding.code for finding in assessment.findings if not finding.ok],
        "share_bp": None,
        "share_percent": None,
    }
    figures = affordability_of(terms, ground)
    if ground.means is None or figures is None:
        return facts
    budget = ground.means.budget
    facts |= {
        "income_minor": budget.income.minor,
        "spending_minor": budget.spending.minor,
        "priority_minor": budget.priority.minor,
        "ordinary_minor": ground.means.ordinary.minor,
        "left_over_minor": figures.left_over.minor,
        "monthly_minor": figures.monthly.minor,
    }
    if not figures.nothing_left:
        # rounded up: a share just above a line is above it
        facts["share_bp"] = -(-figures.monthly.minor * 10_000 // figures.left_over.minor)
        facts["share_percent"] = figures.share_percent
    return facts


def _receipt_of(session: Session, borrower_id: int, form_key: str) -> Receipt | None:
    row = session.execute(
        select(
            Proposal.id,
            Proposal.negotiation_id,
            Proposal.reference,
            Proposal.round,
            Proposal.terms_text,
            Proposal.terms_hash,
            Proposal.receipt_signature,
            Proposal.created_at,
            Negotiation.reference.label("negotiation_ref"),
            Negotiation.answer_due_on,
        )
        .join(Negotiation, Negotiation.id == Proposal.negotiation_id)
        .where(Proposal.borrower_id == borrower_id, Proposal.form_key == form_key)
    ).one_or_none()
    if row is None:
        return None
    return Receipt(
        proposal_id=row.id,
        negotiation_id=row.negotiation_id,
        reference=row.reference,
        negotiation_ref=row.negotiation_ref,
        round=row.round,
        terms=Terms.parse(row.terms_text),
        terms_hash=row.terms_hash,
        signature=row.receipt_signature,
        sent_at=row.created_at,
        answer_due_on=row.answer_due_on,
    )


def withdraw(session: Session, *, borrower_id: int, proposal_id: int, version: int, now: datetime) -> None:
    """Take a round back while the bank has not answered; collection may go on afterwards.

    Raises StaleProposal, NotAllowed, UnknownProposal.
    """
    _leave(session, borrower_id, proposal_id, version, ProposalAction.WITHDRAW, now)


def decline_offer(
    session: Session, *, borrower_id: int, proposal_id: int, version: int, now: datetime
) -> None:
    """Say no to an approved plan or a counter-offer; a new proposal may follow at any time.

    Raises StaleProposal, NotAllowed, UnknownProposal.
    """
    _leave(session, borrower_id, proposal_id, version, ProposalAction.DECLINE_OFFER, now)


def _leave(
    session: Session, borrower_id: int, proposal_id: int, version: int, action: ProposalAction, now: datetime
) -> None:
    actor = Actor("borrower", str(borrower_id))
    lock_borrower(session, borrower_id)
    moved = move(
        session,
        proposal_id=proposal_id,
        version=version,
        action=action,
        actor=actor,
        now=now,
        borrower_id=borrower_id,
    )
    close(session, negotiation_id=moved.negotiation_id, now=now)
    resume_collection(
        session, borrower_id=borrower_id, negotiation_id=moved.negotiation_id, actor=actor, now=now
    )


def supply(session: Session, *, borrower_id: int, today_answer_due_on: date, now: datetime) -> bool:
    """What was asked for has been sent: the open round goes back to the bank with a new answer day.

    False when nothing was asked. The caller computes the day from the bank's working days.
    """
    row = session.execute(
        select(Proposal.id, Proposal.version, Proposal.negotiation_id).where(
            Proposal.borrower_id == borrower_id, Proposal.state == ProposalState.MORE_ASKED
        )
    ).one_or_none()
    if row is None:
        return False
    actor = Actor("borrower", str(borrower_id))
    move(
        session,
        proposal_id=row.id,
        version=row.version,
        action=ProposalAction.SUPPLY,
        actor=actor,
        now=now,
        borrower_id=borrower_id,
    )
    session.execute(
        update(Negotiation)
        .where(Negotiation.id == row.negotiation_id)
        .values(answer_due_on=today_answer_due_on)
        .execution_options(synchronize_session=False)
    )
    return True
