"""The periods of a schedule, drawn as they are asked for: due days, and each one's part of the yearly rate."""

from __future__ import annotations

from datetime import date
from math import lcm

from portal.schedules.daycount import DayCount, days_between
from portal.schedules.days import PERIODS_A_YEAR, pay_days, period_after
from portal.schedules.parts import UnableToSchedule, Unschedulable
from portal.schedules.request import ScheduleRequest

#: One year length that all days of a count fit: actual/actual knows years of 365 and of 366 days.
_COMMON_YEAR = {
    DayCount.ACTUAL_360: 360,
    DayCount.ACTUAL_365: 365,
    DayCount.ACTUAL_ACTUAL: lcm(365, 366),
    DayCount.THIRTY_360: 360,
}


class Periods:
    """Pay days and rates of a request, by the number of the period from nought."""

    def __init__(self, request: ScheduleRequest) -> None:
        day = request.day
        first = (
            period_after(request.starts_on, 1, request.frequency, pay_day=day)
            if request.first_due_on is None
            else period_after(request.first_due_on, 0, request.frequency, pay_day=day)
        )
        if first <= request.starts_on:
            raise UnableToSchedule(Unschedulable.DATE_ORDER)
        self._request = request
        self._known: list[tuple[date, date]] = []
        self._more = pay_days(
            first,
            request.frequency,
            pay_day=day,
            move=request.move,
            working_days=request.working_days,
            after=request.starts_on,
        )
        self._rate, bottom = request.annual_rate.as_integer_ratio()
        year = (
            PERIODS_A_YEAR[request.frequency]
            if request.day_count is None
            else _COMMON_YEAR[request.day_count]
        )
        #: what every `top_of` is divided by
        self.bottom = bottom * year

    def days(self, number: int) -> tuple[date, date]:
        """The pay day of a period, and the day it is moved to."""
        while len(self._known) <= number:
            self._known.append(next(self._more))
        return self._known[number]

    def top_of(self, number: int) -> int:
        """The interest of a period on one minor unit is `top_of / bottom`."""
        count = self._request.day_count
        if count is None:
            return self._rate * (self._request.first_periods if number == 0 else 1)
        start = self._request.starts_on if number == 0 else self._until(number - 1)
        year = _COMMON_YEAR[count]
        return self._rate * sum(
            days * (year // of_year) for days, of_year in days_between(count, start, self._until(number))
        )

    def _until(self, number: int) -> date:
        return self.days(number)[self._request.adjusted]
