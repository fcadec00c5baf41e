"""Working a difference: explain it, match it by hand, set the money aside, or mark it resolved.

Who worked on an older state of it is told so, and nothing that somebody else wrote is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.documents.card_numbers import has_card_number
from portal.money import Money
from portal.payments.books import Books
from portal.payments.lifecycle import DIFFERENCE, DifferenceAction, DifferenceState
from portal.payments.models import ReconciliationDifference, ReconciliationRun
from portal.reconciliation.comparison import CORE_KINDS, Kind
from portal.reconciliation.operations import step
from portal.transfers.suspense import LONGEST_NOTE, Person, set_aside

#: What a person can do; closing and finding are the run's.
BY_HAND = (
    DifferenceAction.EXPLAIN,
    DifferenceAction.MATCH,
    DifferenceAction.SET_ASIDE,
    DifferenceAction.RESOLVE,
    DifferenceAction.REOPEN,
)


class UnableToWork(Exception):
    """Nothing was done. `reason`: ``gone``, ``stale`` (somebody changed it meanwhile), ``state``, ``note``
    (missing or too long), ``card_number``, ``no_fit`` (the two do not cancel out), ``not_money`` (nothing
    that could be set aside), ``kept_already``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Work:
    """What somebody does about a difference, and the version of it they saw; `other` is the reference of
    the difference it is matched with."""

    reference: str
    version: int
    action: DifferenceAction
    note: str
    other: str = ""


def work(session: Session, *, work: Work, person: Person, books: Books) -> None:
    """Do it, with the note. Raises UnableToWork."""
    if has_card_number(work.note):
        raise UnableToWork("card_number")
    if not work.note.strip() or len(work.note) > LONGEST_NOTE:
        raise UnableToWork("note")
    wanted = [work.reference] + ([work.other] if work.action is DifferenceAction.MATCH else [])
    held = _held(session, wanted)
    row = held.get(work.reference)
    if row is None:
        raise UnableToWork("gone")
    if row.version != work.version:
        raise UnableToWork("stale")
    if work.action not in BY_HAND or not DIFFERENCE.allows(DifferenceState(row.state), work.action):
        raise UnableToWork("state")
    if work.action is DifferenceAction.MATCH:
        _match(session, row, held.get(work.other), work, person, books)
    elif work.action is DifferenceAction.SET_ASIDE:
        _set_aside(session, row, person, books)
    step(session, row, work.action, now=books.now, staff_id=person.staff_id, note=work.note.strip())
    audit.record(
        session,
        actor=audit.Actor("staff", person.staff_ref),
        event=f"difference.{work.action.value}",
        subject_kind="difference",
        subject_ref=row.reference,
        now=books.now,
        facts={"kind": row.kind, "gap_minor": row.gap_minor, "other": work.other},
    )


def _held(session: Session, references: list[str]) -> dict[str, ReconciliationDifference]:
    """Both differences, held until the transaction ends, always in the same order."""
    statement = (
        select(ReconciliationDifference)
        .where(ReconciliationDifference.reference.in_(references))
        .order_by(ReconciliationDifference.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.reference: row for row in session.scalars(statement)}


def _currency(session: Session, row: ReconciliationDifference) -> str:
    return session.scalars(select(ReconciliationRun.currency).where(ReconciliationRun.id == row.run_id)).one()


def _match(
    session: Session,
    row: ReconciliationDifference,
    other: ReconciliationDifference | None,
    work: Work,
    person: Person,
    books: Books,
) -> None:
    """Two differences that cancel out: of one leg and currency, on whatever days."""
    fits = (
        other is not None
        and other is not row
        and row.gap_minor + other.gap_minor == 0
        and (row.kind in CORE_KINDS) is (other.kind in CORE_KINDS)
        and _currency(session, row) == _currency(session, other)
    )
    if other is None or not fits:
        raise UnableToWork("no_fit")
    if not DIFFERENCE.allows(DifferenceState(other.state), DifferenceAction.MATCH):
        raise UnableToWork("state")
    row.matched_id, other.matched_id = other.id, row.id
    step(
        session,
        other,
        DifferenceAction.MATCH,
        now=books.now,
        staff_id=person.staff_id,
        note=work.note.strip(),
    )


def _set_aside(session: Session, row: ReconciliationDifference, person: Person, books: Books) -> None:
    """Money at the provider that nobody here knows of becomes money without a place."""
    if row.kind != Kind.AT_PROVIDER_ONLY or row.facts.get("what") != "charge" or not row.facts.get("key"):
        raise UnableToWork("not_money")
    kept = set_aside(
        session,
        money_key=str(row.facts["key"]),
        amount=Money(row.provider_minor or 0, _currency(session, row)),
        reason="found_by_reconciliation",
        books=books,
        actor=audit.Actor("staff", person.staff_ref),
    )
    if not kept:
        raise UnableToWork("kept_already")
