"""Placing money that had no place: as a payment that is credited, or from a loan's suspense to what is left.

The order of the law is the same as for any payment, and the steps are stored the same way.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session, aliased

from portal.access.codes import new_reference
from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import post_refund, post_transfer, taken_of
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import UnableToPost, rebalance
from portal.money import Money
from portal.payments.allocation import Allocation, Debt, Placed, allocate, facts_of
from portal.payments.lifecycle import PaymentState
from portal.payments.models import IncomingTransfer, Payment, ProviderEvent, SuspenseMove, UnplacedMoney
from portal.payments.operations import locked
from portal.payments.receipts import Books, credit


class UnableToMove(Exception):
    """A move that is not made. `reason`: ``gone`` (no such money), ``taken`` (somebody was faster),
    ``amount`` (more than is there, or nothing), ``target`` (no such loan or plan of that person),
    ``currency``, ``no_room`` (less is left there), ``note`` (missing), ``card_number`` (one in the note),
    ``same_person`` (the second person is the first), ``state`` (decided meanwhile), ``online`` (it came
    online: it goes back from its payment's page), ``disputed`` (the payer's bank took it back)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def place_unplaced(session: Session, move: SuspenseMove, books: Books) -> None:
    """Credit the money as the payment it is: the one that asked for another amount, or one of its own."""
    unplaced = session.get_one(UnplacedMoney, move.unplaced_id)
    asked = locked(session, Payment.id == unplaced.payment_id) if unplaced.payment_id else None
    fits = (
        asked is not None
        and asked.state == PaymentState.SUCCEEDED
        and asked.currency == move.currency
        and unplaced.reason == "amount_differs"
    )
    payment = asked if fits and asked is not None else _new_payment(session, move, unplaced, asked, books)
    if payment is asked:
        payment.asked_minor, payment.amount_minor = payment.amount_minor, move.amount_minor
        payment.provider_intent = payment.provider_intent or intent_in(session, unplaced.id) or None
    payment.loan_id, payment.plan_id = move.to_loan_id, move.to_plan_id
    payment.target = f"loan:{move.to_loan_id}" if move.to_loan_id else f"plan:{move.to_plan_id}"
    session.flush()
    # a transfer is known by its payment from now on: when the core posts it, and when it goes back
    session.execute(
        update(IncomingTransfer)
        .where(IncomingTransfer.unplaced_id == unplaced.id)
        .values(payment_id=payment.id, outcome="placed")
    )
    credit(session, payment, books)
    move.payment_id, move.outcome = payment.id, payment.allocation


def _new_payment(
    session: Session, move: SuspenseMove, unplaced: UnplacedMoney, asked: Payment | None, books: Books
) -> Payment:
    """A payment for money that none was begun for: it has arrived, so it begins as succeeded."""
    intent = intent_in(session, unplaced.id)
    taken = intent and session.scalar(select(Payment.id).where(Payment.provider_intent == intent))
    borrower_id = asked.borrower_id if asked else None
    if borrower_id is None:
        borrower_id = session.scalars(select(Loan.borrower_id).where(Loan.id == move.to_loan_id)).one()
    payment = Payment(
        created_at=books.now,
        reference=new_reference("P"),
        borrower_id=borrower_id,
        loan_id=move.to_loan_id,
        plan_id=move.to_plan_id,
        target=f"loan:{move.to_loan_id}" if move.to_loan_id else f"plan:{move.to_plan_id}",
        amount_minor=move.amount_minor,
        currency=move.currency,
        method=unplaced.method,
        state=PaymentState.SUCCEEDED,
        form_key=f"suspense-{move.reference}",
        idempotency_key=f"suspense-{move.reference}",
        provider_intent=None if taken else intent or None,
        offered={},
        expires_at=books.real_now + timedelta(minutes=1),
        asked_at=books.real_now,
        succeeded_at=unplaced.created_at,
        pay_link_id=asked.pay_link_id if asked else None,
    )
    session.add(payment)
    session.flush()
    return payment


def intent_in(connection: Connection | Session, unplaced_id: int) -> str:
    """The provider's payment behind unplaced money, "" for none."""
    row = connection.execute(
        select(UnplacedMoney.method, UnplacedMoney.money_key, UnplacedMoney.event_id, ProviderEvent.facts)
        .outerjoin(ProviderEvent, ProviderEvent.event_id == UnplacedMoney.event_id)
        .where(UnplacedMoney.id == unplaced_id)
    ).one()
    if row.event_id is not None:
        return str(row.facts.get("intent_id") or "")
    return str(row.money_key) if row.method == "stripe" else ""


