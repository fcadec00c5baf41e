"""Day counts: the known dates, and that the parts of a period always sum to the period."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.schedules.daycount import DayCount, days_between, thirty_360, year_fraction

DAYS = st.dates(date(2019, 1, 1), date(2032, 12, 31))


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (date(2007, 1, 15), date(2007, 1, 30), 15),
        (date(2007, 1, 15), date(2007, 2, 15), 30),
        (date(2007, 9, 30), date(2008, 3, 31), 180),
        (date(2007, 9, 30), date(2007, 10, 31), 30),
        (date(2007, 1, 15), date(2007, 1, 31), 16),  # not moved: the first day is not 30 or 31
        (date(2007, 2, 28), date(2007, 3, 31), 33),  # the end of February stays where it is
        (date(2006, 8, 31), date(2007, 2, 28), 178),
        (date(2024, 2, 29), date(2025, 2, 28), 359),
    ],
)
def test_the_bond_basis_by_the_book(start: date, end: date, days: int) -> None:
    assert thirty_360(start, end) == days


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (DayCount.ACTUAL_360, Fraction(182, 360)),
        (DayCount.ACTUAL_365, Fraction(182, 365)),
        (DayCount.ACTUAL_ACTUAL, Fraction(61, 365) + Fraction(121, 366)),
        (DayCount.THIRTY_360, Fraction(1, 2)),
    ],
)
def test_half_a_year_over_a_leap_years_start(count: DayCount, expected: Fraction) -> None:
    # ISDA's own example for actual/actual: 1 November 2003 to 1 May 2004
    assert year_fraction(count, date(2003, 11, 1), date(2004, 5, 1)) == expected


def test_the_leap_day_is_a_day_of_the_leap_year() -> None:
    assert days_between(DayCount.ACTUAL_ACTUAL, date(2028, 2, 29), date(2028, 3, 1)) == ((1, 366),)
    assert days_between(DayCount.ACTUAL_365, date(2028, 2, 28), date(2028, 3, 1)) == ((2, 365),)


def test_an_empty_stretch_has_no_days_and_a_backward_one_is_refused() -> None:
    for count in DayCount:
        assert days_between(count, date(2026, 5, 1), date(2026, 5, 1)) == ()
        with pytest.raises(ValueError, match="order"):
            days_between(count, date(2026, 5, 2), date(2026, 5, 1))


@given(st.sampled_from(DayCount), DAYS, st.integers(0, 800), st.integers(0, 800))
def test_parts_sum_to_the_whole_and_no_day_counts_below_nought(
    count: DayCount, a: date, first: int, second: int
) -> None:
    b, c = a + timedelta(days=first), a + timedelta(days=first + second)

    whole = year_fraction(count, a, c)

    assert year_fraction(count, a, b) + year_fraction(count, b, c, anchor=a) == whole
    assert all(days > 0 for days, _ in days_between(count, b, c, anchor=a))


@given(DAYS, st.integers(1, 1500))
def test_actual_actual_is_each_day_over_its_own_year(start: date, length: int) -> None:
    each = (start + timedelta(days=n) for n in range(length))
    by_day = sum(Fraction(1, (date(day.year, 12, 31) - date(day.year - 1, 12, 31)).days) for day in each)

    assert year_fraction(DayCount.ACTUAL_ACTUAL, start, start + timedelta(days=length)) == by_day
