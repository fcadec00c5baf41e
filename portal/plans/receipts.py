"""Money that counts towards a plan: which instalments a payment meets, and when the plan is done.

A payment came by way of the portal, or is a line that the bank's core posted itself: both count alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.contacts.operations import lift_hold
from portal.money import Money
from portal.plans.lifecycle import PLAN, PlanAction, PlanState
from portal.plans.models import Plan, PlanInstalment, PlanLoan, PlanReceipt
from portal.plans.outlook import OpenInstalment, placed
from portal.plans.rounds import PLAN_IN_FORCE
from portal.schedules.extra import ExtraChoice


@dataclass(frozen=True, slots=True)
class Source:
    """Where money that counts came from: a payment of ours, or a ledger line of the core's. One of the two."""

    payment_id: int | None = None
    line_id: int | None = None

    @property
    def its(self) -> ColumnElement[bool]:
        """The receipts of this source."""
        if self.payment_id is not None:
            return PlanReceipt.payment_id == self.payment_id
        return PlanReceipt.line_id == self.line_id

    @property
    def facts(self) -> dict[str, int]:
        """For the record."""
        return {"payment": self.payment_id} if self.payment_id is not None else {"line": self.line_id or 0}


def spread(minor: int, due: Sequence[tuple[int, int]], paid: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """(number, minor units) of each instalment that `minor` meets, in order; the rest meets none.

    >>> list(spread(150, [(1, 100), (2, 100)], {1: 20}))
    [(1, 80), (2, 70)]
    """
    for number, amount in due:
        taken = min(minor, amount - paid.get(number, 0))
        if taken > 0:
            minor -= taken
            yield number, taken


def extra_choice_of(session: Session, plan_id: int) -> ExtraChoice:
    """What more than an instalment of the plan goes to, where a payment does not say."""
    return ExtraChoice(session.execute(select(Plan.extra_choice).where(Plan.id == plan_id)).scalar_one())


def apply_receipt(
    session: Session,
    *,
    plan_id: int,
    payment_id: int,
    amount: Money,
    now: datetime,
    today: date | None = None,
    choice: ExtraChoice | None = None,
) -> Money:
    """Count a payment towards the plan's instalments; returns what was counted.

    What is due by `today`, and the next instalment, is met first and in order; `choice` says what the rest
    meets, and is the plan's own from then on. Without one the plan's holds; without a day nothing is due.

    The same payment again counts nothing more and gives the first answer. What exceeds the plan is not
    counted. With the last instalment paid the plan is completed and its stop of collection ends.
    """
    return _apply(session, plan_id, Source(payment_id=payment_id), amount, now, today, choice)


def apply_posting(
    session: Session, *, plan_id: int, line_id: int, amount: Money, now: datetime, today: date
) -> Money:
    """Count a line that the core posted itself, as `apply_receipt`; `today` is the day it was posted."""
    return _apply(session, plan_id, Source(line_id=line_id), amount, now, today, None)


def _apply(
    session: Session,
    plan_id: int,
    source: Source,
    amount: Money,
    now: datetime,
    today: date | None,
    choice: ExtraChoice | None,
) -> Money:
    plan = session.execute(
        select(Plan.state, Plan.currency, Plan.reference, Plan.extra_choice)
        .where(Plan.id == plan_id)
        .with_for_update()
    ).one()
    counted = _counted(session, plan_id, source)
    if counted or plan.state != PlanState.ACTIVE:
        return Money(counted, plan.currency)
    amount = Money.zero(plan.currency) + amount
    due = session.execute(
        select(PlanInstalment.number, PlanInstalment.due_on, PlanInstalment.amount_minor)
        .where(PlanInstalment.plan_id == plan_id)
        .order_by(PlanInstalment.number)
    ).all()
    paid = _paid(session, plan_id)
    opened = [
        OpenInstalment(
            row.number, row.due_on, Money(row.amount_minor - paid.get(row.number, 0), plan.currency)
        )
        for row in due
        if row.amount_minor > paid.get(row.number, 0)
    ]
    chosen = choice or ExtraChoice(plan.extra_choice)
    met = placed(opened, amount.minor, chosen, today=today or date.min)
    for number, minor in ((part.number, minor) for part, minor in zip(opened, met, strict=True) if minor):
        session.add(
            PlanReceipt(created_at=now, plan_id=plan_id, number=number, amount_minor=minor, **asdict(source))
        )
        counted += minor
    session.flush()
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="plans.receipt_applied",
        subject_kind="plan",
        subject_ref=plan.reference,
        now=now,
        facts=source.facts | {"counted_minor": counted, "extra": chosen},
    )
    if chosen != plan.extra_choice:
        _remember(session, plan_id, chosen)
    if sum(paid.values()) + counted == sum(row.amount_minor for row in due):
        complete(session, plan_id=plan_id, now=now)
    return Money(counted, plan.currency)


def _remember(session: Session, plan_id: int, choice: ExtraChoice) -> None:
    session.execute(
        update(Plan)
        .where(Plan.id == plan_id)
        .values(extra_choice=choice)
        .execution_options(synchronize_session=False)
    )


def recount(session: Session, *, payment_id: int, net: Money, now: datetime) -> None:
    """Let a payment count for what of it was not taken back, `net`: instalments lose what they had of it,
    the latest first, or get it again where they had it. Each change is rows of its own; none is rewritten.

    A plan that has ended stays ended: what it lacks then is shown, and is due on its loans. One in force
    whose last instalment is paid by this is completed.
    """
    _recount_all(session, Source(payment_id=payment_id), net, now)


