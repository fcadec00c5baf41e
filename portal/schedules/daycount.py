"""Day counts: how many days lie between two dates, and of how long a year. Whole numbers only.

A count answers with pairs (days, days of the year), so that interest can be added up as whole numbers
and divided once. Every count satisfies days[a, b) + days[b, c) = days[a, c) for one `anchor`.
"""

from __future__ import annotations

import calendar
from datetime import date
from enum import StrEnum
from fractions import Fraction


class DayCount(StrEnum):
    """The day counts a loan may state. Stored codes; words are at the edge."""

    ACTUAL_360 = "actual/360"
    ACTUAL_365 = "actual/365"
    #: ISDA: the days in leap years over 366, the others over 365
    ACTUAL_ACTUAL = "actual/actual"
    #: Bond Basis: every month has 30 days
    THIRTY_360 = "30/360"


#: The year of the counts that know only one.
_FIXED_YEAR = {DayCount.ACTUAL_360: 360, DayCount.ACTUAL_365: 365}


def thirty_360(start: date, end: date) -> int:
    """Days from `start` to `end`, months of 30 days: the Bond Basis.

    Source: 2006 ISDA Definitions 4.16(f): the first day 31 counts as 30; the last day 31 counts as
    30 when the first is 30 or 31. The end of February is not moved.

    >>> thirty_360(date(2026, 1, 31), date(2026, 2, 28)), thirty_360(date(2026, 1, 15), date(2026, 3, 31))
    (28, 76)
    """
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return (end.year - start.year) * 360 + (end.month - start.month) * 30 + last - first


def days_between(
    count: DayCount, start: date, end: date, *, anchor: date | None = None
) -> tuple[tuple[int, int], ...]:
    """The days from `start` up to but without `end`, as pairs (days, days of the year).

    actual/actual gives a pair for ordinary and one for leap years. The Bond Basis is not additive by itself
    (15 January to the 31st and on to 15 February are 31 days, the whole is 30), so its days count from
    `anchor` (default `start`), the first day of the interest period: the parts of a period then sum to
    the period. Raises ValueError when the dates are not in the order anchor, start, end.

    >>> days_between(DayCount.ACTUAL_ACTUAL, date(2027, 12, 30), date(2028, 1, 3))
    ((2, 365), (2, 366))
    """
    origin = start if anchor is None else anchor
    if not origin <= start <= end:
        raise ValueError("the dates are in the order anchor, start, end")
    if count is DayCount.THIRTY_360:
        days = thirty_360(origin, end) - thirty_360(origin, start)
        return ((days, 360),) if days else ()
    if count is DayCount.ACTUAL_ACTUAL:
        return _by_year(start, end)
    days = (end - start).days
    return ((days, _FIXED_YEAR[count]),) if days else ()


def year_fraction(count: DayCount, start: date, end: date, *, anchor: date | None = None) -> Fraction:
    """The days from `start` to `end` as an exact part of a year. Raises ValueError like days_between.

    >>> year_fraction(DayCount.ACTUAL_365, date(2026, 1, 1), date(2026, 3, 15))
    Fraction(1, 5)
    """
    pairs = days_between(count, start, end, anchor=anchor)
    return sum((Fraction(days, year) for days, year in pairs), Fraction(0))


def _by_year(start: date, end: date) -> tuple[tuple[int, int], ...]:
    found: dict[int, int] = {}
    for year in range(start.year, end.year + 1):
        first = max(start, date(year, 1, 1))
        days = ((end if year == end.year else date(year + 1, 1, 1)) - first).days
        length = 366 if calendar.isleap(year) else 365
        found[length] = found.get(length, 0) + days
    return tuple((days, length) for length, days in sorted(found.items()) if days)
