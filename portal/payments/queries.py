"""What pages read of payments: what can be paid, one payment with how it was placed, and the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from portal.accounts.models import Loan
from portal.money import Money
from portal.payments.models import Payment, SuspenseMove, UnplacedMoney
from portal.payments.operations import Attempt, attempt_of
from portal.plans.models import Plan, PlanInstalment, PlanLoan, PlanReceipt
from portal.plans.outlook import OpenInstalment
from portal.schedules.extra import ExtraChoice

_PAYMENT: Any = Payment.__table__
_LOAN: Any = Loan.__table__
_PLAN: Any = Plan.__table__


@dataclass(frozen=True)
class StepView:
    """One step of a placement: `amount` went to `component`, of which `left` remained."""

    component: str
    due: bool
    amount: Money
    left: Money


@dataclass(frozen=True)
class PlacedView:
    """How a payment was placed on one loan: rule, its source, the steps, and what was left after it."""

    loan_ref: str
    product_class: str
    days_overdue: int
    rule: str
    source: str
    amount: Money
    suspense: Money
    left_after: Money
    steps: tuple[StepView, ...]


@dataclass(frozen=True)
class CountedView:
    """An instalment of a plan and what of it a payment paid."""

    number: int
    due_on: date
    amount: Money


@dataclass(frozen=True)
class PaymentView:
    """One payment of a borrower. `set_aside`: money came that did not fit and the bank is looking at it;
    `asked`: what was asked for, where other money came and was placed; `by_helper`: somebody else paid."""

    payment_id: int
    reference: str
    amount: Money
    method: str
    state: str
    created_at: datetime
    succeeded_at: datetime | None
    posted_at: datetime | None
    expires_at: datetime
    checkout_url: str | None
    decline: str
    loan_ref: str | None
    plan_reference: str | None
    placed: tuple[PlacedView, ...]
    set_aside: Money | None
    #: what more than the instalment went to, where it counted for a plan
    extra_choice: ExtraChoice | None
    #: the instalments of the plan that it met
    counted: tuple[CountedView, ...] = ()
    #: taken with the way to pay that the borrower lets the bank keep
    by_saved: bool = False
    asked: Money | None = None
    by_helper: bool = False

    @property
    def counted_total(self) -> Money:
        """What of it counted for a plan."""
        return Money.sum((part.amount for part in self.counted), self.amount.currency)

    def went_beyond(self, day: date) -> bool:
        """Whether, paid on `day`, it met more than what was due and the next instalment."""
        return any(part.due_on > day for part in self.counted[1:])


@dataclass(frozen=True)
class InstalmentDue:
    """The next instalment of the plan in force: what of it is still to pay, and what the plan has left."""

    plan_id: int
    plan_reference: str
    number: int
    due_on: date
    amount: Money
    plan_left: Money
    loan_refs: tuple[str, ...]
    #: every instalment with something left, this one first
    open: tuple[OpenInstalment, ...]
    #: what more than an instalment goes to, as chosen the last time
    extra_choice: ExtraChoice


_PAYMENTS = (
    select(_PAYMENT, _LOAN.c.loan_ref, _PLAN.c.reference.label("plan_reference"))
    .outerjoin(_LOAN, _LOAN.c.id == _PAYMENT.c.loan_id)
    .outerjoin(_PLAN, _PLAN.c.id == _PAYMENT.c.plan_id)
    .where(_PAYMENT.c.borrower_id == bindparam("borrower_id"))
)


#: Unplaced money that was placed or given back.
SETTLED = select(SuspenseMove.unplaced_id).where(
    SuspenseMove.unplaced_id.is_not(None), SuspenseMove.kind != "keep", SuspenseMove.state == "done"
)


def payment_for(connection: Connection, borrower_id: int, reference: str) -> PaymentView | None:
    """The borrower's payment of that reference; somebody else's is nothing."""
    row = connection.execute(
        _PAYMENTS.where(_PAYMENT.c.reference == reference), {"borrower_id": borrower_id}
    ).one_or_none()
    if row is None:
        return None
    aside = connection.execute(
        select(UnplacedMoney.amount_minor, UnplacedMoney.currency).where(
            UnplacedMoney.payment_id == row.id, UnplacedMoney.id.not_in(SETTLED)
        )
    ).first()
    view = _view(dict(row._mapping), Money(aside[0], aside[1]) if aside and _known(aside[1]) else None)
    return replace(view, counted=_counted(connection, row.id, row.currency), by_saved="saved" in row.offered)


def _counted(connection: Connection, payment_id: int, currency: str) -> tuple[CountedView, ...]:
    amount = func.sum(PlanReceipt.amount_minor)
    rows = connection.execute(
        select(PlanInstalment.number, PlanInstalment.due_on, amount.label("minor"))
        .join(
            PlanReceipt,
            (PlanReceipt.plan_id == PlanInstalment.plan_id) & (PlanReceipt.number == PlanInstalment.number),
        )
        .where(PlanReceipt.payment_id == payment_id)
        .group_by(PlanInstalment.number, PlanInstalment.due_on)
        .having(amount > 0)
        .order_by(PlanInstalment.number)
    )
    return tuple(CountedView(row.number, row.due_on, Money(int(row.minor), currency)) for row in rows)


def payments_for(connection: Connection, borrower_id: int, *, limit: int = 50) -> tuple[PaymentView, ...]:
    """The borrower's payments, newest first."""
    statement = _PAYMENTS.order_by(_PAYMENT.c.id.desc()).limit(limit)
    rows = connection.execute(statement, {"borrower_id": borrower_id})
    return tuple(_view(dict(row._mapping), None) for row in rows)


