"""A complaint is received, looked into, answered and closed: each step once, by whoever saw the latest one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts.operations import lift_hold
from portal.disputes import words
from portal.disputes.complaints import LONGEST, outcomes_of
from portal.disputes.deadlines import COMPLEX, times_of
from portal.disputes.lifecycle import LIFECYCLE, Action
from portal.disputes.models import Complaint, ComplaintStep
from portal.disputes.telling import Teller, tell
from portal.documents.card_numbers import has_card_number
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.visits import operations as visits

#: The reason of the hold while a figure is checked, where the pack says so.
FIGURE_DISPUTED = "figure_disputed"
#: What a step is told to the borrower about.
_TOLD = (Action.WIDEN, Action.APPROVE, Action.ANSWER)
#: Steps that need words.
_WORDED = (Action.WIDEN, Action.ASK_TIME, Action.REFUSE, Action.ANSWER)


class UnableToAct(Exception):
    """Nothing was done. `reason`: "gone", "meanwhile", "words", "long", "card_number", "outcome", "same_person",
    "no_time" (the pack knows no more)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class House:
    """What a complaint needs of the portal."""

    keys: Keys
    pack: Jurisdiction
    zone: ZoneInfo
    teller: Teller


@dataclass(frozen=True)
class Staff:
    """Who acts at the desk; `human_ref` is the person behind the account."""

    staff_id: int
    staff_ref: str
    human_ref: str
    role: str


@dataclass(frozen=True)
class Step:
    """What somebody at the desk does, on the `version` that was seen."""

    action: Action
    version: int
    text: str = ""
    outcome: str = ""


def settle(session: Session, *, keys: Keys, borrower_id: int, reference: str, now: datetime) -> None:
    """The borrower says that the answer settles it. Raises UnableToAct ("gone", "meanwhile")."""
    which = (Complaint.reference == reference) & (Complaint.borrower_id == borrower_id)
    row = session.execute(select(Complaint.id, Complaint.version).where(which)).one_or_none()
    if row is None:
        raise UnableToAct("gone")
    actor = Actor("borrower", str(borrower_id))
    _move(session, keys, row.id, Step(Action.CLOSE, row.version), staff_ref="", actor=actor, now=now)


def act(session: Session, *, house: House, reference: str, staff: Staff, step: Step, now: datetime) -> None:
    """One step at the desk. Of two at once on the same version one is taken, the other told.

    Raises UnableToAct. More time is approved or refused by a supervisor who is not the person that asked.
    """
    row = session.execute(
        select(
            Complaint.id,
            Complaint.borrower_id,
            Complaint.about,
            Complaint.created_at,
            Complaint.track,
            Complaint.asked_by,
        ).where(Complaint.reference == reference)
    ).one_or_none()
    if row is None:
        raise UnableToAct("gone")
    _refuse(row, staff, step, house)
    values = _values(row, staff, step, house)
    actor = Actor("staff", str(staff.staff_id))
    other = Complaint.asked_by != staff.human_ref if step.action in (Action.APPROVE, Action.REFUSE) else None
    _move(
        session,
        house.keys,
        row.id,
        step,
        staff_ref=staff.staff_ref,
        actor=actor,
        now=now,
        values=values,
        only=other,
    )
    if step.action is Action.ANSWER:
        _release(session, row.id, row.borrower_id, actor, now)
    if step.action in _TOLD:
        about = f"complaint:{row.id}:{step.version}"
        tell(
            session,
            keys=house.keys,
            teller=house.teller,
            borrower_id=row.borrower_id,
            reference=reference,
            about=about,
        )


