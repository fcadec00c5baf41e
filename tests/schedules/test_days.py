"""Due days: every kind, the month end and back, closed days, and the dates that break calendars (D50)."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dates import Frequency, WorkingDays
from portal.money import Money, rate
from portal.schedules.daycount import DayCount
from portal.schedules.days import MONTHLY_KINDS, Move, moved, pay_days, period_after
from portal.schedules.making import make
from portal.schedules.parts import UnableToSchedule, Unschedulable
from portal.schedules.request import ScheduleRequest
from tests.schedules.invariants import faults

CHINA = WorkingDays("CN")
BRITAIN = WorkingDays("GB")
#: 29 and 28 February, the 31st, the year's end, the end of 32-bit time, a century that is no leap year
HARD_DAYS = [
    date(2028, 2, 29), date(2027, 2, 28), date(2026, 1, 31), date(2026, 12, 31), date(2038, 1, 19), date(2100, 2, 28),
]  # fmt: skip


@pytest.mark.parametrize("start", HARD_DAYS)
@pytest.mark.parametrize("frequency", list(Frequency))
@pytest.mark.parametrize("count", [None, *DayCount])
def test_twenty_years_from_a_hard_day(start: date, frequency: Frequency, count: DayCount | None) -> None:
    periods = {"weekly": 520, "fortnightly": 520, "four_weekly": 260, "monthly": 240, "quarterly": 80}[
        frequency
    ]

    made = make(
        ScheduleRequest(
            principal=Money(10**9, "CNY"), starts_on=start, count=periods, annual_rate=rate("4.9%"),
            frequency=frequency, day_count=count,
        )
    )  # fmt: skip

    assert faults(made) == []
    if frequency in MONTHLY_KINDS:
        lasts = [calendar.monthrange(row.due_on.year, row.due_on.month)[1] for row in made.rows]
        assert [row.due_on.day for row in made.rows] == [min(start.day, last) for last in lasts]
    else:
        assert len({b - a for a, b in pairwise(row.due_on for row in made.rows)}) == 1


def test_2100_has_no_29_february_and_2104_has() -> None:
    found = [period_after(date(2096, 2, 29), 12 * years, Frequency.MONTHLY) for years in (4, 8)]

    assert found == [date(2100, 2, 28), date(2104, 2, 29)]


def test_every_way_to_move_a_closed_day() -> None:
    saturday = date(2026, 10, 31)
    assert {move: moved(saturday, move, BRITAIN) for move in Move} == {
        Move.NONE: saturday,
        Move.NEXT: date(2026, 11, 2),
        Move.PREVIOUS: date(2026, 10, 30),
        Move.MODIFIED_FOLLOWING: date(2026, 10, 30),
    }
    assert moved(date(2026, 10, 3), Move.MODIFIED_FOLLOWING, BRITAIN) == date(2026, 10, 5)


def test_a_make_up_workday_is_a_day_to_pay_on() -> None:
    assert moved(date(2026, 2, 14), Move.NEXT, CHINA) == date(
        2026, 2, 14
    )  # a Saturday worked for Spring Festival
    assert moved(date(2026, 2, 16), Move.NEXT, CHINA) > date(2026, 2, 20)


def test_the_banks_own_file_wins_over_the_national_calendar() -> None:
    own = WorkingDays("CN", {date(2027, 3, 18): False, date(2027, 3, 20): True})

    assert moved(date(2027, 3, 18), Move.NEXT, own) == date(2027, 3, 19)
    assert moved(date(2027, 3, 20), Move.NEXT, own) == date(2027, 3, 20)
    assert moved(date(2027, 3, 18), Move.PREVIOUS, own) == date(2027, 3, 17)


@given(
    st.dates(date(2024, 1, 1), date(2040, 12, 31)),
    st.sampled_from(list(Frequency)),
    st.none() | st.integers(1, 31),
    st.sampled_from(list(Move)),
)
def test_moved_days_rise_are_open_and_never_carry_on(
    first: date, frequency: Frequency, pay_day: int | None, move: Move
) -> None:
    found = list(
        islice(
            pay_days(
                first, frequency, pay_day=pay_day, move=move, working_days=CHINA, after=first - timedelta(9)
            ),
            40,
        )
    )

    assert [nominal for nominal, _ in found] == [
        period_after(first, number, frequency, pay_day=pay_day) for number in range(40)
    ]
    assert all(a < b for (_, a), (_, b) in pairwise(found))
    assert all(move is Move.NONE or CHINA.is_open(due) for _, due in found)
    assert all(
        due == moved(nominal, move, CHINA)
        for (_, before), (nominal, due) in pairwise(found)
        if before < moved(nominal, move, CHINA)
    )


def test_the_first_day_moved_backwards_stays_after_the_start() -> None:
    saturday = date(2026, 10, 31)
    made = make(
        ScheduleRequest(
            principal=Money(10_000, "GBP"), starts_on=date(2026, 10, 30), first_due_on=saturday, count=3,
            move=Move.PREVIOUS, working_days=BRITAIN,
        )
    )  # fmt: skip

    assert made.rows[0].due_on == date(2026, 11, 2)
    assert made.rows[0].pay_day == saturday


def test_interest_by_days_runs_to_the_day_moved_to_unless_told_otherwise() -> None:
    def first(adjusted: bool) -> int:
        made = make(
            ScheduleRequest(
                principal=Money(36_000_000, "GBP"), starts_on=date(2026, 9, 30), first_due_on=date(2026, 10, 31), count=2,
                annual_rate=rate("1%"), day_count=DayCount.ACTUAL_360, working_days=BRITAIN, adjusted=adjusted,
            )
        )  # fmt: skip
        return made.rows[0].interest_minor

    assert (first(adjusted=True), first(adjusted=False)) == (33_000, 31_000)


def test_the_end_of_the_calendar_is_refused_by_name() -> None:
    assert period_after(date(9999, 12, 1), 1, Frequency.WEEKLY) == date(9999, 12, 8)

    for frequency in Frequency:
        with pytest.raises(UnableToSchedule) as caught:
            period_after(date(9999, 12, 31), 1, frequency)
        assert caught.value.reason is Unschedulable.DATE_OUT_OF_REACH
