"""Moving a round from state to state: one conditional UPDATE on id, version and state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.contacts.operations import lift_hold, place_hold
from portal.plans.lifecycle import PROPOSAL, ProposalAction, ProposalState
from portal.plans.models import Negotiation, Proposal
from portal.states import NotAllowed
from portal.visits.operations import keep_paused, pause_visits, resume_visits

#: The hold while a proposal is open, and the one that follows a refusal.
PROPOSAL_OPEN = "proposal_open"
REFUSAL_COOLING = "refusal_cooling"
PLAN_IN_FORCE = "plan_in_force"


class StaleProposal(Exception):
    """Somebody else was faster: the round is not what was looked at. `state` is its present one."""

    def __init__(self, proposal_id: int, state: str) -> None:
        super().__init__(f"proposal {proposal_id} is {state} now")
        self.proposal_id = proposal_id
        self.state = state


class UnknownProposal(LookupError):
    """No such round, or not this borrower's."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A round after its move."""

    proposal_id: int
    negotiation_id: int
    borrower_id: int
    reference: str
    state: ProposalState
    terms_text: str
    terms_hash: str
    round: int


def hold_source(negotiation_id: int) -> str:
    """What the holds of a negotiation name as their source."""
    return f"negotiation:{negotiation_id}"


def lock_borrower(session: Session, borrower_id: int) -> None:
    """Let one writer at a time change this borrower's negotiations (a row lock on PostgreSQL)."""
    session.execute(
        select(Borrower.id).where(Borrower.id == borrower_id).with_for_update(key_share=True)
    ).one()


def move(
    session: Session,
    *,
    proposal_id: int,
    version: int,
    action: ProposalAction,
    actor: Actor,
    now: datetime,
    borrower_id: int | None = None,
    only: ColumnElement[bool] | None = None,
    values: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> Moved:
    """Take `action` on the round, once: the version must be the one that was seen.

    `borrower_id` scopes it to its owner, `only` adds a condition. Raises StaleProposal when somebody was
    faster, NotAllowed when the state has no such move, UnknownProposal.
    """
    target = PROPOSAL.target(action)
    changed = session.execute(
        update(Proposal)
        .where(
            Proposal.id == proposal_id,
            Proposal.version == version,
            Proposal.state.in_(PROPOSAL.sources(action)),
            true() if borrower_id is None else Proposal.borrower_id == borrower_id,
            true() if only is None else only,
        )
        .values(state=target, version=version + 1, **(values or {}))
        .returning(
            Proposal.id,
            Proposal.negotiation_id,
            Proposal.borrower_id,
            Proposal.reference,
            Proposal.terms_text,
            Proposal.terms_hash,
            Proposal.round,
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if changed is None:
        raise _why_not(session, proposal_id, version, action, borrower_id)
    moved = Moved(
        proposal_id=changed.id,
        negotiation_id=changed.negotiation_id,
        borrower_id=changed.borrower_id,
        reference=changed.reference,
        state=target,
        terms_text=changed.terms_text,
        terms_hash=changed.terms_hash,
        round=changed.round,
    )
    _record(session, moved, action, actor, now, facts)
    return moved


def _why_not(
    session: Session, proposal_id: int, version: int, action: ProposalAction, borrower_id: int | None
) -> Exception:
    row = session.execute(
        select(Proposal.state, Proposal.version, Proposal.borrower_id).where(Proposal.id == proposal_id)
    ).one_or_none()
    if row is None or (borrower_id is not None and row.borrower_id != borrower_id):
        return UnknownProposal(proposal_id)
    if row.version == version and not PROPOSAL.allows(ProposalState(row.state), action):
        return NotAllowed(PROPOSAL.name, row.state, action)
    return StaleProposal(proposal_id, row.state)


def _record(
    session: Session,
    moved: Moved,
    action: ProposalAction,
    actor: Actor,
    now: datetime,
    facts: dict[str, Any] | None,
) -> None:
    audit.record(
        session,
        actor=actor,
        event=f"plans.proposal_{action}",
        subject_kind="proposal",
        subject_ref=moved.reference,
        now=now,
        facts={"state": moved.state.value, "round": moved.round, "terms_hash": moved.terms_hash}
        | (facts or {}),
    )


def next_round(session: Session, negotiation_id: int) -> int:
    """The number of the next round of a negotiation, from 1."""
    last = session.execute(
        select(func.max(Proposal.round)).where(Proposal.negotiation_id == negotiation_id)
    ).scalar()
    return int(last or 0) + 1


def close(session: Session, *, negotiation_id: int, now: datetime) -> None:
    """End the negotiation: nothing is open in it any more."""
    session.execute(
        update(Negotiation)
        .where(Negotiation.id == negotiation_id, Negotiation.closed_at.is_(None))
        .values(closed_at=now)
        .execution_options(synchronize_session=False)
    )


def pause_collection(
    session: Session, *, borrower_id: int, negotiation_id: int, actor: Actor, now: datetime
) -> None:
    """While a proposal is open, visits and calls rest."""
    place_hold(
        session,
        borrower_id=borrower_id,
        kind="pause",
        reason=PROPOSAL_OPEN,
        source=hold_source(negotiation_id),
        now=now,
        actor=actor,
    )
    pause_visits(session, borrower_id=borrower_id, reason=PROPOSAL_OPEN, actor=actor, now=now)


def resume_collection(
    session: Session, *, borrower_id: int, negotiation_id: int, actor: Actor, now: datetime
) -> None:
    """The proposal is off the table: what rested for it may go on, unless something else holds it."""
    lift_hold(session, source=hold_source(negotiation_id), reason=PROPOSAL_OPEN, now=now, actor=actor)
    resume_visits(session, borrower_id=borrower_id, reason=PROPOSAL_OPEN, actor=actor, now=now)


def cool_after_refusal(
    session: Session, *, borrower_id: int, negotiation_id: int, ends_at: datetime, actor: Actor, now: datetime
) -> None:
    """After a refusal the pause goes on until `ends_at`; visits stay off under the new reason."""
    source = hold_source(negotiation_id)
    place_hold(
        session,
        borrower_id=borrower_id,
        kind="pause",
        reason=REFUSAL_COOLING,
        source=source,
        now=now,
        ends_at=ends_at,
        actor=actor,
    )
    lift_hold(session, source=source, reason=PROPOSAL_OPEN, now=now, actor=actor)
    keep_paused(session, borrower_id=borrower_id, before=PROPOSAL_OPEN, reason=REFUSAL_COOLING)
