"""Money without a place: set aside, then placed on a loan or plan, given back, or kept with a reason - each once.

Two kinds of it: money that came and fits nothing we asked for (`unplaced_money`), and what was overpaid
on a loan (its suspense). That a thing happens once is a unique index and, for the ledger, the lock of the
balance row. Above the bank's limit a second person has to agree first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.access.models import Staff
from portal.accounts.models import Loan, LoanBalance
from portal.db import upsert
from portal.documents.card_numbers import has_card_number
from portal.money import EXPONENTS, Money
from portal.payments.lifecycle import SUSPENSE_MOVE, MoveAction, MoveState
from portal.payments.models import Dispute, IncomingTransfer, Payment, SuspenseMove, UnplacedMoney
from portal.payments.operations import locked
from portal.payments.placing import UnableToMove, intent_in, place_suspense, place_unplaced, return_by_hand
from portal.payments.receipts import Books
from portal.plans.models import Plan

#: The policy's amount above which two people decide, in units of the bank's currency.
LIMIT_KEY = "second_person_for_money_above"
KINDS = ("place", "give_back", "keep")
#: The longest note the desk may write.
LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Person:
    """Who acts at the desk: the account and the human behind it."""

    staff_id: int
    staff_ref: str
    human_ref: str


@dataclass(frozen=True)
class Wish:
    """What somebody at the desk wants done with money. `source` is "unplaced" or "loan" (whose suspense);
    `target` a loan's number, or "plan" for the plan in force; `form_key` makes it happen once."""

    source: str
    source_id: int
    kind: str
    note: str
    form_key: str
    amount: Money | None = None
    target: str = ""


@dataclass(frozen=True)
class Made:
    """A move as it stands now; `repeated` when the same form had made it before."""

    move_id: int
    reference: str
    state: MoveState
    repeated: bool = False


@dataclass(frozen=True)
class _Source:
    amount: Money
    borrower_id: int | None
    payment: Payment | None = None
    unplaced: UnplacedMoney | None = None
    loan: Loan | None = None


