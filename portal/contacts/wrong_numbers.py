"""A number that is somebody else's: reported, answered at the desk, and the hold on that one number."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.contacts.lifecycle import NUMBERS, NumberAction, NumberState
from portal.contacts.log import NOTE_SIZE
from portal.contacts.models import WrongNumber, WrongNumberAnswer
from portal.contacts.news import News, tell
from portal.contacts.operations import lift_number, make_lasting, place_hold
from portal.contacts.rule import WRONG_NUMBER
from portal.db import upsert
from portal.keys import Keys


class CannotAnswer(Exception):
    """Nothing was answered. `reason`: ``note`` (missing or too long), ``gone`` (no such report), ``meanwhile``
    (somebody was faster, or it was reported again), ``same_number`` (the core has no other number yet)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def report(session: Session, *, keys: Keys, borrower_id: int, is_new: bool, now: datetime) -> None:
    """Somebody else has the number that is this borrower's on file: it rests until the bank has answered.

    `is_new`: not the same report once more. An answered number is open again. Nothing happens for an unknown
    borrower.
    """
    person = session.execute(
        select(Borrower.phone_digest, Borrower.phone_tail_sealed).where(Borrower.id == borrower_id)
    ).one_or_none()
    if person is None:
        return
    waits = WrongNumber.state == NumberState.OPEN
    statement = upsert(WrongNumber).values(
        created_at=now,
        borrower_id=borrower_id,
        number_digest=person.phone_digest,
        tail_sealed=keys.seal("contact.tail", keys.unseal("borrower.phone_tail", person.phone_tail_sealed)),
        state=NUMBERS.initial,
        version=1,
        reports=1,
        since=now,
        last_at=now,
    )
    row = session.execute(
        statement.on_conflict_do_update(
            index_elements=["borrower_id", "number_digest"],
            set_={
                "state": NUMBERS.target(NumberAction.REPORT),
                "version": case((waits, WrongNumber.version), else_=WrongNumber.version + 1),
                "since": case((waits, WrongNumber.since), else_=now),
                "reports": WrongNumber.reports + case((waits, int(is_new)), else_=1),
                "last_at": now,
            },
        ).returning(WrongNumber.id, WrongNumber.since)
    ).one()
    placed = place_hold(
        session,
        borrower_id=borrower_id,
        kind="pause",
        reason=WRONG_NUMBER,
        source=source_of(row.id),
        number_digest=person.phone_digest,
        now=now,
    )
    if placed or is_new or row.since == now:
        _record(session, audit.SYSTEM, NumberAction.REPORT, row.id, borrower_id, now)


def answer(
    session: Session,
    *,
    keys: Keys,
    number_id: int,
    action: NumberAction,
    version: int,
    note: str,
    staff_ref: str,
    actor: Actor,
    now: datetime,
) -> None:
    """The bank's answer to the report of `version`: CORRECT and KEEP lift the hold on that number, BAR makes it
    last. Of two at once one answers and the other is told. Raises CannotAnswer."""
    text = note.strip()
    if not text or len(text) > NOTE_SIZE:
        raise CannotAnswer("note")
    row = session.execute(
        update(WrongNumber)
        .where(WrongNumber.id == number_id, WrongNumber.version == version)
        .where(WrongNumber.state.in_(NUMBERS.sources(action)))
        .values(state=NUMBERS.target(action), version=version + 1)
        .returning(WrongNumber.borrower_id, WrongNumber.number_digest)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        known = session.scalar(select(WrongNumber.id).where(WrongNumber.id == number_id))
        raise CannotAnswer("meanwhile" if known else "gone")
    on_file = session.scalar(select(Borrower.phone_digest).where(Borrower.id == row.borrower_id))
    if action is NumberAction.CORRECT and on_file == row.number_digest:
        raise CannotAnswer("same_number")
    session.add(
        WrongNumberAnswer(
            created_at=now,
            wrong_number_id=number_id,
            version=version,
            action=action,
            staff_ref=staff_ref,
            note_sealed=keys.seal("contact.note", text),
        )
    )
    tell(session, borrower_id=row.borrower_id, news=_NEWS[action], now=now)
    _rest(session, number_id, action, row.borrower_id, row.number_digest, actor, now)
    _record(session, actor, action, number_id, row.borrower_id, now)
    session.flush()


_NEWS = {
    NumberAction.CORRECT: News.NUMBER_CORRECTED,
    NumberAction.KEEP: News.NUMBER_RIGHT,
    NumberAction.BAR: News.NUMBER_BARRED,
}


def source_of(number_id: int) -> str:
    """What the hold on a reported number stands for."""
    return f"wrong_number:{number_id}"


def _rest(
    session: Session,
    number_id: int,
    action: NumberAction,
    borrower_id: int,
    number_digest: str,
    actor: Actor,
    now: datetime,
) -> None:
    source = source_of(number_id)
    if action is not NumberAction.BAR:
        lift_number(session, borrower_id=borrower_id, source=source, now=now, actor=actor)
    elif not make_lasting(session, source=source, now=now, actor=actor):
        place_hold(
            session,
            borrower_id=borrower_id,
            kind="stop",
            reason=WRONG_NUMBER,
            source=source,
            number_digest=number_digest,
            now=now,
            actor=actor,
        )


def _record(
    session: Session, actor: Actor, action: NumberAction, number_id: int, borrower_id: int, now: datetime
) -> None:
    audit.record(
        session,
        actor=actor,
        event=f"contacts.number_{action}",
        subject_kind="borrower",
        subject_ref=borrower_id,
        now=now,
        facts={"number": number_id},
    )