def _refuse(row: Any, staff: Staff, step: Step, house: House) -> None:
    """Raise where this step cannot be taken by this person with these words."""
    text = step.text.strip()
    if step.action in _WORDED and not text:
        raise UnableToAct("words")
    if len(text) > LONGEST:
        raise UnableToAct("long")
    if has_card_number(text):
        raise UnableToAct("card_number")
    if step.action is Action.ANSWER and step.outcome not in outcomes_of(row.about):
        raise UnableToAct("outcome")
    times = times_of(house.pack)
    if step.action is Action.WIDEN and (times.complex is None or row.track == COMPLEX):
        raise UnableToAct("no_time")
    if step.action is Action.ASK_TIME and times.extension is None:
        raise UnableToAct("no_time")
    if step.action in (Action.APPROVE, Action.REFUSE) and (
        staff.role != "supervisor" or row.asked_by == staff.human_ref
    ):
        raise UnableToAct("same_person")


def _values(row: Any, staff: Staff, step: Step, house: House) -> dict[str, Any]:
    """What a step changes besides the state."""
    received_on = row.created_at.astimezone(house.zone).date()
    times = times_of(house.pack)
    if step.action is Action.TAKE:
        return {"taken_by": staff.staff_ref}
    if step.action is Action.WIDEN:
        return {"track": COMPLEX, "due_on": times.due_on(received_on, COMPLEX)}
    if step.action is Action.ASK_TIME:
        return {"asked_by": staff.human_ref}
    if step.action is Action.APPROVE:
        return {"due_on": times.due_on(received_on, row.track, extended=True)}
    return {"outcome": step.outcome} if step.action is Action.ANSWER else {}


def _move(
    session: Session,
    keys: Keys,
    complaint_id: int,
    step: Step,
    *,
    staff_ref: str,
    actor: Actor,
    now: datetime,
    values: Mapping[str, Any] | None = None,
    only: ColumnElement[bool] | None = None,
) -> None:
    """One conditional UPDATE decides, and the step is written down under the version it was taken on."""
    statement = update(Complaint).where(
        Complaint.id == complaint_id,
        Complaint.version == step.version,
        Complaint.state.in_(LIFECYCLE.sources(step.action)),
    )
    if only is not None:
        statement = statement.where(only)
    moved = session.execute(
        statement.values(
            state=LIFECYCLE.target(step.action), version=Complaint.version + 1, **dict(values or {})
        )
        .returning(Complaint.due_on, Complaint.borrower_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if moved is None:
        raise UnableToAct("meanwhile")
    said = {"text": step.text.strip()}
    keep_step(
        session,
        keys,
        complaint_id,
        step.version,
        step.action,
        staff_ref=staff_ref,
        outcome=step.outcome if step.action is Action.ANSWER else "",
        due_on=moved.due_on,
        said=said,
        now=now,
    )
    record_step(
        session, actor, step.action, complaint_id, now, borrower=moved.borrower_id, version=step.version
    )


def keep_step(
    session: Session,
    keys: Keys,
    complaint_id: int,
    version: int,
    action: str,
    *,
    staff_ref: str,
    outcome: str,
    due_on: date,
    said: Mapping[str, str],
    now: datetime,
) -> None:
    """Write a step down with its words, under the version it was taken on."""
    session.add(
        ComplaintStep(
            created_at=now,
            complaint_id=complaint_id,
            version=version,
            action=action,
            staff_ref=staff_ref,
            outcome=outcome,
            due_on=due_on,
            words_sealed=words.seal(keys, words.COMPLAINT, said),
        )
    )
    session.flush()


def _release(session: Session, complaint_id: int, borrower_id: int, actor: Actor, now: datetime) -> None:
    """The disputed figure was answered: what rested because of it goes on."""
    source = f"complaint:{complaint_id}"
    if lift_hold(session, source=source, reason=FIGURE_DISPUTED, now=now, actor=actor):
        visits.resume_visits(session, borrower_id=borrower_id, reason=FIGURE_DISPUTED, actor=actor, now=now)


def record_step(
    session: Session, actor: Actor, action: str, complaint_id: int, now: datetime, **facts: Any
) -> None:
    """The audit's row of a step."""
    audit.record(
        session,
        actor=actor,
        event=f"complaints.{action}",
        subject_kind="complaint",
        subject_ref=complaint_id,
        now=now,
        facts=facts,
    )
