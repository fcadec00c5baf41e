"""Due days: the pay day in every month, and the open day it moves to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from itertools import count, islice

from portal.dates import Frequency, WorkingDays, add_months
from portal.schedules.parts import UnableToSchedule, Unschedulable

MONTHLY_KINDS = (Frequency.MONTHLY, Frequency.QUARTERLY)

_DAYS = {Frequency.WEEKLY: 7, Frequency.FORTNIGHTLY: 14, Frequency.FOUR_WEEKLY: 28}
_MONTHS = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3}

#: Periods in a year, where a yearly rate is charged by the period.
PERIODS_A_YEAR = {
    Frequency.WEEKLY: 52,
    Frequency.FORTNIGHTLY: 26,
    Frequency.FOUR_WEEKLY: 13,
    Frequency.MONTHLY: 12,
    Frequency.QUARTERLY: 4,
}


class Move(StrEnum):
    """Where a due day goes on which the bank is closed."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"
    #: the next open day, but the one before where the next lies in another month (2006 ISDA Definitions 4.12)
    MODIFIED_FOLLOWING = "modified_following"


def first_pay_day(earliest: date, *, pay_day: int, frequency: Frequency) -> date:
    """The first date on or after `earliest` that is a pay day; `earliest` itself for weekly kinds."""
    if frequency not in MONTHLY_KINDS:
        return earliest
    same_month = add_months(earliest, 0, day=_real_day(pay_day))
    return same_month if same_month >= earliest else add_months(earliest, 1, day=_real_day(pay_day))


def _real_day(pay_day: int) -> int:
    """A day some month has; the policy says whether it was a good choice."""
    return min(max(pay_day, 1), 31)


def period_after(start: date, periods: int, frequency: Frequency, *, pay_day: int | None = None) -> date:
    """The due day `periods` periods after `start`; monthly kinds on `pay_day`, default the start's own day.

    Raises UnableToSchedule(date_out_of_reach) past the year 9999.

    >>> period_after(date(2028, 1, 31), 1, Frequency.MONTHLY)
    datetime.date(2028, 2, 29)
    """
    try:
        if frequency in _DAYS:
            return start + timedelta(days=periods * _DAYS[frequency])
        day = None if pay_day is None else _real_day(pay_day)
        return add_months(start, periods * _MONTHS[frequency], day=day)
    except (OverflowError, ValueError):
        raise UnableToSchedule(Unschedulable.DATE_OUT_OF_REACH) from None


def moved(day: date, move: Move, working_days: WorkingDays) -> date:
    """`day` itself where the bank is open, else the open day that `move` says.

    >>> [moved(date(2026, 10, 31), move, WorkingDays("GB")).day for move in Move]  # a Saturday
    [31, 2, 30, 30]
    """
    if move is Move.NONE:
        return day
    if move is Move.PREVIOUS:
        return working_days.previous_open(day)
    after = working_days.next_open(day)
    if move is Move.MODIFIED_FOLLOWING and after.month != day.month:
        return working_days.previous_open(day)
    return after


def pay_days(
    first: date,
    frequency: Frequency,
    *,
    pay_day: int | None = None,
    move: Move = Move.NEXT,
    working_days: WorkingDays | None = None,
    after: date = date.min,
) -> Iterator[tuple[date, date]]:
    """Without end: (the pay day, the day it is moved to), both strictly increasing and later than `after` (S2).

    Every pay day counts from the first one, never from a moved date, so day 31 is back after a February.
    A day that would meet the one before it, or `after`, goes to the next open day then. Without `working_days`
    nothing moves. Raises UnableToSchedule(date_out_of_reach) past the year 9999.
    """
    before = after
    for number in count():
        nominal = period_after(first, number, frequency, pay_day=pay_day)
        due = nominal if working_days is None else moved(nominal, move, working_days)
        if working_days is not None and due <= before:
            due = working_days.next_open(before + timedelta(days=1))
        yield nominal, due
        before = due


def working_dates(
    first: date, count: int, frequency: Frequency, *, pay_day: int, working_days: WorkingDays
) -> tuple[date, ...]:
    """`count` strictly increasing due dates; each pay day on which the bank is closed moves to the next open
    day, and the one after it counts from the pay day again, never from the moved date (S2)."""
    every = pay_days(first, frequency, pay_day=pay_day, working_days=working_days)
    return tuple(due for _, due in islice(every, count))
