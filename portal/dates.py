"""Dates: due days, month ends, working days, and the clock the doors read.

Business dates are plain dates in the bank's zone; instants are aware and in UTC.
"""

from __future__ import annotations

import calendar
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import holidays


class Frequency(StrEnum):
    """How often an instalment falls due."""

    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    FOUR_WEEKLY = "four_weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


_STEP_DAYS = {Frequency.WEEKLY: 7, Frequency.FORTNIGHTLY: 14, Frequency.FOUR_WEEKLY: 28}
_STEP_MONTHS = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3}


def add_months(start: date, months: int, *, day: int | None = None) -> date:
    """`start` moved by `months`, on `day` (1 to 31, default the start's own) or the month's last day.

    Count from the first date, never chain: 31 January + 1 is 28 February, + 2 is 31 March.
    """
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    wanted = start.day if day is None else day
    return date(year, month + 1, min(wanted, calendar.monthrange(year, month + 1)[1]))


def due_dates(first: date, count: int, frequency: Frequency, *, day: int | None = None) -> Iterator[date]:
    """`count` due dates from `first`. Monthly and quarterly ones keep `day` (default the first's)."""
    for index in range(count):
        if frequency in _STEP_DAYS:
            yield first + timedelta(days=index * _STEP_DAYS[frequency])
        else:
            yield add_months(first, index * _STEP_MONTHS[frequency], day=day)


@dataclass(frozen=True)
class WorkingDays:
    """The bank's working days: national holidays with make-up workdays, and the bank's own overrides.

    `overrides` maps a date to True (open) or False (closed) and wins over the national calendar.
    `confirmed_until` is the last year whose make-up workdays are known; later years count weekends
    and published holidays only, and `confirmed(day)` says so.
    """

    country: str
    overrides: Mapping[date, bool] = field(default_factory=dict)
    confirmed_until: int = 2026

    def is_open(self, day: date) -> bool:
        """Whether the bank works on `day`."""
        if day in self.overrides:
            return self.overrides[day]
        return bool(_national(self.country).is_working_day(day))

    def is_holiday(self, day: date) -> bool:
        """Whether `day` is a Sunday or a public holiday: what clear days of notice leave out."""
        return day.weekday() == 6 or day in _national(self.country)

    def next_open(self, day: date) -> date:
        """`day` itself when open, else the next open day."""
        while not self.is_open(day):
            day += timedelta(days=1)
        return day

    def previous_open(self, day: date) -> date:
        """`day` itself when open, else the open day before it."""
        while not self.is_open(day):
            day -= timedelta(days=1)
        return day

    def add(self, day: date, days: int) -> date:
        """The date `days` working days after `day`; the day itself does not count."""
        left = days
        while left > 0:
            day += timedelta(days=1)
            left -= self.is_open(day)
        return day

    def between(self, start: date, end: date) -> int:
        """Working days after `start` up to and including `end`; negative when `end` is earlier."""
        if end < start:
            return -self.between(end, start)
        return sum(self.is_open(start + timedelta(days=n)) for n in range(1, (end - start).days + 1))

    def confirmed(self, day: date) -> bool:
        """Whether the make-up workdays of that year are known."""
        return day.year <= self.confirmed_until


@functools.cache
def _national(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


@dataclass(frozen=True)
class Clock:
    """What the doors read once a request and pass down.

    `now()` is the bank's instant: the real one, or the demonstration's, which started at
    `bank_start` when the real clock stood at `real_start`. `real_now()` is for one-time codes,
    TOTP and sessions, which run on real time in the demonstration too.
    """

    zone: str
    bank_start: datetime | None = None
    real_start: datetime | None = None
    source: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))  # noqa: TID251 - here it is read

    def real_now(self) -> datetime:
        """The real instant, UTC."""
        return self.source()

    def now(self) -> datetime:
        """The bank's instant, UTC."""
        if self.bank_start is None or self.real_start is None:
            return self.real_now()
        return self.bank_start + (self.real_now() - self.real_start)

    def today(self) -> date:
        """The bank's calendar date."""
        return self.now().astimezone(ZoneInfo(self.zone)).date()

    def local(self, instant: datetime) -> datetime:
        """`instant` on the bank's wall clock."""
        return instant.astimezone(ZoneInfo(self.zone))