def attempt_for(connection: Connection, borrower_id: int, reference: str) -> Attempt | None:
    """The borrower's payment as the provider's calls need it."""
    row = connection.execute(
        select(_PAYMENT).where(_PAYMENT.c.borrower_id == borrower_id, _PAYMENT.c.reference == reference)
    ).one_or_none()
    return None if row is None else attempt_of(row, repeated=True)


def next_instalment_for(connection: Connection, borrower_id: int) -> InstalmentDue | None:
    """The oldest instalment of the plan in force that is not fully paid; nothing without a plan."""
    plan = connection.execute(
        select(Plan.id, Plan.reference, Plan.currency, Plan.extra_choice)
        .where(Plan.borrower_id == borrower_id, Plan.ended_at.is_(None))
        .order_by(Plan.id.desc())  # the plan that the plan page shows
        .limit(1)
    ).one_or_none()
    if plan is None:
        return None
    paid = (
        select(PlanReceipt.number, func.sum(PlanReceipt.amount_minor).label("paid"))
        .where(PlanReceipt.plan_id == plan.id)
        .group_by(PlanReceipt.number)
        .subquery()
    )
    still = PlanInstalment.amount_minor - func.coalesce(paid.c.paid, 0)
    rows = connection.execute(
        select(PlanInstalment.number, PlanInstalment.due_on, still.label("still"))
        .outerjoin(paid, paid.c.number == PlanInstalment.number)
        .where(PlanInstalment.plan_id == plan.id, still > 0)
        .order_by(PlanInstalment.number)
    ).all()
    if not rows:
        return None
    return InstalmentDue(
        plan_id=plan.id,
        plan_reference=plan.reference,
        number=rows[0].number,
        due_on=rows[0].due_on,
        amount=Money(int(rows[0].still), plan.currency),
        plan_left=Money.sum((Money(int(row.still), plan.currency) for row in rows), plan.currency),
        loan_refs=tuple(
            connection.scalars(
                select(Loan.loan_ref)
                .join(PlanLoan, PlanLoan.loan_id == Loan.id)
                .where(PlanLoan.plan_id == plan.id)
                .order_by(Loan.loan_ref)
            )
        ),
        open=tuple(
            OpenInstalment(row.number, row.due_on, Money(int(row.still), plan.currency)) for row in rows
        ),
        extra_choice=ExtraChoice(plan.extra_choice),
    )


def _known(currency: str) -> bool:
    try:
        Money.zero(currency)
    except ValueError:
        return False
    return True


def _view(row: Mapping[str, Any], set_aside: Money | None) -> PaymentView:
    currency = row["currency"]
    placed = (row["allocation"] or {}).get("loans", ())
    names = ("reference", "method", "state", "created_at", "succeeded_at", "posted_at", "expires_at")
    more = ("checkout_url", "decline", "loan_ref", "plan_reference")
    return PaymentView(
        payment_id=row["id"],
        amount=Money(row["amount_minor"], currency),
        placed=tuple(_placed(one, currency) for one in placed),
        set_aside=set_aside,
        asked=Money(row["asked_minor"], currency) if row["asked_minor"] else None,
        by_helper=row["pay_link_id"] is not None,
        extra_choice=ExtraChoice(row["extra_choice"]) if row["extra_choice"] else None,
        **{name: row[name] for name in (*names, *more)},
    )


def _placed(one: Mapping[str, Any], currency: str) -> PlacedView:
    return PlacedView(
        loan_ref=one["loan_ref"],
        product_class=one["product_class"],
        days_overdue=one["days_overdue"],
        rule=one["rule"],
        source=one["source"],
        amount=Money(one["amount_minor"], currency),
        suspense=Money(one["suspense_minor"], currency),
        left_after=Money(one["left_after_minor"], currency),
        steps=tuple(
            StepView(
                step["component"],
                step["due"],
                Money(step["amount_minor"], currency),
                Money(step["left_minor"], currency),
            )
            for step in one["steps"]
        ),
    )
