"""Changes of a running schedule: each gives the new schedule and the difference, and leaves what was paid. Pure.

A change begins where the last of `settled` instalments ended (at the start when there is none): on its due day,
with the balance after it. What happens to money between two due days is the interest engine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest

from portal.money import Money
from portal.schedules.days import first_pay_day, period_after
from portal.schedules.making import make, make_of
from portal.schedules.parts import Step
from portal.schedules.request import Grace, GraceInterest, Keep, Method, ScheduleRequest
from portal.schedules.schedule import Row, Schedule


class ChangeKind(StrEnum):
    """What was changed; stable codes, worded at the edge."""

    SHIFTED = "shifted"
    EXTENDED = "extended"
    NEW_RATE = "new_rate"
    HOLIDAY = "holiday"
    RE_AGED = "re_aged"
    RE_AMORTISED = "re_amortised"
    NEW_PAY_DAY = "new_pay_day"
    EXTRA_PAID = "extra_paid"


@dataclass(frozen=True, slots=True)
class Difference:
    """One instalment, old and new; None where it is new, or gone."""

    number: int
    before: Row | None
    after: Row | None

    @property
    def amount_minor(self) -> int:
        """By how much what is paid changes."""
        before = self.before.amount_minor if self.before else 0
        return (self.after.amount_minor if self.after else 0) - before

    @property
    def days(self) -> int:
        """By how many days it moves; nought where it is new or gone."""
        return (self.after.due_on - self.before.due_on).days if self.before and self.after else 0


@dataclass(frozen=True, slots=True)
class Change:
    """A schedule before and after."""

    kind: ChangeKind
    before: Schedule
    after: Schedule

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The instalments that are not as they were, in order."""
        pairs = enumerate(zip_longest(self.before.rows, self.after.rows), start=1)
        return tuple(Difference(number, old, new) for number, (old, new) in pairs if not _alike(old, new))

    @property
    def interest(self) -> Money:
        """By how much all interest changes; below nought where it is saved."""
        return self.after.interest - self.before.interest

    @property
    def count(self) -> int:
        """By how many instalments it grows; below nought where it is over sooner."""
        return self.after.count - self.before.count


def _alike(old: Row | None, new: Row | None) -> bool:
    if old is None or new is None:
        return False
    return (old.due_on, old[2:5]) == (new.due_on, new[2:5])


def re_amortise(schedule: Schedule, settled: int, *, keep: Keep = Keep.COUNT) -> Change:
    """What is left is made level again: over as many instalments, or with the amounts there were.

    Rounds and raises as `make`; ValueError when `settled` is not within the schedule.
    """
    return _changed(ChangeKind.RE_AMORTISED, schedule, settled, rest_of(schedule, settled), keep)


def new_rate(schedule: Schedule, settled: int, annual_rate: Decimal, *, keep: Keep = Keep.COUNT) -> Change:
    """What is left bears another yearly rate from then on. Rounds and raises as `make`."""
    rest = rest_of(schedule, settled)
    if annual_rate and rest.method is Method.INTEREST_FREE:
        rest = replace(rest, method=Method.EQUAL_INSTALMENTS)
    return _changed(ChangeKind.NEW_RATE, schedule, settled, replace(rest, annual_rate=annual_rate), keep)


def extend(schedule: Schedule, settled: int, more: int) -> Change:
    """What is left is spread over `more` further instalments. Rounds and raises as `make`."""
    rest = rest_of(schedule, settled)
    if more < 1:
        raise ValueError("at least one more")
    longer = replace(rest, count=(rest.count or 0) + more)
    return _changed(ChangeKind.EXTENDED, schedule, settled, longer, Keep.COUNT)


def shift(schedule: Schedule, settled: int, periods: int) -> Change:
    """Every instalment to come falls due `periods` periods later; interest runs on meanwhile and is part of the
    level instalment. Without interest the amounts stay. Rounds and raises as `make`."""
    rest = rest_of(schedule, settled)
    if periods < 1:
        raise ValueError("at least one period")
    assert rest.first_due_on is not None
    later = replace(
        rest,
        first_due_on=period_after(rest.first_due_on, periods, rest.frequency, pay_day=rest.day),
        pay_day=rest.day,
        first_periods=rest.first_periods + periods,
    )
    if rest.annual_rate:
        return _changed(ChangeKind.SHIFTED, schedule, settled, later, Keep.COUNT)
    return Change(ChangeKind.SHIFTED, schedule, _same_amounts(schedule, settled, later, Keep.COUNT))


def holiday(
    schedule: Schedule,
    settled: int,
    periods: int,
    *,
    unpaid: Grace = Grace.BOTH,
    interest: GraceInterest = GraceInterest.CAPITALISED,
    keep: Keep = Keep.AMOUNT,
) -> Change:
    """The next `periods` instalments are not paid (or only their interest, or only principal).

    Keeping the amount, the instalments after it are what they were and the end comes later; keeping the
    count, the end stays and they rise. Raises as `make`; ValueError within a grace that is still running.
    """
    rest = rest_of(schedule, settled)
    if rest.grace_count or periods < 1 or unpaid is Grace.NONE:
        raise ValueError("a holiday is a grace of its own")
    free = replace(rest, grace=unpaid, grace_count=periods, grace_interest=interest)
    if keep is Keep.COUNT:
        return _changed(ChangeKind.HOLIDAY, schedule, settled, free, keep)
    free = replace(free, count=(free.count or 0) + periods)
    keeping = Keep.AMOUNT if rest.annual_rate else Keep.COUNT
    return Change(ChangeKind.HOLIDAY, schedule, _same_amounts(schedule, settled, free, keeping))


