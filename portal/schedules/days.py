"""Due days: the pay day in every month, and the open day it moves to. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from portal.dates import Frequency, WorkingDays, add_months, due_dates

MONTHLY_KINDS = (Frequency.MONTHLY, Frequency.QUARTERLY)


def first_pay_day(earliest: date, *, pay_day: int, frequency: Frequency) -> date:
    """The first date on or after `earliest` that is a pay day; `earliest` itself for weekly kinds."""
    if frequency not in MONTHLY_KINDS:
        return earliest
    same_month = add_months(earliest, 0, day=_real_day(pay_day))
    return same_month if same_month >= earliest else add_months(earliest, 1, day=_real_day(pay_day))


def _real_day(pay_day: int) -> int:
    """A day some month has; the policy says whether it was a good choice."""
    return min(max(pay_day, 1), 31)


def working_dates(
    first: date, count: int, frequency: Frequency, *, pay_day: int, working_days: WorkingDays
) -> tuple[date, ...]:
    """`count` strictly increasing due dates; each pay day on which the bank is closed moves to the next open
    day, and the one after it counts from the pay day again, never from the moved date (S2)."""
    dates: list[date] = []
    for nominal in due_dates(first, count, frequency, day=_real_day(pay_day)):
        moved = working_days.next_open(nominal)
        if dates and moved <= dates[-1]:
            moved = working_days.next_open(dates[-1] + timedelta(days=1))
        dates.append(moved)
    return tuple(dates)
