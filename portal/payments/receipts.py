"""What the provider says, written down and applied: each event once, in any order, however often it comes.

The event's row and the ledger lines are of one transaction; the event's id is the key (P1). Money that
does not fit what was asked for is kept apart and raises an alarm; it never reaches a loan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import Loan, LoanBalance
from portal.accounts.operations import post_payment, rebalance
from portal.db import upsert
from portal.gateways.stripe import PaymentReport, ProviderEventSeen, Report
from portal.gateways.stripe_reports import (
    NOTHING,
    DisputeReport,
    DisputeWord,
    RefundReport,
    RefundWord,
)
from portal.messages import operations as messages
from portal.money import Money
from portal.payments import saved
from portal.payments.allocation import Debt, Placed, facts_of, place
from portal.payments.books import PROVIDER as PROVIDER
from portal.payments.books import Books as Books
from portal.payments.books import Outcome as Outcome
from portal.payments.books import alarm
from portal.payments.disputes import apply_dispute
from portal.payments.lifecycle import CREDITED_STATES, PAYMENT, PaymentAction, PaymentState
from portal.payments.models import Payment, ProviderEvent, UnplacedMoney
from portal.payments.operations import locked, move
from portal.payments.refunds import apply_refund
from portal.payments.returns import settle
from portal.plans.models import PlanLoan
from portal.plans.operations import apply_receipt
from portal.plans.receipts import extra_choice_of
from portal.schedules.extra import ExtraChoice

#: What a report without money does to the payment's state, where the table has the move.
_ACTIONS = {
    Report.PROCESSING: PaymentAction.PROCESS,
    Report.FAILED: PaymentAction.FAIL,
    Report.EXPIRED: PaymentAction.CANCEL,
}


def receive(session: Session, *, event: ProviderEventSeen, books: Books) -> Outcome:
    """Write a genuine event down and apply it; an event that was here before keeps its first outcome.

    An event of a payment we do not know yet waits for `apply_waiting`.
    """
    table: Any = ProviderEvent.__table__
    told = event.refund or event.dispute
    first = session.execute(
        upsert(table)
        .values(
            event_id=event.event_id,
            kind=event.kind,
            object_id=event.object_id,
            money_id=told.intent_id if told is not None else None,
            facts=_facts(event),
            received_at=books.now,
            applied_at=None,
            outcome=Outcome.WAITING,
        )
        .on_conflict_do_nothing(index_elements=["event_id"])
        .returning(table.c.event_id)
    ).scalar()
    if first is None:
        known = session.scalar(select(ProviderEvent.outcome).where(ProviderEvent.event_id == event.event_id))
        return Outcome(known or Outcome.WAITING)
    return _apply(session, event, books)


def apply_waiting(session: Session, *, books: Books, limit: int = 100) -> int:
    """Try again the events whose payment was not known when they came; how many found it."""
    waiting = session.scalars(
        select(ProviderEvent)
        .where(ProviderEvent.outcome == Outcome.WAITING)
        .order_by(ProviderEvent.received_at, ProviderEvent.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    outcomes = [_apply(session, _event(row), books) for row in waiting]
    return sum(outcome is not Outcome.WAITING for outcome in outcomes)


def set_aside_unknown(session: Session, *, before: datetime, books: Books) -> int:
    """Money for a payment that never turned up since `before`: kept apart, with an alarm."""
    waiting = session.scalars(
        select(ProviderEvent)
        .where(ProviderEvent.outcome == Outcome.WAITING, ProviderEvent.received_at < before)
        .with_for_update(skip_locked=True)
    ).all()
    for row in waiting:
        event = _event(row)
        report, outcome = event.payment, Outcome.NOTED
        if report.report is Report.PAID and report.amount_minor:
            outcome = _set_aside(session, row.event_id, None, report, "unknown_payment", books)
        elif event.refund or event.dispute:
            facts = {"event": row.event_id, "reason": "left_of_unknown_payment"}
            alarm(session, row.object_id, facts, now=books.now)
        _conclude(session, row.event_id, outcome, books)
    return len(waiting)


def _apply(session: Session, event: ProviderEventSeen, books: Books) -> Outcome:
    if event.refund or event.dispute:
        outcome = _money_left(session, event, books)
        waits = outcome is Outcome.WAITING
        return outcome if waits else _conclude(session, event.event_id, outcome, books)
    return _apply_payment(session, event.event_id, event.payment, books)


def _money_left(session: Session, event: ProviderEventSeen, books: Books) -> Outcome:
    if event.refund is not None:
        return apply_refund(session, event.refund, books)
    assert event.dispute is not None
    return apply_dispute(session, event.dispute, books)


def _apply_payment(session: Session, event_id: str, report: PaymentReport, books: Books) -> Outcome:
    if report.report is Report.OPEN or not report.reference:
        return _conclude(session, event_id, Outcome.NOTED, books)
    if report.report is Report.OTHER and not report.method:
        return _conclude(session, event_id, Outcome.NOTED, books)
    payment = locked(session, Payment.reference == report.reference)
    if payment is None:
        return Outcome.WAITING
    payment.asked_at = books.real_now
    if report.report is Report.OTHER:
        outcome = _learn_method(payment, report)
    elif report.report is Report.PAID:
        outcome = _money_came(session, event_id, payment, report, books)
    else:
        outcome = _word_came(session, payment, report, books)
    return _conclude(session, event_id, outcome, books)


def _learn_method(payment: Payment, report: PaymentReport) -> Outcome:
    """A charge tells how it was paid, which decides until when it can be sent back."""
    if not _another_checkout(payment, report):
        payment.paid_with = payment.paid_with or report.method
    return Outcome.NOTED


def _word_came(session: Session, payment: Payment, report: PaymentReport, books: Books) -> Outcome:
    """News without money: it raises the state where it can. A card that was declined leaves the
    checkout open, and the payer may try another there."""
    if _another_checkout(payment, report):
        return Outcome.NOTED
    _learn(payment, report)
    if report.report is Report.DECLINED:
        payment.decline = report.code or "declined"
        return Outcome.NOTED
    action = _ACTIONS[report.report]
    if PAYMENT.allows(PaymentState(payment.state), action):
        move(session, payment, action, now=books.now)
    return Outcome.NOTED


def _money_came(
    session: Session, event_id: str, payment: Payment, report: PaymentReport, books: Books
) -> Outcome:
    reason = _misfit(payment, report)
    if payment.state in CREDITED_STATES and not _another_checkout(payment, report):
        if reason is not None:
            _alarm(session, event_id, payment, report, f"contradicts:{reason}", books)
        return Outcome.NOTED
    if reason is not None:
        outcome = _set_aside(session, event_id, payment, report, reason, books)
        if reason != "paid_twice":
            _succeed(session, payment, books)
        return outcome
    _learn(payment, report)
    if _is_aside(session, report):
        return Outcome.NOTED
    _succeed(session, payment, books)
    credit(session, payment, books)
    saved.keep(session, payment, report, books)
    _apply_what_waited(session, payment, books)
    settle(session, payment, books)
    return Outcome.CREDITED


def _apply_what_waited(session: Session, payment: Payment, books: Books) -> None:
    """Refunds and disputes of this money that were told of before the money was."""
    waiting = session.scalars(
        select(ProviderEvent)
        .where(ProviderEvent.money_id == payment.provider_intent, ProviderEvent.outcome == Outcome.WAITING)
        .order_by(ProviderEvent.received_at, ProviderEvent.event_id)
    ).all()
    for row in waiting:
        _apply(session, _event(row), books)


def _misfit(payment: Payment, report: PaymentReport) -> str | None:
    """Why this money is not what we asked for, or nothing (AC37)."""
    if report.currency != payment.currency:
        return "currency_differs"
    if report.amount_minor != payment.amount_minor:
        return "amount_differs"
    return "paid_twice" if _another_checkout(payment, report) else None


def _another_checkout(payment: Payment, report: PaymentReport) -> bool:
    """Whether the report is about another checkout or payment than ours (P4)."""
    pairs = (
        (payment.provider_session, report.session_id),
        (payment.provider_intent, report.intent_id),
    )
    return any(ours is not None and theirs is not None and ours != theirs for ours, theirs in pairs)


def _learn(payment: Payment, report: PaymentReport) -> None:
    payment.provider_session = payment.provider_session or report.session_id
    payment.provider_intent = payment.provider_intent or report.intent_id
    payment.paid_with = payment.paid_with or report.method


def _succeed(session: Session, payment: Payment, books: Books) -> None:
    if PAYMENT.allows(PaymentState(payment.state), PaymentAction.SUCCEED):
        payment.succeeded_at = books.now
        move(session, payment, PaymentAction.SUCCEED, now=books.now)


def credit(session: Session, payment: Payment, books: Books) -> None:
    """Place the money on the ledger, count it for the plan, and queue the receipt: all or nothing."""
    amount = Money(payment.amount_minor, payment.currency)
    placed = place(amount, debts_of(session, payment, books), pack=books.pack)
    for one in placed:
        _post(session, payment, one, books)
    payment.allocation = facts_of(placed)
    payment.posted_at = books.now
    move(
        session,
        payment,
        PaymentAction.POST,
        now=books.now,
        facts={"rules": [p.allocation.rule for p in placed]},
    )
    plan_id = payment.plan_id or _plan_over(session, payment.loan_id)
    if plan_id is not None:
        payment.extra_choice = payment.extra_choice or extra_choice_of(session, plan_id)
        apply_receipt(
            session,
            plan_id=plan_id,
            payment_id=payment.id,
            amount=amount,
            now=books.now,
            today=books.today,
            choice=ExtraChoice(payment.extra_choice),
        )
    messages.queue(
        session,
        keys=books.keys,
        borrower_id=payment.borrower_id,
        kind="receipt",
        params={"host": books.host, "reference": payment.reference},
        dedupe_key=f"receipt:payment:{payment.id}",
        asked_for=True,
        real_now=books.real_now,
        demonstration=books.demonstration,
    )


def _post(session: Session, payment: Payment, one: Placed, books: Books) -> None:
    post_payment(
        session,
        loan_id=one.debt.loan_id,
        parts=one.allocation.parts,
        suspense_minor=one.allocation.suspense.minor,
        posted_on=books.today,
        payment_id=payment.id,
        line_ref=f"{payment.reference}:{one.debt.loan_id}",
        memo=payment.reference,
        now=books.now,
    )


def debts_of(session: Session, payment: Payment, books: Books) -> Sequence[Debt]:
    """The loans the payment is for, as they stand today, held until the transaction ends."""
    loan_ids = [payment.loan_id] if payment.loan_id is not None else _loans_of_plan(session, payment.plan_id)
    rebalance(session, loan_ids=loan_ids, as_of=books.today, now=books.now)
    rows = session.execute(
        select(Loan, LoanBalance)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Loan.id.in_(loan_ids))
        .order_by(Loan.id)
        .execution_options(populate_existing=True)
    ).all()
    return [_debt(loan, balance) for loan, balance in rows]


def _debt(loan: Loan, balance: LoanBalance) -> Debt:
    return Debt(
        loan_id=loan.id,
        loan_ref=loan.loan_ref,
        product_class=loan.product_class,
        days_overdue=balance.days_overdue,
        annual_rate=loan.annual_rate,
        left={name: balance.left_of(name) for name in COMPONENTS},
        due_principal=balance.principal_due_minor,
    )


def _loans_of_plan(session: Session, plan_id: int | None) -> list[int]:
    return list(session.scalars(select(PlanLoan.loan_id).where(PlanLoan.plan_id == plan_id)))


def _plan_over(session: Session, loan_id: int | None) -> int | None:
    """The plan in force that covers a designated loan: the payment counts for it too."""
    return session.scalar(
        select(PlanLoan.plan_id).where(PlanLoan.loan_id == loan_id, PlanLoan.ended_at.is_(None))
    )


def _money_key(event_id: str, report: PaymentReport) -> str:
    return report.intent_id or report.session_id or event_id


def _is_aside(session: Session, report: PaymentReport) -> bool:
    key = _money_key("", report)
    return session.scalar(select(UnplacedMoney.id).where(UnplacedMoney.money_key == key)) is not None


def _set_aside(
    session: Session,
    event_id: str,
    payment: Payment | None,
    report: PaymentReport,
    reason: str,
    books: Books,
) -> Outcome:
    """Keep money apart, once however many events tell of it, and raise the alarm."""
    table: Any = UnplacedMoney.__table__
    kept = session.execute(
        upsert(table)
        .values(
            created_at=books.now,
            event_id=event_id,
            money_key=_money_key(event_id, report),
            payment_id=payment.id if payment is not None else None,
            amount_minor=report.amount_minor or 0,
            currency=report.currency,
            reason=reason,
        )
        .on_conflict_do_nothing()
        .returning(table.c.id)
    ).scalar()
    if kept is None:
        return Outcome.NOTED
    _alarm(session, event_id, payment, report, reason, books)
    return Outcome.SUSPENSE


def _alarm(
    session: Session,
    event_id: str,
    payment: Payment | None,
    report: PaymentReport,
    reason: str,
    books: Books,
) -> None:
    alarm(
        session,
        payment.id if payment is not None else event_id,
        {
            "event": event_id,
            "reason": reason,
            "amount_minor": report.amount_minor,
            "currency": report.currency,
        },
        now=books.now,
    )


def _conclude(session: Session, event_id: str, outcome: Outcome, books: Books) -> Outcome:
    session.execute(
        update(ProviderEvent)
        .where(ProviderEvent.event_id == event_id)
        .values(outcome=outcome, applied_at=books.now)
        .execution_options(synchronize_session=False)
    )
    return outcome


def _facts(event: ProviderEventSeen) -> dict[str, Any]:
    """What we need of an event, no more: ids, amount, currency, status."""
    if event.refund is not None:
        return {"about": "refund", **asdict(event.refund)}
    if event.dispute is not None:
        return {"about": "dispute", **asdict(event.dispute)}
    return {"about": "payment", **asdict(event.payment)}


def _event(row: ProviderEvent) -> ProviderEventSeen:
    """An event as it was kept."""
    facts = dict(row.facts)
    about = facts.pop("about", "payment")
    payment, refund, dispute = NOTHING, None, None
    if about == "refund":
        refund = RefundReport(**{**facts, "word": RefundWord(facts["word"])})
    elif about == "dispute":
        dispute = DisputeReport(**{**facts, "word": DisputeWord(facts["word"])})
    else:
        payment = PaymentReport(**{**facts, "report": Report(facts["report"])})
    return ProviderEventSeen(row.event_id, row.kind, row.object_id, payment, refund, dispute)
