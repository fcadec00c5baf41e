"""Putting contacts to rest and letting them go on again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts.models import Hold
from portal.contacts.rule import WRONG_NUMBER
from portal.db import upsert


def place_hold(
    session: Session,
    *,
    borrower_id: int,
    kind: str,
    reason: str,
    source: str,
    now: datetime,
    ends_at: datetime | None = None,
    number_digest: str = "",
    actor: Actor = audit.SYSTEM,
) -> bool:
    """Put a hold in force; False when the same one (borrower, reason, source) already is.

    `kind` is "pause" or "stop"; with `number_digest` it rests that number only. The partial unique index
    decides between two at once.
    """
    placed = session.execute(
        upsert(Hold)
        .values(
            borrower_id=borrower_id,
            kind=kind,
            reason=reason,
            source=source,
            ends_at=ends_at,
            number_digest=number_digest,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Hold.id)
    ).scalar()
    if placed is None:
        return False
    audit.record(
        session,
        actor=actor,
        event="contacts.hold_placed",
        subject_kind="borrower",
        subject_ref=borrower_id,
        now=now,
        facts={"hold": placed, "kind": kind, "reason": reason, "source": source},
    )
    return True


def lift_hold(
    session: Session, *, source: str, reason: str, now: datetime, actor: Actor = audit.SYSTEM
) -> int:
    """Lift the hold that `source` placed for `reason`; how many were in force (0 or 1 per borrower)."""
    return len(_lift(session, (Hold.source == source) & (Hold.reason == reason), now=now, actor=actor))


def lift_number(
    session: Session, *, borrower_id: int, source: str, now: datetime, actor: Actor = audit.SYSTEM
) -> int:
    """Lift what rests a wrong number: the hold of `source`, and any that rests whatever number there is."""
    which = (Hold.borrower_id == borrower_id) & (Hold.reason == WRONG_NUMBER)
    of_all = Hold.number_digest == ""
    return len(_lift(session, which & ((Hold.source == source) | of_all), now=now, actor=actor))


def make_lasting(session: Session, *, source: str, now: datetime, actor: Actor) -> bool:
    """Make a stop of the pause that `source` placed; False where none is in force."""
    made = session.execute(
        update(Hold)
        .where(Hold.source == source, Hold.lifted_at.is_(None), Hold.kind == "pause")
        .values(kind="stop", ends_at=None)
        .returning(Hold.id, Hold.borrower_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if made is None:
        return False
    audit.record(
        session,
        actor=actor,
        event="contacts.hold_made_lasting",
        subject_kind="borrower",
        subject_ref=made.borrower_id,
        now=now,
        facts={"hold": made.id, "source": source},
    )
    return True


def lift_ended(session: Session, *, now: datetime) -> tuple[tuple[int, str], ...]:
    """Lift the holds whose end has come; the (borrower, reason) of each, so that visits may follow."""
    return _lift(session, Hold.ends_at <= now, now=now, actor=audit.SYSTEM)


def _lift(
    session: Session, which: ColumnElement[bool], *, now: datetime, actor: Actor
) -> tuple[tuple[int, str], ...]:
    lifted = session.execute(
        update(Hold)
        .where(Hold.lifted_at.is_(None), which)
        .values(lifted_at=now)
        .returning(Hold.id, Hold.borrower_id, Hold.reason, Hold.source)
        .execution_options(synchronize_session=False)
    ).all()
    for row in lifted:
        audit.record(
            session,
            actor=actor,
            event="contacts.hold_lifted",
            subject_kind="borrower",
            subject_ref=row.borrower_id,
            now=now,
            facts={"hold": row.id, "reason": row.reason, "source": row.source},
        )
    return tuple((row.borrower_id, row.reason) for row in lifted)