def new_pay_day(schedule: Schedule, settled: int, pay_day: int) -> Change:
    """What is left falls due on another day of the month, first on or after the next due day.

    Instalments stay; the last one settles what the moved days change of the interest. Raises as `make`.
    """
    rest = rest_of(schedule, settled)
    assert rest.first_due_on is not None
    first = first_pay_day(rest.first_due_on, pay_day=pay_day, frequency=rest.frequency)
    moved = replace(rest, first_due_on=first, pay_day=pay_day)
    return Change(ChangeKind.NEW_PAY_DAY, schedule, _same_amounts(schedule, settled, moved, Keep.COUNT))


def re_age(
    schedule: Schedule,
    settled: int,
    on: date,
    *,
    count: int | None = None,
    unpaid_interest: Money | None = None,
) -> Change:
    """What was missed up to and on `on` is overdue no more: it is spread, with the rest, over `count`
    instalments (default as many as were open) from the next pay day on.

    Principal is what was left after the `settled` instalments. Interest of the missed ones (or the
    `unpaid_interest` that was in truth posted) is carried: it bears none; their fees fall due with
    the first. Rounds and raises as `make`; ValueError where nothing was missed.
    """
    rest = rest_of(schedule, settled)
    missed = [row for row in schedule.rows[settled:] if row.due_on <= on]
    if not missed or rest.grace_count:
        raise ValueError("nothing was missed, or a grace is still running")
    first = missed[0].pay_day
    ahead = len(missed)
    while period_after(first, ahead, rest.frequency, pay_day=rest.day) <= on:
        ahead += 1
    own = Money(sum(row.interest_minor for row in missed) + missed[-1].carried_minor, schedule.currency)
    fees = Money(sum(row.fee_minor for row in missed), schedule.currency)
    anew = replace(
        rest,
        starts_on=on,
        first_due_on=period_after(first, ahead, rest.frequency, pay_day=rest.day),
        pay_day=rest.day,
        count=rest.count if count is None else count,
        carried=own if unpaid_interest is None else unpaid_interest,
        first_fee=fees,
        first_periods=1,
    )
    return _changed(ChangeKind.RE_AGED, schedule, settled, anew, Keep.COUNT)


def rest_of(schedule: Schedule, settled: int) -> ScheduleRequest:
    """The request of what is left once `settled` instalments are: its balance from their last day on.

    ValueError where `settled` lies before an earlier change or leaves nothing.
    """
    if not schedule.settled <= settled < schedule.count:
        raise ValueError("what is settled lies between the last change and the last instalment")
    request, done = schedule.request, settled - schedule.settled
    if done == 0:
        first = schedule.rows[settled].pay_day
        return replace(
            request, count=schedule.count - settled, amount=None, pay_day=request.day, first_due_on=first
        )
    last = schedule.rows[settled - 1]
    grace = max(request.grace_count - done, 0)
    steps = tuple(_steps_after(request.steps, max(done - request.grace_count, 0)))
    return replace(
        request,
        principal=Money(last.balance_minor, schedule.currency),
        starts_on=last.due_on if request.adjusted else last.pay_day,
        first_due_on=schedule.rows[settled].pay_day,
        pay_day=request.day,
        carried=Money(last.carried_minor, schedule.currency),
        count=schedule.count - settled,
        amount=None,
        grace=request.grace if grace else Grace.NONE,
        grace_count=grace,
        steps=steps,
        method=Method.EQUAL_INSTALMENTS if request.steps and not steps else request.method,
        first_fee=None,
        opening_fee=None,
        first_periods=1,
    )


def _steps_after(steps: tuple[Step, ...], done: int) -> Iterator[Step]:
    for step in steps:
        left = step.count - min(done, step.count)
        done -= step.count - left
        if left:
            yield replace(step, count=left)


def _changed(kind: ChangeKind, schedule: Schedule, settled: int, rest: ScheduleRequest, keep: Keep) -> Change:
    if keep is Keep.AMOUNT:
        return Change(kind, schedule, _same_amounts(schedule, settled, rest, keep))
    return Change(kind, schedule, joined(schedule, settled, make(rest)))


def _same_amounts(schedule: Schedule, settled: int, rest: ScheduleRequest, keep: Keep) -> Schedule:
    """The rest with the amounts its instalments had; those in grace give theirs to the first after it."""
    return joined(schedule, settled, make_of(rest, amounts_after(schedule, settled), keep))


def amounts_after(schedule: Schedule, settled: int) -> tuple[int, ...]:
    """What the instalments after `settled` (and after a grace that is still running) come to without fees, in
    minor units; parts of principal where these are equal."""
    grace = max(schedule.settled + schedule.request.grace_count, settled)
    rows = schedule.rows[grace:]
    if schedule.request.method is Method.EQUAL_PRINCIPAL:
        return tuple(row.principal_minor for row in rows)
    return tuple(row.principal_minor + row.interest_minor for row in rows)


def joined(
    schedule: Schedule, settled: int, rest: Schedule, extra: tuple[tuple[date, Money], ...] = ()
) -> Schedule:
    """The settled instalments as they were, then `rest`, numbered on."""
    after = (row._replace(number=row.number + settled) for row in rest.rows)
    return replace(
        schedule,
        rows=(*schedule.rows[:settled], *after),
        request=rest.request,
        settled=settled,
        extra=(*schedule.extra, *extra),
    )
