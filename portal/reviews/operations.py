"""Deciding: one effective decision per proposal, on the exact terms that were on the screen.

The state of the proposal moves by one conditional UPDATE in plans.operations, which also holds its
row until the end of the transaction; everything that is looked at afterwards stands still. Unique
constraints on the decisions and seats say the same again, in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access.models import Staff
from portal.audit import Actor
from portal.dates import WorkingDays
from portal.db import upsert
from portal.keys import Keys
from portal.messages import operations as messages
from portal.plans import operations as plans
from portal.plans.lifecycle import ProposalState
from portal.plans.models import Negotiation, Proposal
from portal.plans.policy import Ground, Policy
from portal.plans.queries import ground_for
from portal.plans.terms import Terms
from portal.reviews.four_eyes import Kind, may_sit, stage_of
from portal.reviews.models import Decision, Seat
from portal.reviews.queries import figures_version
from portal.reviews.ruling import (
    Choice,
    First,
    Incomplete,
    Proposed,
    Ruling,
    ScreenIsOld,
    first_ruling,
    second_ruling,
)
from portal.states import NotAllowed

#: The states in which each stage has its say.
_DECIDABLE = {
    1: (ProposalState.SUBMITTED, ProposalState.MORE_ASKED),
    2: (ProposalState.SECOND_APPROVAL,),
}


class NoSuchCase(LookupError):
    """No open case of that reference, or no such proposal."""


class MayNotDecide(Exception):
    """This person may not give this decision. `reason`: ``left`` (no longer works here), ``role``,
    ``own_first`` (the same human gave the first decision), ``own_second`` (the same human was the
    second pair of eyes on this proposal)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CaseMoved(Exception):
    """Somebody else, or the borrower, was faster: nothing was decided by this call."""


