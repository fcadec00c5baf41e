"""Complaints as pages print them: the borrower's own, and the desk's queue. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select
from sqlalchemy.orm import Session

from portal.accounts.models import Loan
from portal.borrowers.models import Borrower
from portal.contacts.models import Contact
from portal.disputes import words
from portal.disputes.deadlines import days_left
from portal.disputes.lifecycle import OPEN, State
from portal.disputes.models import Complaint, ComplaintStep, VisitAnswer
from portal.keys import Keys
from portal.visits.models import Visit


@dataclass(frozen=True)
class StepView:
    """One step: what was said or done, by whom, and the last day for the answer from then on."""

    action: str
    at: datetime
    staff_ref: str
    outcome: str
    due_on: date
    text: str
    when: str = ""


@dataclass(frozen=True)
class ComplaintView:
    """A complaint and where it stands; `name` and `customer_ref` for the desk only, `steps` on its own page."""

    reference: str
    about: str
    state: str
    track: str
    received_at: datetime
    due_on: date
    version: int
    outcome: str
    is_conduct: bool
    taken_by: str
    asked_by: str
    points: Mapping[str, Any]
    visit_ref: str
    channel: str
    contact_at: datetime | None
    loan_ref: str
    answer_ref: str
    customer_ref: str = ""
    name: str = ""
    steps: tuple[StepView, ...] = field(default=())

    @property
    def is_open(self) -> bool:
        """Whether it waits for the bank."""
        return self.state in OPEN

    def days_left(self, today: date) -> int:
        """Days until the answer is due; below zero when it is late."""
        return days_left(self.due_on, today)

    @property
    def answer(self) -> StepView | None:
        """The bank's answer."""
        return next((step for step in self.steps if step.action == "answer"), None)


@dataclass(frozen=True)
class Disputed:
    """A part of a loan account that is disputed or was; `lines`: entries by number, none for the part as a whole."""

    reference: str
    component: str
    lines: tuple[str, ...]
    received_at: datetime
    state: str
    outcome: str

    @property
    def is_open(self) -> bool:
        """Whether the bank has not answered yet."""
        return self.state in OPEN


def complaints_for(connection: Connection | Session, borrower_id: int) -> tuple[ComplaintView, ...]:
    """Everything this borrower complained about, the newest first."""
    rows = connection.execute(
        _complaints().where(Complaint.borrower_id == borrower_id).order_by(Complaint.id.desc()).limit(200)
    )
    return tuple(_view(row) for row in rows)


def complaint_for(
    connection: Connection | Session, keys: Keys, borrower_id: int, reference: str
) -> ComplaintView | None:
    """One complaint of this borrower with its steps; None for anybody else's."""
    which = (Complaint.reference == reference) & (Complaint.borrower_id == borrower_id)
    return _one(connection, keys, which, with_person=False)


def complaint_at_desk(connection: Connection | Session, keys: Keys, reference: str) -> ComplaintView | None:
    """One complaint with whose it is."""
    return _one(connection, keys, Complaint.reference == reference, with_person=True)


def desk_rows(
    connection: Connection | Session,
    keys: Keys,
    *,
    state: str,
    about: str,
    conduct: bool,
    before: date | None,
    limit: int,
    offset: int,
) -> tuple[ComplaintView, ...]:
    """The queue, what is due first in front. `state`: "open", one state, or "" for all; `before`: only what
    was to be answered before that day."""
    statement = _complaints()
    if state == "open":
        statement = statement.where(Complaint.state.in_(OPEN))
    elif state:
        statement = statement.where(Complaint.state == state)
    if about:
        statement = statement.where(Complaint.about == about)
    if conduct:
        statement = statement.where(Complaint.is_conduct.is_(True))
    if before is not None:
        statement = statement.where(Complaint.due_on < before, Complaint.state.in_(OPEN))
    waits = Complaint.state.in_(OPEN)
    rows = connection.execute(
        statement.order_by(waits.desc(), Complaint.due_on, Complaint.id).limit(limit).offset(offset)
    )
    return tuple(_view(row, keys) for row in rows)


