"""Dates: month ends that come back, working days with make-up days, and the demonstration's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from portal.dates import Clock, Frequency, WorkingDays, add_months, due_dates

days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


def test_a_day_the_month_lacks_is_its_last_and_comes_back() -> None:
    found = list(due_dates(date(2027, 1, 31), 4, Frequency.MONTHLY))

    assert found == [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)]
    assert add_months(date(2028, 1, 31), 1) == date(2028, 2, 29)


@given(days, st.integers(1, 60), st.sampled_from(list(Frequency)))
def test_due_dates_strictly_increase(first: date, count: int, frequency: Frequency) -> None:
    found = list(due_dates(first, count, frequency))

    assert len(found) == count
    assert all(left < right for left, right in pairwise(found))
    assert found[0] == first


def test_chinese_make_up_saturdays_are_open() -> None:
    calendar = WorkingDays("CN")

    assert calendar.is_open(date(2026, 2, 14))  # a Saturday worked for the Spring Festival
    assert not calendar.is_open(date(2026, 10, 1))
    assert not calendar.is_open(date(2026, 11, 21))
    assert calendar.confirmed(date(2026, 5, 1))
    assert not calendar.confirmed(date(2027, 5, 1))


def test_the_banks_own_days_win() -> None:
    calendar = WorkingDays("CN", {date(2026, 11, 21): True, date(2026, 11, 23): False})

    assert calendar.is_open(date(2026, 11, 21))
    assert calendar.next_open(date(2026, 11, 23)) == date(2026, 11, 24)


@given(st.dates(date(2026, 1, 1), date(2026, 11, 1)), st.integers(0, 20))
def test_adding_and_counting_working_days_agree(start: date, count: int) -> None:
    calendar = WorkingDays("CN")

    assert calendar.between(start, calendar.add(start, count)) == count


def test_the_banks_clock_runs_beside_the_real_one() -> None:
    real_start = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    bank_start = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
    clock = Clock("Asia/Shanghai", bank_start, real_start, source=lambda: real_start + timedelta(hours=16))

    assert clock.now() == bank_start + timedelta(hours=16)
    assert clock.today() == date(2026, 11, 21)  # 17:00 UTC is 01:00 in Shanghai
    assert clock.real_now() == real_start + timedelta(hours=16)