def set_aside(
    session: Session,
    *,
    money_key: str,
    amount: Money,
    reason: str,
    books: Books,
    method: str = "stripe",
    payment_id: int | None = None,
    actor: audit.Actor = audit.SYSTEM,
) -> bool:
    """Keep money that came and has no place, once per `money_key` (the provider's payment, or a transfer's
    own reference); False when it is kept already."""
    table: Any = UnplacedMoney.__table__
    values = {
        "created_at": books.now,
        "event_id": None,
        "method": method,
        "money_key": money_key,
        "payment_id": payment_id,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "reason": reason,
    }
    made = session.execute(
        upsert(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    ).scalar()
    if made is None:
        return False
    facts = {"reason": reason, "amount_minor": amount.minor, "currency": amount.currency}
    audit.record(
        session,
        actor=actor,
        event="suspense.set_aside",
        subject_kind="unplaced_money",
        subject_ref=made,
        now=books.now,
        facts=facts,
    )
    return True


def ask(session: Session, *, wish: Wish, person: Person, limit: Money | None, books: Books) -> Made:
    """Do what `wish` says, or write it down for a second person when the amount is above `limit`.

    Keeping needs nobody else. The same form again gives the first answer. Raises UnableToMove.
    """
    first = session.scalar(
        select(SuspenseMove).where(
            SuspenseMove.staff_id == person.staff_id, SuspenseMove.form_key == wish.form_key
        )
    )
    if first is not None:
        return _made(first, repeated=True)
    _refuse_note(wish)
    source = _source(session, wish)
    amount = _amount(wish, source)
    loan_id, plan_id = _target(session, wish, source, amount) if wish.kind == "place" else (None, None)
    if wish.kind != "keep" and source.unplaced is not None:
        _refuse_disputed(session, source.unplaced.id)
    move = _insert(session, wish, person, amount, (loan_id, plan_id), books)
    _record(session, f"suspense.{wish.kind}", move, person, books)
    if wish.kind == "keep":
        _step(move, MoveAction.CONFIRM)
        _finish(move, books)
    elif limit is None or limit.currency != amount.currency or amount <= limit:
        _carry_out(session, move, books)
    session.flush()
    return _made(move)


def confirm(session: Session, *, reference: str, person: Person, books: Books) -> Made:
    """The second person agrees: the move is made. Raises UnableToMove: same_person, state, and what `ask` raises."""
    move = _decide(session, reference, person, MoveAction.CONFIRM)
    if move.unplaced_id is not None:
        _held_unplaced(session, move.unplaced_id)
        _refuse_disputed(session, move.unplaced_id)
    _record(session, "suspense.confirmed", move, person, books)
    _carry_out(session, move, books)
    session.flush()
    return _made(move)


def refuse(session: Session, *, reference: str, person: Person, books: Books) -> Made:
    """The second person does not agree: the money stays where it is. Raises UnableToMove: same_person, state."""
    move = _decide(session, reference, person, MoveAction.REFUSE)
    _step(move, MoveAction.REFUSE)
    _record(session, "suspense.refused", move, person, books)
    session.flush()
    return _made(move)


def given_back(session: Session, *, reference: str, refund: Mapping[str, Any], books: Books) -> bool:
    """The provider took the order to send unplaced money back; False when that was known."""
    move = locked_move(session, reference)
    if move is None or not SUSPENSE_MOVE.allows(MoveState(move.state), MoveAction.FINISH):
        return False
    move.outcome = dict(refund)
    _finish(move, books)
    _record(session, "suspense.given_back", move, None, books)
    return True


def give_back_failed(session: Session, *, reference: str, code: str, books: Books) -> bool:
    """The provider will not send it back: the money is without a place again; False when that was known."""
    move = locked_move(session, reference)
    if move is None or not SUSPENSE_MOVE.allows(MoveState(move.state), MoveAction.FAIL):
        return False
    _step(move, MoveAction.FAIL)
    move.outcome = {"code": code}
    _record(session, "suspense.failed", move, None, books)
    return True


def limit_of(policy: Mapping[str, Any], currency: str) -> Money | None:
    """The bank's limit for one person alone; None: no limit.

    >>> limit_of({LIMIT_KEY: "10000.00"}, "CNY")
    Money(minor=1000000, currency='CNY')
    """
    text = policy.get(LIMIT_KEY)
    return Money.from_file(str(text), currency) if text else None


def locked_move(session: Session, reference: str) -> SuspenseMove | None:
    """The move of that reference, held until the transaction ends."""
    statement = select(SuspenseMove).where(SuspenseMove.reference == reference).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def _refuse_note(wish: Wish) -> None:
    if wish.kind not in KINDS:
        raise UnableToMove("state")
    if has_card_number(wish.note):
        raise UnableToMove("card_number")
    if not wish.note.strip() or len(wish.note) > LONGEST_NOTE:
        raise UnableToMove("note")


def _source(session: Session, wish: Wish) -> _Source:
    """The money, held until the transaction ends."""
    if wish.source == "unplaced":
        row = _held_unplaced(session, wish.source_id)
        if row is None or row.currency not in EXPONENTS or row.amount_minor <= 0:
            raise UnableToMove("gone")
        payment = locked(session, Payment.id == row.payment_id) if row.payment_id else None
        borrower_id = payment.borrower_id if payment else None
        return _Source(Money(row.amount_minor, row.currency), borrower_id, payment=payment, unplaced=row)
    held = session.execute(
        select(Loan, LoanBalance.suspense_minor)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Loan.id == wish.source_id)
        .with_for_update(of=LoanBalance)
    ).one_or_none()
    if held is None or held[1] <= 0:
        raise UnableToMove("gone")
    return _Source(Money(held[1], held[0].currency), held[0].borrower_id, loan=held[0])


def _held_unplaced(session: Session, unplaced_id: int) -> UnplacedMoney | None:
    """The money, and the transfer it came by, held until the transaction ends: whoever takes the transfer back
    holds it too, so that money is never both moved and gone."""
    session.execute(
        select(IncomingTransfer.id).where(IncomingTransfer.unplaced_id == unplaced_id).with_for_update()
    )
    return session.scalar(select(UnplacedMoney).where(UnplacedMoney.id == unplaced_id).with_for_update())


def _amount(wish: Wish, source: _Source) -> Money:
    """Unplaced money goes whole; of a loan's suspense as much as is asked for."""
    if source.unplaced is not None or wish.amount is None:
        return source.amount
    if wish.amount.currency != source.amount.currency:
        raise UnableToMove("currency")
    if wish.amount.minor <= 0 or wish.amount > source.amount:
        raise UnableToMove("amount")
    return wish.amount


