"""What a borrower may change of a plan in force without anybody's decision, and what comes of it. Pure.

Amounts stay as agreed; only days move, later and never sooner, so no interest enters the plan: what runs on the
loan meanwhile is as the terms say (frozen, or the core's). The rules are the bank's, and end where the law's
longest plan does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from portal.dates import WorkingDays, add_months
from portal.money import Money
from portal.plans.policy import LATEST_PAY_DAY
from portal.plans.progress import InstalmentView, PlanView
from portal.plans.revisions import ChangeKind, Revision
from portal.plans.rules import Policy
from portal.plans.terms import Instalment
from portal.schedules import changes as schedules
from portal.schedules.days import MONTHLY_KINDS, period_after
from portal.schedules.making import make_of
from portal.schedules.request import Keep, Method, ScheduleRequest
from portal.schedules.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for; `pay_day` (1 to 28) only with another pay day."""

    kind: ChangeKind
    pay_day: int | None = None


class Refusal(StrEnum):
    """Why a change cannot be made here; worded, with what to do instead, at the edge."""

    NOT_IN_FORCE = "not_in_force"
    #: something that is due by today is not paid
    OPEN_NOW = "open_now"
    #: the upfront payment comes first
    FIRST_PAYMENT = "first_payment"
    NEVER = "never"
    USED_UP = "used_up"
    NOT_MONTHLY = "not_monthly"
    UNKNOWN_DAY = "unknown_day"
    SAME_DAY = "same_day"
    #: the next pay day would be later by more days than the bank allows
    TOO_FAR = "too_far"
    #: the last instalment would fall behind the last day a plan may run to
    TOO_LONG = "too_long"


class UnableToChange(Exception):
    """The change is not one the rules allow. `limit` is the rule's own figure where it has one."""

    def __init__(self, refusal: Refusal, limit: int | date | None = None) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Moved:
    """One open instalment before and after."""

    number: int
    left: Money
    before: date
    after: date


@dataclass(frozen=True, slots=True)
class Changed:
    """A change as it would come out: the new schedule, and the open instalments that move."""

    revision: Revision
    moved: tuple[Moved, ...]

    @property
    def next_days(self) -> int:
        """By how many days the next instalment is later."""
        return (self.moved[0].after - self.moved[0].before).days


def times_of(kind: ChangeKind, policy: Policy) -> int:
    """How often the bank allows a change of this kind in one plan."""
    return policy.skips if kind is ChangeKind.SKIP else policy.pay_day_changes


def times_left(plan: PlanView, kind: ChangeKind, policy: Policy) -> int:
    """How often it may still be made."""
    made = sum(change.revision.kind is kind for change in plan.changes)
    return max(times_of(kind, policy) - made, 0)


def refusal_of(plan: PlanView, kind: ChangeKind, *, policy: Policy, today: date) -> Refusal | None:
    """What stands against any change of this kind today, before a day was chosen; None for nothing."""
    if plan.state != "active" or plan.next_instalment is None:
        return Refusal.NOT_IN_FORCE
    if any(not part.is_paid and part.due_on <= today for part in plan.instalments):
        return Refusal.OPEN_NOW
    if plan.next_instalment.number == 0:
        return Refusal.FIRST_PAYMENT
    if kind is ChangeKind.PAY_DAY and plan.terms.frequency not in MONTHLY_KINDS:
        return Refusal.NOT_MONTHLY
    if not times_of(kind, policy):
        return Refusal.NEVER
    return None if times_left(plan, kind, policy) else Refusal.USED_UP


