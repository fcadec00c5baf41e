"""The bank's answers to a round: ask, refer, send back, approve, counter, decline; and offers that lapse.

Reviews decide who may answer and record why; here the round moves, once, and the holds follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.plans.lifecycle import OFFERED, ProposalAction, ProposalState
from portal.plans.models import Proposal
from portal.plans.policy import Policy
from portal.plans.rounds import Moved, close, cool_after_refusal, move, next_round, resume_collection
from portal.plans.terms import Terms


def mark_more_asked(
    session: Session, *, proposal_id: int, version: int, actor: Actor, now: datetime
) -> Moved:
    """The reviewer needs something first. Raises StaleProposal, NotAllowed."""
    return move(
        session, proposal_id=proposal_id, version=version, action=ProposalAction.ASK, actor=actor, now=now
    )


def mark_second_approval(
    session: Session, *, proposal_id: int, version: int, actor: Actor, now: datetime
) -> Moved:
    """A first decision is made and waits for a second person. Raises StaleProposal, NotAllowed."""
    return move(
        session, proposal_id=proposal_id, version=version, action=ProposalAction.REFER, actor=actor, now=now
    )


def mark_sent_back(session: Session, *, proposal_id: int, version: int, actor: Actor, now: datetime) -> Moved:
    """The second person disagrees: the first decision is made anew. Raises StaleProposal, NotAllowed."""
    return move(
        session,
        proposal_id=proposal_id,
        version=version,
        action=ProposalAction.SEND_BACK,
        actor=actor,
        now=now,
    )


def mark_approved(
    session: Session, *, proposal_id: int, version: int, policy: Policy, actor: Actor, now: datetime
) -> Moved:
    """The bank agrees to the borrower's terms; the borrower confirms before the offer lapses.

    Raises StaleProposal, NotAllowed.
    """
    return move(
        session,
        proposal_id=proposal_id,
        version=version,
        action=ProposalAction.APPROVE,
        actor=actor,
        now=now,
        values={"lapses_at": policy.end_of_day_after(now, policy.offer_lapses_days)},
    )


def mark_countered(
    session: Session,
    *,
    proposal_id: int,
    version: int,
    offer: Terms,
    note: str,
    affordability: Mapping[str, Any],
    policy: Policy,
    actor: Actor,
    now: datetime,
) -> Moved:
    """The bank's own round takes the place of the borrower's: its terms, its note, and the day it lapses.

    Returns the bank's round. Raises StaleProposal, NotAllowed.
    """
    answered = move(
        session, proposal_id=proposal_id, version=version, action=ProposalAction.COUNTER, actor=actor, now=now
    )
    row = Proposal(
        created_at=now,
        reference=new_reference("F"),
        negotiation_id=answered.negotiation_id,
        borrower_id=answered.borrower_id,
        round=next_round(session, answered.negotiation_id),
        made_by="bank",
        terms_text=offer.canonical(),
        terms_hash=offer.digest(),
        affordability=dict(affordability),
        comment=note.strip(),
        state=ProposalState.COUNTERED,
        lapses_at=policy.end_of_day_after(now, policy.offer_lapses_days),
        version=1,
        form_key=f"counter:{proposal_id}:{version}",
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        event="plans.offer_made",
        subject_kind="proposal",
        subject_ref=row.reference,
        now=now,
        facts={
            "state": row.state,
            "round": row.round,
            "terms_hash": row.terms_hash,
            "answers": answered.reference,
        },
    )
    return Moved(
        proposal_id=row.id,
        negotiation_id=row.negotiation_id,
        borrower_id=row.borrower_id,
        reference=row.reference,
        state=ProposalState.COUNTERED,
        terms_text=row.terms_text,
        terms_hash=row.terms_hash,
        round=row.round,
    )


def mark_declined(
    session: Session, *, proposal_id: int, version: int, policy: Policy, actor: Actor, now: datetime
) -> Moved:
    """The bank says no: the case closes, and visits and calls rest for the days of the policy.

    Raises StaleProposal, NotAllowed.
    """
    moved = move(
        session, proposal_id=proposal_id, version=version, action=ProposalAction.DECLINE, actor=actor, now=now
    )
    close(session, negotiation_id=moved.negotiation_id, now=now)
    cool_after_refusal(
        session,
        borrower_id=moved.borrower_id,
        negotiation_id=moved.negotiation_id,
        ends_at=policy.end_of_day_after(now, policy.pause_after_refusal_days),
        actor=actor,
        now=now,
    )
    return moved


def lapse_offers(session: Session, *, now: datetime, limit: int = 100) -> int:
    """Record the offers whose day has passed: they lapse, their cases close, collection may go on.

    What has passed cannot be accepted before this runs either: acceptance compares the day itself.
    """
    passed = session.execute(
        select(Proposal.id, Proposal.version)
        .where(Proposal.state.in_(OFFERED), Proposal.lapses_at <= now)
        .order_by(Proposal.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in passed:
        moved = move(
            session,
            proposal_id=row.id,
            version=row.version,
            action=ProposalAction.LAPSE,
            actor=audit.SYSTEM,
            now=now,
        )
        close(session, negotiation_id=moved.negotiation_id, now=now)
        resume_collection(
            session,
            borrower_id=moved.borrower_id,
            negotiation_id=moved.negotiation_id,
            actor=audit.SYSTEM,
            now=now,
        )
    return len(passed)