def _target(session: Session, wish: Wish, source: _Source, amount: Money) -> tuple[int | None, int | None]:
    """Where the money shall go: a loan, or the plan in force. Money of a known payer stays theirs."""
    if wish.target == "plan":
        plan = _plan_of(session, source.borrower_id)
        if plan is None or source.unplaced is None:
            raise UnableToMove("target")
        if plan.currency != amount.currency:
            raise UnableToMove("currency")
        return None, plan.id
    loan = session.scalar(select(Loan).where(Loan.loan_ref == wish.target.strip()))
    if loan is None or source.borrower_id not in (None, loan.borrower_id):
        raise UnableToMove("target")
    if loan.currency != amount.currency:
        raise UnableToMove("currency")
    if source.loan is not None and _left(session, loan.id) < amount.minor:
        raise UnableToMove("no_room")
    return loan.id, None


def _plan_of(session: Session, borrower_id: int | None) -> Plan | None:
    if borrower_id is None:
        return None
    statement = select(Plan).where(Plan.borrower_id == borrower_id, Plan.ended_at.is_(None))
    return session.scalar(statement.order_by(Plan.id.desc()).limit(1))


def _left(session: Session, loan_id: int) -> int:
    return int(session.scalar(select(LoanBalance.left_minor).where(LoanBalance.loan_id == loan_id)) or 0)


def _refuse_disputed(session: Session, unplaced_id: int) -> None:
    """Money that the payer's bank has taken back is not there to be moved."""
    gone = select(Dispute.id).where(
        Dispute.unplaced_id == unplaced_id, Dispute.withdrawn, Dispute.reinstated.is_(False)
    )
    if session.scalar(gone) is not None:
        raise UnableToMove("disputed")


def _insert(
    session: Session,
    wish: Wish,
    person: Person,
    amount: Money,
    target: tuple[int | None, int | None],
    books: Books,
) -> SuspenseMove:
    """The new row; ``taken`` when a unique index says that this money is moved already."""
    table: Any = SuspenseMove.__table__
    values = {
        "created_at": books.now,
        "reference": new_reference("V"),
        "unplaced_id": wish.source_id if wish.source == "unplaced" else None,
        "loan_id": wish.source_id if wish.source == "loan" else None,
        "kind": wish.kind,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "to_loan_id": target[0],
        "to_plan_id": target[1],
        "state": SUSPENSE_MOVE.initial,
        "note": wish.note.strip(),
        "staff_id": person.staff_id,
        "human_ref": person.human_ref,
        "form_key": wish.form_key,
    }
    made = session.execute(
        upsert(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    ).scalar()
    if made is None:
        raise UnableToMove("taken")
    return session.get_one(SuspenseMove, made)


def _decide(session: Session, reference: str, person: Person, action: MoveAction) -> SuspenseMove:
    move = locked_move(session, reference)
    if move is None or not SUSPENSE_MOVE.allows(MoveState(move.state), action):
        raise UnableToMove("state")
    first_human = session.scalar(select(Staff.human_ref).where(Staff.id == move.staff_id))
    if person.staff_id == move.staff_id or person.human_ref in (move.human_ref, first_human):
        raise UnableToMove("same_person")
    move.second_staff_id, move.second_human_ref = person.staff_id, person.human_ref
    return move


def _carry_out(session: Session, move: SuspenseMove, books: Books) -> None:
    """What is ours to do happens here and now; sending money back that came online is confirmed here and
    done by the provider's call after the commit (payments/returning.py)."""
    _step(move, MoveAction.CONFIRM)
    if move.kind == "place":
        (place_unplaced if move.unplaced_id is not None else place_suspense)(session, move, books)
    elif move.unplaced_id is None:
        return_by_hand(session, move, books)
    elif intent_in(session, move.unplaced_id):
        return
    else:
        move.outcome = {"by_hand": True}
    _finish(move, books)


def _step(move: SuspenseMove, action: MoveAction) -> None:
    move.state = SUSPENSE_MOVE.after(MoveState(move.state), action)


def _finish(move: SuspenseMove, books: Books) -> None:
    _step(move, MoveAction.FINISH)
    move.done_at = books.now


def _made(move: SuspenseMove, *, repeated: bool = False) -> Made:
    return Made(move.id, move.reference, MoveState(move.state), repeated)


def _record(session: Session, event: str, move: SuspenseMove, person: Person | None, books: Books) -> None:
    source = f"unplaced:{move.unplaced_id}" if move.unplaced_id else f"loan:{move.loan_id}"
    facts = {"source": source, "amount_minor": move.amount_minor, "currency": move.currency}
    audit.record(
        session,
        actor=audit.Actor("staff", person.staff_ref) if person else audit.SYSTEM,
        event=event,
        subject_kind="suspense_move",
        subject_ref=move.reference,
        now=books.now,
        facts=facts,
    )
