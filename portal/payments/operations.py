"""Starting, opening and closing a payment: what happens to our row before and around the provider's call.

No call is made here. The row and its key are committed first, then the door calls the provider, then
the answer is written: whatever breaks in between, the same key asks again for the same payment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.accounts.models import Loan, LoanBalance
from portal.db import upsert
from portal.gateways.stripe import LARGEST_MINOR, Checkout
from portal.keys import Keys
from portal.money import Money
from portal.payments.lifecycle import OPEN_STATES, PAYMENT, PaymentAction, PaymentState
from portal.payments.models import Payment, TransferReference
from portal.payments.references import transfer_reference
from portal.plans.models import Plan, PlanInstalment, PlanLoan, PlanReceipt
from portal.schedules.extra import ExtraChoice

#: How long a checkout stays open; the provider allows 30 minutes to 24 hours.
CHECKOUT_MINUTES = 60

_PAYMENTS: Any = Payment.__table__


class UnableToPay(Exception):
    """An attempt that is not begun. `reason`: ``target`` (not the borrower's, or nothing to pay there),
    ``currency``, ``zero``, ``above_left``, ``too_large_online``; `limit` is the most that would do."""

    def __init__(self, reason: str, limit: Money | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


@dataclass(frozen=True)
class Attempt:
    """A payment as the provider's call needs it; `repeated` when the row was there before."""

    payment_id: int
    reference: str
    amount: Money
    state: PaymentState
    idempotency_key: str
    offered: Mapping[str, Any]
    expires_at: datetime
    provider_session: str | None
    checkout_url: str | None
    repeated: bool
    provider_intent: str | None = None


@dataclass(frozen=True)
class Target:
    """What a payment is for: one loan the borrower designates (art. 560), or the plan in force; and the
    link through which somebody else pays it."""

    loan_id: int | None
    plan_id: int | None
    left: Money
    pay_link_id: int | None = None

    @property
    def key(self) -> str:
        """The target as one text: "loan:12" or "plan:3"; two people may each pay the same amount."""
        where = f"loan:{self.loan_id}" if self.loan_id is not None else f"plan:{self.plan_id}"
        return where if self.pay_link_id is None else f"{where}:{self.pay_link_id}"


def create_attempt(
    session: Session,
    *,
    borrower_id: int,
    loan_ref: str | None,
    amount: Money,
    form_key: str,
    offered: Mapping[str, Any],
    now: datetime,
    real_now: datetime,
    extra: ExtraChoice | None = None,
    pay_link_id: int | None = None,
) -> Attempt:
    """Begin a payment of `amount` to a loan of the borrower, or with no `loan_ref` to the plan in force.

    The limits are worked out here, not taken from the form: above zero, at most what is left. The same
    `form_key`, or the same target and amount while one is open, gives the attempt that is there (AC38), with
    the newer choice of what `extra` money of a plan goes to. Raises UnableToPay.
    """
    first = _found(session, borrower_id, Payment.form_key == form_key)
    if first is not None:
        return first
    found = target_for(session, borrower_id=borrower_id, loan_ref=loan_ref)
    target = replace(found, pay_link_id=pay_link_id)
    _refuse(amount, target.left)
    payment_id = _insert(session, borrower_id, target, amount, form_key, offered, now, real_now)
    if payment_id is None:
        open_one = (Payment.target == target.key) & (Payment.amount_minor == amount.minor)
        again = _found(session, borrower_id, Payment.form_key == form_key) or _found(
            session, borrower_id, open_one & Payment.state.in_(OPEN_STATES)
        )
        if again is None:
            raise UnableToPay("target")
        _choose_extra(session, again.payment_id, extra)
        return again
    _choose_extra(session, payment_id, extra)
    _record(session, "payment.created", payment_id, now, {"target": target.key, "amount_minor": amount.minor})
    made = _found(session, borrower_id, Payment.id == payment_id, repeated=False)
    assert made is not None
    return made


def _choose_extra(session: Session, payment_id: int, extra: ExtraChoice | None) -> None:
    """Note what more than the instalment goes to, as long as the money has not come."""
    if extra is not None:
        waiting = (Payment.id == payment_id) & Payment.state.in_(OPEN_STATES)
        session.execute(
            update(Payment)
            .where(waiting)
            .values(extra_choice=extra)
            .execution_options(synchronize_session=False)
        )


def target_for(session: Session, *, borrower_id: int, loan_ref: str | None) -> Target:
    """The borrower's loan, or the plan in force, with what is left to pay there. Raises UnableToPay."""
    found = _loan_target(session, borrower_id, loan_ref) if loan_ref else _plan_target(session, borrower_id)
    if found is None or not found.left:
        raise UnableToPay("target")
    return found


def opened(
    session: Session, *, payment_id: int, checkout: Checkout, real_now: datetime, now: datetime
) -> None:
    """Keep where the payer goes. A second answer to the same key changes nothing."""
    values = {
        "provider_session": checkout.session_id,
        "checkout_url": checkout.url,
        "asked_at": real_now,
    } | ({"provider_intent": checkout.intent_id} if checkout.intent_id else {})
    statement = update(Payment).where(Payment.id == payment_id, Payment.provider_session.is_(None))
    if session.execute(statement.values(**values).returning(Payment.id)).scalar() is not None:
        _record(session, "payment.opened", payment_id, now, {"session": checkout.session_id})


def closed(session: Session, *, payment_id: int, action: PaymentAction, code: str, now: datetime) -> bool:
    """Fail or cancel an attempt of which the provider says that no money moves; False when the
    attempt has gone further meanwhile (a late word never lowers a state)."""
    payment = locked(session, Payment.id == payment_id)
    if payment is None or not PAYMENT.allows(PaymentState(payment.state), action):
        return False
    move(session, payment, action, now=now, facts={"code": code})
    return True


def locked(session: Session, condition: Any) -> Payment | None:
    """The payment, held until the transaction ends, as the database has it now."""
    statement = select(Payment).where(condition).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def move(
    session: Session,
    payment: Payment,
    action: PaymentAction,
    *,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Take a locked payment one step on and record it. Raises NotAllowed."""
    payment.state = PAYMENT.after(PaymentState(payment.state), action)
    session.flush()
    _record(session, f"payment.{payment.state}", payment.id, now, facts or {})


def ensure_references(session: Session, *, keys: Keys, now: datetime, limit: int = 1000) -> int:
    """Write down the transfer reference of up to `limit` loans that have none, so that incoming
    transfers find them; how many were written.

    Loans come from one intake at a time and references are written in the order of the loans, so that
    every loan without one lies behind the last that has one.
    """
    done = session.scalar(select(func.max(TransferReference.loan_id))) or 0
    missing = select(Loan.id, Loan.loan_ref).where(Loan.id > done).order_by(Loan.id).limit(limit)
    rows = [
        {"created_at": now, "loan_id": loan_id, "reference": transfer_reference(keys, loan_ref)}
        for loan_id, loan_ref in session.execute(missing)
    ]
    if rows:
        table: Any = TransferReference.__table__
        session.execute(upsert(table).on_conflict_do_nothing(), rows)
    return len(rows)


def _loan_target(session: Session, borrower_id: int, loan_ref: str) -> Target | None:
    loan = session.execute(
        select(Loan.id, Loan.currency).where(Loan.borrower_id == borrower_id, Loan.loan_ref == loan_ref)
    ).one_or_none()
    if loan is None:
        return None
    return Target(loan.id, None, _left_on(session, [loan.id], loan.currency))


def _plan_target(session: Session, borrower_id: int) -> Target | None:
    plan = session.execute(
        select(Plan.id, Plan.currency)
        .where(Plan.borrower_id == borrower_id, Plan.ended_at.is_(None))
        .order_by(Plan.id.desc())  # the plan that the plan page shows
        .limit(1)
    ).one_or_none()
    if plan is None:
        return None
    loans = session.scalars(select(PlanLoan.loan_id).where(PlanLoan.plan_id == plan.id)).all()
    agreed, paid = (
        session.scalar(select(func.coalesce(func.sum(table.amount_minor), 0)).where(table.plan_id == plan.id))
        for table in (PlanInstalment, PlanReceipt)
    )
    on_plan = Money(int(agreed or 0) - int(paid or 0), plan.currency)
    return Target(None, plan.id, min(on_plan, _left_on(session, loans, plan.currency)))


def _left_on(session: Session, loan_ids: Sequence[int], currency: str) -> Money:
    rows = session.execute(select(LoanBalance.left_minor).where(LoanBalance.loan_id.in_(loan_ids)))
    return Money.sum((Money(int(row[0]), currency) for row in rows), currency)


def _refuse(amount: Money, left: Money) -> None:
    if amount.currency != left.currency:
        raise UnableToPay("currency")
    if amount.minor <= 0:
        raise UnableToPay("zero")
    if amount > left:
        raise UnableToPay("above_left", left)
    if amount.minor > LARGEST_MINOR:
        raise UnableToPay("too_large_online", Money(LARGEST_MINOR, amount.currency))


def _insert(
    session: Session,
    borrower_id: int,
    target: Target,
    amount: Money,
    form_key: str,
    offered: Mapping[str, Any],
    now: datetime,
    real_now: datetime,
) -> int | None:
    """The new row's id, or nothing when a unique index says that it is there already."""
    reference = new_reference("P")
    values = {
        "created_at": now,
        "reference": reference,
        "borrower_id": borrower_id,
        "loan_id": target.loan_id,
        "plan_id": target.plan_id,
        "target": target.key,
        "pay_link_id": target.pay_link_id,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "method": "stripe",
        "state": PAYMENT.initial,
        "form_key": form_key,
        "idempotency_key": f"checkout-{reference}",
        "offered": dict(offered),
        "expires_at": real_now.replace(microsecond=0) + timedelta(minutes=CHECKOUT_MINUTES),
        "asked_at": real_now,
    }
    statement = upsert(_PAYMENTS).values(**values).on_conflict_do_nothing()
    found: int | None = session.execute(statement.returning(_PAYMENTS.c.id)).scalar()
    return found


def _found(session: Session, borrower_id: int, condition: Any, *, repeated: bool = True) -> Attempt | None:
    row = session.execute(
        select(_PAYMENTS)
        .where(Payment.borrower_id == borrower_id, condition)
        .order_by(Payment.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else attempt_of(row, repeated=repeated)


def attempt_of(row: Row[Any], *, repeated: bool) -> Attempt:
    """An attempt from a row of the payment table."""
    return Attempt(
        payment_id=row.id,
        reference=row.reference,
        amount=Money(row.amount_minor, row.currency),
        state=PaymentState(row.state),
        idempotency_key=row.idempotency_key,
        offered=row.offered,
        expires_at=row.expires_at,
        provider_session=row.provider_session,
        checkout_url=row.checkout_url,
        repeated=repeated,
        provider_intent=row.provider_intent,
    )


def _record(session: Session, event: str, payment_id: int, now: datetime, facts: Mapping[str, Any]) -> None:
    audit.record(
        session,
        actor=audit.SYSTEM,
        event=event,
        subject_kind="payment",
        subject_ref=payment_id,
        now=now,
        facts=facts,
    )