def place_suspense(session: Session, move: SuspenseMove, books: Books) -> None:
    """Move what was overpaid to what a loan still has left, in the order of the law, with the steps stored."""
    assert move.loan_id is not None
    assert move.to_loan_id is not None
    allocation, debt = _allocation(session, move, books)
    if allocation.suspense:
        raise UnableToMove("no_room")
    try:
        post_transfer(
            session,
            from_loan_id=move.loan_id,
            to_loan_id=move.to_loan_id,
            take={"suspense": move.amount_minor},
            give=allocation.parts,
            posted_on=books.today,
            line_ref=move.reference,
            memo=move.reference,
            now=books.now,
        )
    except UnableToPost as error:
        raise UnableToMove("no_room" if error.reason == "overpaid" else "amount") from error
    move.outcome = _outcome(allocation, debt)


def _allocation(session: Session, move: SuspenseMove, books: Books) -> tuple[Allocation, Debt]:
    rebalance(session, loan_ids={move.loan_id or 0, move.to_loan_id or 0}, as_of=books.today, now=books.now)
    loan, balance = session.execute(
        select(Loan, LoanBalance)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Loan.id == move.to_loan_id)
        .execution_options(populate_existing=True)
    ).one()
    left = {name: balance.left_of(name) for name in COMPONENTS}
    debt = Debt(
        loan.id,
        loan.loan_ref,
        loan.product_class,
        balance.days_overdue,
        loan.annual_rate,
        left,
        balance.principal_due_minor,
    )
    placed = allocate(
        Money(move.amount_minor, move.currency),
        left,
        debt.due_principal,
        product_class=debt.product_class,
        days_overdue=debt.days_overdue,
        pack=books.pack,
    )
    return placed, debt


def _outcome(allocation: Allocation, debt: Debt) -> dict[str, Any]:
    return facts_of((Placed(debt, allocation),))


def return_by_hand(session: Session, move: SuspenseMove, books: Books) -> None:
    """Book that the bank paid overpaid money back with a transfer of its own: taken from the latest payments
    that did not come online, and from suspense. Raises UnableToMove (``online``)."""
    assert move.loan_id is not None
    rest, refunds = move.amount_minor, []
    for line in _payment_lines(session, move.loan_id):
        parts = _still_of(session, line, rest)
        if parts:
            refunds.append((line.id, parts))
            rest -= sum(parts.values())
    if rest:
        raise UnableToMove("online")
    for number, (line_id, parts) in enumerate(refunds):
        _refund_line(session, move, line_id, parts, f"{move.reference}-{number}", books)
    move.outcome = {"by_hand": True}


def _refund_line(
    session: Session, move: SuspenseMove, line_id: int, parts: dict[str, int], line_ref: str, books: Books
) -> None:
    """Take the money off its payment; where the overpaid part had been moved to suspense, it takes its place."""
    said: dict[str, Any] = {"posted_on": books.today, "memo": move.reference, "now": books.now}
    of_parts = {name: minor for name, minor in parts.items() if name != "suspense"}
    try:
        post_refund(
            session,
            line_id=line_id,
            parts=of_parts,
            suspense_minor=parts.get("suspense", 0),
            line_ref=line_ref,
            **said,
        )
        if of_parts:
            loan_id = move.loan_id or 0
            take = {"suspense": sum(of_parts.values())}
            post_transfer(
                session,
                from_loan_id=loan_id,
                to_loan_id=loan_id,
                take=take,
                give=of_parts,
                line_ref=f"{line_ref}-t",
                **said,
            )
    except UnableToPost as error:
        raise UnableToMove("amount") from error


def _payment_lines(session: Session, loan_id: int) -> list[LedgerLine]:
    """The loan's payments that did not come online, the latest first; undone ones are left out."""
    undoing = aliased(LedgerLine)
    statement = (
        select(LedgerLine)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .outerjoin(
            Payment, or_(Payment.id == LedgerLine.payment_id, Payment.reference == LedgerLine.external_ref)
        )
        .where(
            LedgerLine.loan_id == loan_id,
            LedgerLine.kind == "payment",
            undoing.id.is_(None),
            or_(Payment.id.is_(None), Payment.method != "stripe"),
        )
        .order_by(LedgerLine.posted_on.desc(), LedgerLine.id.desc())
    )
    return list(session.scalars(statement))


def _still_of(session: Session, line: LedgerLine, most: int) -> dict[str, int]:
    """What of a payment line is there to give back, suspense first, at most `most`."""
    taken = taken_of(session, line.id)
    parts: dict[str, int] = {}
    for name in ("suspense", "principal", "interest", "penalty_interest", "fee", "cost"):
        there = min(most, -getattr(line, f"{name}_minor") - taken[name])
        if there > 0:
            parts[name] = there
            most -= there
    return parts