def counts(connection: Connection | Session, *, today: date) -> Mapping[str, int]:
    """How many complaints are in each state, how many are open, and how many of those are late."""
    found = {state.value: 0 for state in State}
    rows = connection.execute(select(Complaint.state, func.count()).group_by(Complaint.state))
    found |= {state: count for state, count in rows}
    late = select(func.count()).where(Complaint.state.in_(OPEN), Complaint.due_on < today)
    return found | {
        "open": sum(found[state] for state in OPEN),
        "late": connection.scalar(late.select_from(Complaint)) or 0,
    }


def disputed_for(connection: Connection | Session, borrower_id: int, loan_ref: str) -> tuple[Disputed, ...]:
    """What of one loan account the borrower disputes or has disputed, the newest first."""
    rows = connection.execute(
        select(
            Complaint.reference, Complaint.points, Complaint.created_at, Complaint.state, Complaint.outcome
        )
        .join(Loan, Loan.id == Complaint.loan_id)
        .where(Complaint.borrower_id == borrower_id, Complaint.about == "figure", Loan.loan_ref == loan_ref)
        .order_by(Complaint.id.desc())
    )
    return tuple(
        Disputed(
            row.reference,
            row.points["component"],
            tuple(row.points["lines"]),
            row.created_at,
            row.state,
            row.outcome,
        )
        for row in rows
    )


def _complaints() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Complaint.__table__,
            Visit.visit_ref,
            Contact.channel,
            Contact.at.label("contact_at"),
            Loan.loan_ref,
            VisitAnswer.reference.label("answer_ref"),
            Borrower.customer_ref,
            Borrower.name_sealed,
        )
        .join(Borrower, Borrower.id == Complaint.borrower_id)
        .outerjoin(Visit, Visit.id == Complaint.visit_id)
        .outerjoin(Contact, Contact.id == Complaint.contact_id)
        .outerjoin(Loan, Loan.id == Complaint.loan_id)
        .outerjoin(VisitAnswer, VisitAnswer.id == Complaint.answer_id)
    )


def _one(
    connection: Connection | Session, keys: Keys, which: ColumnElement[bool], *, with_person: bool
) -> ComplaintView | None:
    row = connection.execute(_complaints().where(which)).one_or_none()
    if row is None:
        return None
    steps = connection.execute(
        select(ComplaintStep.__table__)
        .where(ComplaintStep.complaint_id == row.id)
        .order_by(ComplaintStep.version)
    )
    return _view(row, keys if with_person else None, tuple(_step(step, keys) for step in steps))


def _step(row: Row[*tuple[Any, ...]], keys: Keys) -> StepView:
    said = words.unseal(keys, words.COMPLAINT, row.words_sealed)
    return StepView(
        row.action,
        row.created_at,
        row.staff_ref,
        row.outcome,
        row.due_on,
        said.get("text", ""),
        said.get("when", ""),
    )


def _view(
    row: Row[*tuple[Any, ...]], keys: Keys | None = None, steps: tuple[StepView, ...] = ()
) -> ComplaintView:
    return ComplaintView(
        reference=row.reference,
        about=row.about,
        state=row.state,
        track=row.track,
        received_at=row.created_at,
        due_on=row.due_on,
        version=row.version,
        outcome=row.outcome,
        is_conduct=row.is_conduct,
        taken_by=row.taken_by,
        asked_by=row.asked_by,
        points=row.points,
        visit_ref=row.visit_ref or "",
        channel=row.channel or "",
        contact_at=row.contact_at,
        loan_ref=row.loan_ref or "",
        answer_ref=row.answer_ref or "",
        customer_ref=row.customer_ref if keys else "",
        name=keys.unseal("borrower.name", row.name_sealed) if keys else "",
        steps=steps,
    )