@dataclass(frozen=True)
class Bench:
    """What deciding needs besides the session: the bank's rules, calendar, keys and host."""

    keys: Keys
    policy: Policy
    working_days: WorkingDays
    local: Callable[[datetime], datetime]
    today: date
    real_now: datetime
    host: str
    currency: str = "CNY"
    demonstration: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of it. `waits_for_second`: a first decision that another human must confirm."""

    decision_id: int
    kind: str
    stage: int
    effective: bool
    waits_for_second: bool


def decide(
    session: Session, *, staff_id: int, proposal_id: int, choice: Choice, bench: Bench, now: datetime
) -> Outcome:
    """Give one decision on one proposal, on exactly the terms that were seen.

    The same form key again gives the first answer. Raises NoSuchCase, MayNotDecide, CaseMoved,
    ScreenIsOld or Incomplete, each with nothing changed once the caller's unit is rolled back.
    """
    me = _working_staff(session, staff_id)
    proposal = session.execute(
        select(Proposal).where(Proposal.id == proposal_id).with_for_update()
    ).scalar_one_or_none()
    if proposal is None:
        raise NoSuchCase(proposal_id)
    repeated = _repeated(session, staff_id, proposal_id, choice.form_key)
    if repeated is not None:
        return repeated
    stage = stage_of(choice.kind)
    if not may_sit(me.role, stage):
        raise MayNotDecide("role")
    if proposal.version != choice.version or proposal.state not in _DECIDABLE[stage]:
        raise CaseMoved(proposal.state)
    earlier = _earlier(session, proposal_id)
    _refuse_same_human(me, stage, earlier)
    ruling, ground = _ruling(session, proposal, stage, choice, earlier, bench)
    actor = Actor("staff", me.staff_ref)
    _move(session, proposal, ruling, ground, choice.version, actor, now)
    decision = _write(session, me, proposal, ruling, choice.form_key, now)
    _tell(session, proposal, decision, ruling, bench, actor, now)
    return Outcome(decision.id, decision.kind, stage, ruling.effective, ruling.waits)


def claim(session: Session, *, staff_id: int, reference: str, now: datetime) -> int:
    """Take an open case from the queue; the staff id of whoever holds it afterwards.

    One conditional UPDATE: of two at once one gets it, the other is told who. Raises NoSuchCase.
    """
    me = _working_staff(session, staff_id)
    taken = session.execute(
        update(Negotiation)
        .where(
            Negotiation.reference == reference,
            Negotiation.closed_at.is_(None),
            Negotiation.owner_staff_id.is_(None),
        )
        .values(owner_staff_id=staff_id)
        .returning(Negotiation.reference)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if taken is not None:
        _record_case(session, "reviews.claimed", taken, me, now)
        return staff_id
    return _holder(session, reference)


def give_back(session: Session, *, staff_id: int, reference: str, now: datetime) -> int:
    """Put one's own case back into the queue; the staff id of whoever holds it afterwards, 0 for nobody.

    Raises NoSuchCase.
    """
    me = _working_staff(session, staff_id)
    freed = session.execute(
        update(Negotiation)
        .where(
            Negotiation.reference == reference,
            Negotiation.closed_at.is_(None),
            Negotiation.owner_staff_id == staff_id,
        )
        .values(owner_staff_id=None)
        .returning(Negotiation.reference)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if freed is not None:
        _record_case(session, "reviews.given_back", freed, me, now)
        return 0
    return _holder(session, reference)


def _holder(session: Session, reference: str) -> int:
    row = session.execute(
        select(Negotiation.owner_staff_id).where(
            Negotiation.reference == reference, Negotiation.closed_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise NoSuchCase(reference)
    return row.owner_staff_id or 0


def _record_case(session: Session, event: str, reference: str, me: Staff, now: datetime) -> None:
    audit.record(
        session,
        actor=Actor("staff", me.staff_ref),
        event=event,
        subject_kind="negotiation",
        subject_ref=reference,
        now=now,
    )


def _working_staff(session: Session, staff_id: int) -> Staff:
    """The account as it stands now, held against a change of role until the end of the transaction."""
    me = session.execute(
        select(Staff)
        .where(Staff.id == staff_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if me is None or me.left_at is not None:
        raise MayNotDecide("left")
    if not may_sit(me.role, 1):
        raise MayNotDecide("role")
    return me


def _repeated(session: Session, staff_id: int, proposal_id: int, form_key: str) -> Outcome | None:
    row = session.execute(
        select(Decision).where(
            Decision.staff_id == staff_id, Decision.form_key == form_key, Decision.proposal_id == proposal_id
        )
    ).scalar_one_or_none()
    if row is None:
        return None
    waits = row.stage == 1 and not row.effective and row.kind != Kind.ASK
    return Outcome(row.id, row.kind, row.stage, row.effective, waits)


def _earlier(session: Session, proposal_id: int) -> list[tuple[Decision, str]]:
    """The decisions given on this proposal, oldest first, each with the human its account has now."""
    rows = session.execute(
        select(Decision, Staff.human_ref)
        .join(Staff, Staff.id == Decision.staff_id)
        .where(Decision.proposal_id == proposal_id)
        .order_by(Decision.id)
    )
    return [(decision, human_now) for decision, human_now in rows]


def _refuse_same_human(me: Staff, stage: int, earlier: Sequence[tuple[Decision, str]]) -> None:
    """One human sits on one side of a proposal, whatever accounts, roles or names were changed since."""
    for decision, human_now in earlier:
        is_same = decision.staff_id == me.id or me.human_ref in (decision.human_ref, human_now)
        if is_same and decision.stage != stage:
            raise MayNotDecide("own_first" if decision.stage == 1 else "own_second")


def _ruling(
    session: Session,
    proposal: Proposal,
    stage: int,
    choice: Choice,
    earlier: Sequence[tuple[Decision, str]],
    bench: Bench,
) -> tuple[Ruling, Ground]:
    """The decision worked out on today's ground, which must be the one that was on the screen."""
    connection = session.connection()
    if choice.figures_seen != figures_version(connection, proposal.borrower_id):
        raise ScreenIsOld("figures")
    ground = ground_for(
        connection,
        bench.keys,
        proposal.borrower_id,
        policy=bench.policy,
        working_days=bench.working_days,
        today=bench.today,
        currency=bench.currency,
    )
    proposed = Proposed(
        Terms.parse(proposal.terms_text), proposal.terms_hash, bench.local(proposal.created_at).date()
    )
    if stage == 2:
        return second_ruling(choice, proposed, _first(earlier[-1][0]), ground=ground), ground
    attempt = earlier[-1][0].attempt + 1 if earlier else 1
    return first_ruling(choice, proposed, attempt=attempt, ground=ground), ground