def recount_posting(session: Session, *, line_id: int, net: Money, now: datetime) -> None:
    """The same of a line that the core posted itself: it undid it, or it turned out to be a payment of ours."""
    _recount_all(session, Source(line_id=line_id), net, now)


def _recount_all(session: Session, source: Source, net: Money, now: datetime) -> None:
    plans = select(PlanReceipt.plan_id).where(source.its).distinct()
    for plan_id in session.scalars(plans.order_by(PlanReceipt.plan_id)).all():
        _recount(session, plan_id, source, net.minor, now)


def _recount(session: Session, plan_id: int, source: Source, net: int, now: datetime) -> None:
    plan = session.execute(
        select(Plan.state, Plan.reference).where(Plan.id == plan_id).with_for_update()
    ).one()
    due = [
        (number, amount)
        for number, amount in session.execute(
            select(PlanInstalment.number, PlanInstalment.amount_minor)
            .where(PlanInstalment.plan_id == plan_id)
            .order_by(PlanInstalment.number)
        )
    ]
    paid = _paid(session, plan_id)
    room = sum(amount - paid.get(number, 0) for number, amount in due)
    counted = _counted(session, plan_id, source)
    change = min(net, counted + room) - counted
    if change == 0:
        return
    rows = (
        _given_again(session, plan_id, source, change, due, paid)
        if change > 0
        else _taken_off(session, plan_id, source, -change)
    )
    turn = session.scalar(
        select(func.max(PlanReceipt.turn)).where(PlanReceipt.plan_id == plan_id, source.its)
    )
    session.add_all(
        PlanReceipt(
            created_at=now,
            plan_id=plan_id,
            number=number,
            amount_minor=minor,
            turn=(turn or 0) + 1,
            **asdict(source),
        )
        for number, minor in rows
    )
    session.flush()
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="plans.receipt_recounted",
        subject_kind="plan",
        subject_ref=plan.reference,
        now=now,
        facts=source.facts | {"change_minor": change},
    )
    if plan.state == PlanState.ACTIVE and room == change:
        complete(session, plan_id=plan_id, now=now)


def _given_again(
    session: Session,
    plan_id: int,
    source: Source,
    minor: int,
    due: Sequence[tuple[int, int]],
    paid: Mapping[int, int],
) -> Iterator[tuple[int, int]]:
    """(number, minor units) of each instalment that gets something back: first what it had of the payment
    when that was counted, then, where another payment has met it meanwhile, in their order."""
    rows = session.execute(
        select(
            PlanReceipt.number,
            func.sum(case((PlanReceipt.turn == 0, PlanReceipt.amount_minor), else_=0)).label("had"),
            func.sum(PlanReceipt.amount_minor).label("has"),
        )
        .where(PlanReceipt.plan_id == plan_id, source.its)
        .group_by(PlanReceipt.number)
    )
    lost = {number: max(int(had) - int(has), 0) for number, had, has in rows}
    wanted = [(number, min(amount, paid.get(number, 0) + lost.get(number, 0))) for number, amount in due]
    given = dict(spread(minor, wanted, paid))
    after = {number: paid.get(number, 0) + given.get(number, 0) for number, _ in due}
    for number, more in spread(minor - sum(given.values()), due, after):
        given[number] = given.get(number, 0) + more
    yield from sorted(given.items())


def _taken_off(session: Session, plan_id: int, source: Source, minor: int) -> Iterator[tuple[int, int]]:
    """(number, minor units below nought) of each instalment that loses something, the latest first."""
    rows = session.execute(
        select(PlanReceipt.number, func.sum(PlanReceipt.amount_minor))
        .where(PlanReceipt.plan_id == plan_id, source.its)
        .group_by(PlanReceipt.number)
        .order_by(PlanReceipt.number.desc())
    ).all()
    for number, had in rows:
        taken = min(minor, int(had))
        if taken > 0:
            minor -= taken
            yield number, -taken


def _counted(session: Session, plan_id: int, source: Source) -> int:
    found = session.execute(
        select(func.sum(PlanReceipt.amount_minor)).where(PlanReceipt.plan_id == plan_id, source.its)
    ).scalar()
    return int(found or 0)


def _paid(session: Session, plan_id: int) -> dict[int, int]:
    rows = session.execute(
        select(PlanReceipt.number, func.sum(PlanReceipt.amount_minor))
        .where(PlanReceipt.plan_id == plan_id)
        .group_by(PlanReceipt.number)
    )
    return {number: int(minor) for number, minor in rows}


def complete(session: Session, *, plan_id: int, now: datetime) -> None:
    """Every instalment is paid: the plan ends, its loans are free, the stop it placed is lifted."""
    reference = session.execute(
        update(Plan)
        .where(Plan.id == plan_id, Plan.state == PlanState.ACTIVE)
        .values(state=PLAN.after(PlanState.ACTIVE, PlanAction.COMPLETE), ended_at=now)
        .returning(Plan.reference)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    session.execute(
        update(PlanLoan)
        .where(PlanLoan.plan_id == plan_id)
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    lift_hold(session, source=f"plan:{plan_id}", reason=PLAN_IN_FORCE, now=now)
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="plans.plan_completed",
        subject_kind="plan",
        subject_ref=reference,
        now=now,
    )