def changed(
    plan: PlanView, wish: Wish, *, policy: Policy, working_days: WorkingDays, made_on: date, today: date
) -> Changed:
    """The schedule the wish leads to; what was paid, every amount and every number stay.

    `made_on` is the day the plan was made, as the bank's calendar counts it: the longest plan is measured from
    it. Raises UnableToChange.
    """
    against = refusal_of(plan, wish.kind, policy=policy, today=today)
    if against is not None:
        raise UnableToChange(against, times_of(wish.kind, policy) or None)
    moving = _moving(plan)
    after = _days_after(plan, wish, _schedule_of(plan, moving, working_days), policy)
    moved = tuple(
        Moved(part.number, part.left, part.due_on, day)
        for part, day in zip(moving, after, strict=True)
        if not part.is_paid
    )
    _refuse_too_long(moved, policy, made_on)
    day_of = {part.number: day for part, day in zip(moving, after, strict=True)}
    revision = Revision(
        plan=plan.reference,
        currency=plan.currency,
        number=len(plan.changes) + 1,
        kind=wish.kind,
        first_moved=moving[0].number,
        pay_day=wish.pay_day or plan.pay_day,
        terms_hash=plan.terms_hash,
        before_hash=plan.schedule_hash,
        instalments=tuple(
            Instalment(part.number, day_of.get(part.number, part.due_on), part.amount)
            for part in plan.instalments
        ),
    )
    return Changed(revision, moved)


def _moving(plan: PlanView) -> tuple[InstalmentView, ...]:
    """The next instalment and all after it. Those of them that are paid in advance keep their place in the row."""
    assert plan.next_instalment is not None
    return tuple(part for part in plan.instalments if part.number >= plan.next_instalment.number)


def _schedule_of(plan: PlanView, moving: tuple[InstalmentView, ...], working_days: WorkingDays) -> Schedule:
    """What is to come as a schedule of its own, on its pay days before they were moved to open days."""
    first = _nominal(plan, moving)
    request = ScheduleRequest(
        principal=Money.sum((part.amount for part in moving), plan.currency),
        starts_on=first - timedelta(days=1),
        count=len(moving),
        method=Method.INTEREST_FREE,
        frequency=plan.terms.frequency,
        first_due_on=first,
        pay_day=plan.pay_day if plan.terms.frequency in MONTHLY_KINDS else None,
        working_days=working_days,
    )
    return make_of(request, [part.amount.minor for part in moving], Keep.COUNT)


def _nominal(plan: PlanView, moving: tuple[InstalmentView, ...]) -> date:
    """The pay day that the first of these was moved from: days only ever move to later open ones."""
    frequency = plan.terms.frequency
    if frequency not in MONTHLY_KINDS:
        return min(period_after(part.due_on, -count, frequency) for count, part in enumerate(moving))
    due_on = moving[0].due_on
    same_month = add_months(due_on, 0, day=plan.pay_day)
    return same_month if same_month <= due_on else add_months(due_on, -1, day=plan.pay_day)


def _days_after(plan: PlanView, wish: Wish, schedule: Schedule, policy: Policy) -> tuple[date, ...]:
    if wish.kind is ChangeKind.SKIP:
        return tuple(row.due_on for row in schedules.shift(schedule, 0, 1).after.rows)
    if wish.pay_day is None or not 1 <= wish.pay_day <= LATEST_PAY_DAY:
        raise UnableToChange(Refusal.UNKNOWN_DAY, LATEST_PAY_DAY)
    if wish.pay_day == plan.pay_day:
        raise UnableToChange(Refusal.SAME_DAY, plan.pay_day)
    rows = schedules.new_pay_day(schedule, 0, wish.pay_day).after.rows
    # from pay day to pay day: what a closed bank adds is nobody's choice
    if (rows[0].pay_day - schedule.rows[0].pay_day).days > policy.pay_day_moves_days:
        raise UnableToChange(Refusal.TOO_FAR, policy.pay_day_moves_days)
    return tuple(row.due_on for row in rows)


def _refuse_too_long(moved: tuple[Moved, ...], policy: Policy, made_on: date) -> None:
    last = add_months(made_on, 12 * policy.max_years)
    if moved[-1].after > last:
        raise UnableToChange(Refusal.TOO_LONG, last)