def _first(row: Decision) -> First:
    return First(
        kind=Kind(row.kind),
        attempt=row.attempt,
        terms_hash=row.terms_hash,
        offer=Terms.parse(row.offer_text) if row.offer_text else None,
        nearest=Terms.parse(row.nearest_text) if row.nearest_text else None,
        reasons=tuple(row.reasons),
        note=row.note,
    )


def _move(
    session: Session,
    proposal: Proposal,
    ruling: Ruling,
    ground: Ground,
    version: int,
    actor: Actor,
    now: datetime,
) -> None:
    """Let the proposal move, by its conditional UPDATE; CaseMoved when it has moved already."""
    same: dict[str, Any] = {"proposal_id": proposal.id, "version": version, "actor": actor, "now": now}
    try:
        if ruling.waits:
            plans.mark_second_approval(session, **same)
        elif ruling.kind is Kind.ASK:
            plans.mark_more_asked(session, **same)
        elif ruling.kind is Kind.SEND_BACK:
            plans.mark_sent_back(session, **same)
        elif ruling.kind is Kind.APPROVE:
            plans.mark_approved(session, policy=ground.policy, **same)
        elif ruling.kind is Kind.DECLINE:
            plans.mark_declined(session, policy=ground.policy, **same)
        else:
            _counter(session, ruling, ground, same)
    except (plans.StaleProposal, NotAllowed) as moved:
        raise CaseMoved(str(moved)) from None


def _counter(session: Session, ruling: Ruling, ground: Ground, same: dict[str, Any]) -> None:
    if ruling.offer is None or ruling.assessment is None:
        raise Incomplete("offer_blocked")
    plans.mark_countered(
        session,
        offer=ruling.offer,
        note=ruling.note,
        affordability=plans.affordability_facts(ruling.offer, ground, ruling.assessment),
        policy=ground.policy,
        **same,
    )


def _write(
    session: Session, me: Staff, proposal: Proposal, ruling: Ruling, form_key: str, now: datetime
) -> Decision:
    """The seat, if this human has none yet, and the decision. The database refuses a second of either."""
    session.execute(
        upsert(Seat)
        .values(proposal_id=proposal.id, human_ref=me.human_ref, stage=ruling.stage)
        .on_conflict_do_nothing()
    )
    decision = Decision(
        created_at=now,
        proposal_id=proposal.id,
        staff_id=me.id,
        human_ref=me.human_ref,
        kind=ruling.kind.value,
        stage=ruling.stage,
        attempt=ruling.attempt,
        terms_hash=proposal.terms_hash,
        offer_text=ruling.offer.canonical() if ruling.offer else None,
        offer_hash=ruling.offer.digest() if ruling.offer else None,
        nearest_text=ruling.nearest.canonical() if ruling.nearest else None,
        reasons=list(ruling.reasons),
        note=ruling.note,
        effective=ruling.effective,
        form_key=form_key,
    )
    session.add(decision)
    session.flush()
    return decision


def _tell(
    session: Session,
    proposal: Proposal,
    decision: Decision,
    ruling: Ruling,
    bench: Bench,
    actor: Actor,
    now: datetime,
) -> None:
    """The record, and the message to the borrower once there is an answer or a question."""
    audit.record(
        session,
        actor=actor,
        event="reviews.decided",
        subject_kind="proposal",
        subject_ref=proposal.reference,
        now=now,
        facts={
            "decision": decision.id,
            "kind": decision.kind,
            "stage": decision.stage,
            "attempt": decision.attempt,
            "terms": decision.terms_hash,
            "offer": decision.offer_hash,
            "reasons": list(ruling.reasons),
            "effective": decision.effective,
        },
    )
    if ruling.effective or ruling.kind is Kind.ASK:
        messages.queue(
            session,
            keys=bench.keys,
            borrower_id=proposal.borrower_id,
            kind="decision",
            params={"host": bench.host},
            dedupe_key=f"decision:{decision.id}",
            asked_for=False,
            real_now=bench.real_now,
            demonstration=bench.demonstration,
        )
