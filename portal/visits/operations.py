"""Calling visits off, for a while or for good, and back on. One conditional UPDATE moves them all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts.queries import holds_in_force
from portal.visits.lifecycle import LIFECYCLE, Action, State
from portal.visits.models import Visit

#: `off_reason` of what the bank itself called off or paused.
BY_BANK = "bank"
#: A hold of this reason rests messages to a number; it says nothing about a visit.
WRONG_NUMBER = "wrong_number"


def pause_visits(session: Session, *, borrower_id: int, reason: str, actor: Actor, now: datetime) -> int:
    """Pause every planned visit of this borrower; how many. `reason` is stored as why it is off."""
    return _move(session, Action.PAUSE, borrower_id=borrower_id, off_reason=reason, actor=actor, now=now)


def resume_visits(session: Session, *, borrower_id: int, reason: str, actor: Actor, now: datetime) -> int:
    """Plan again what is paused and still lies ahead, once `reason` no longer holds; how many.

    Nothing is resumed while another hold is in force, nor what the bank itself paused. A visit whose
    hour passed while it was paused cannot be made any more: it is cancelled.
    """
    holds = holds_in_force(session, borrower_id, now=now)
    if any(hold.reason not in (reason, WRONG_NUMBER) for hold in holds):
        return 0
    paused = (Visit.state == State.PAUSED) & (Visit.off_reason != BY_BANK)
    _move(
        session,
        Action.CANCEL,
        borrower_id=borrower_id,
        off_reason=reason,
        actor=actor,
        now=now,
        only=paused & (Visit.ends_at <= now),
    )
    return _move(
        session,
        Action.RESUME,
        borrower_id=borrower_id,
        off_reason=None,
        actor=actor,
        now=now,
        only=paused,
    )


def keep_paused(session: Session, *, borrower_id: int, before: str, reason: str) -> None:
    """What is paused for `before` stays paused, from now on for `reason`; the holds record when and why."""
    session.execute(
        update(Visit)
        .where(Visit.borrower_id == borrower_id, Visit.state == State.PAUSED, Visit.off_reason == before)
        .values(off_reason=reason)
        .execution_options(synchronize_session="fetch")
    )


def finish(session: Session, *, visit_ref: str, actor: Actor, now: datetime) -> bool:
    """The visit was made, however it ended; False when it was not planned (any more) and stays as it is."""
    statement = (
        update(Visit)
        .where(Visit.visit_ref == visit_ref, Visit.state.in_(LIFECYCLE.sources(Action.FINISH)))
        .values(state=LIFECYCLE.target(Action.FINISH))
        .returning(Visit.borrower_id)
        .execution_options(synchronize_session="fetch")
    )
    borrower_id = session.scalar(statement)
    if borrower_id is None:
        return False
    audit.record(
        session,
        actor=actor,
        event=f"visits.{Action.FINISH}",
        subject_kind="visit",
        subject_ref=visit_ref,
        now=now,
        facts={"borrower": borrower_id},
    )
    return True


def cancel_visits(session: Session, *, borrower_id: int, reason: str, actor: Actor, now: datetime) -> int:
    """Call every planned or paused visit of this borrower off for good; how many."""
    return _move(session, Action.CANCEL, borrower_id=borrower_id, off_reason=reason, actor=actor, now=now)


def _move(
    session: Session,
    action: Action,
    *,
    borrower_id: int,
    off_reason: str | None,
    actor: Actor,
    now: datetime,
    only: ColumnElement[bool] | None = None,
) -> int:
    sources, target = LIFECYCLE.sources(action), LIFECYCLE.target(action)
    statement = update(Visit).where(Visit.borrower_id == borrower_id, Visit.state.in_(sources))
    if only is not None:
        statement = statement.where(only)
    moved = session.execute(
        statement.values(state=target, off_reason=off_reason)
        .returning(Visit.visit_ref)
        .execution_options(synchronize_session="fetch")
    ).scalars()
    count = 0
    for visit_ref in moved:
        count += 1
        audit.record(
            session,
            actor=actor,
            event=f"visits.{action}",
            subject_kind="visit",
            subject_ref=visit_ref,
            now=now,
            facts={"borrower": borrower_id, "reason": off_reason or ""},
        )
    return count
