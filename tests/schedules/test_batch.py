"""Schedules by the thousand say, row by row, what the ordinary ones say."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import Rounding
from portal.schedules.batch import level_batch, level_rows
from portal.schedules.declining import Charges, level_parts
from portal.schedules.parts import UnableToSchedule, Unschedulable

PRINCIPALS = st.integers(1, 10**12) | st.integers(1, 10**8).map(lambda hundreds: hundreds * 100)
#: half of them of the kind that puts interest exactly between two cents
RATES = (st.integers(0, 100_000) | st.sampled_from([0, 3_000, 6_000, 12_000])).map(
    lambda points: Decimal(points).scaleb(-5)
)
COUNTS = st.integers(1, 120)
PERIODS = st.sampled_from([4, 12, 13, 26, 52])


def ordinary(
    principal: int, annual_rate: Decimal, count: int, periods: int
) -> list[tuple[int, int]] | Unschedulable:
    try:
        parts = level_parts(
            principal, Charges.even(annual_rate, periods), 0, count, rounding=Rounding.HALF_UP
        )
    except UnableToSchedule as unable:
        return unable.reason
    return [(part.principal, part.interest) for part in parts]


def fast(
    principal: int, annual_rate: Decimal, count: int, periods: int
) -> list[tuple[int, int]] | Unschedulable:
    try:
        return level_rows(principal, annual_rate, count, periods_a_year=periods)
    except UnableToSchedule as unable:
        return unable.reason


@given(PRINCIPALS, RATES, COUNTS, PERIODS)
def test_one_schedule_is_the_ordinary_one(
    principal: int, annual_rate: Decimal, count: int, periods: int
) -> None:
    assert fast(principal, annual_rate, count, periods) == ordinary(principal, annual_rate, count, periods)


@given(st.lists(PRINCIPALS | st.integers(1, 200), max_size=40), RATES, COUNTS, PERIODS)
def test_a_batch_is_as_many_single_ones(
    principals: list[int], annual_rate: Decimal, count: int, periods: int
) -> None:
    alone = [fast(principal, annual_rate, count, periods) for principal in principals]
    if any(isinstance(rows, Unschedulable) for rows in alone):
        with pytest.raises(UnableToSchedule):
            level_batch(principals, annual_rate, count, periods_a_year=periods)
        return

    batch = level_batch(principals, annual_rate, count, periods_a_year=periods)

    assert [list(batch.rows(loan)) for loan in range(len(principals))] == alone


def test_halves_go_up_whether_of_the_interest_or_of_the_level_instalment() -> None:
    assert level_rows(100, Decimal("0.06"), 1) == [(100, 1)]
    assert level_rows(6_003, Decimal(0), 6)[0] == (1_001, 0)
    batch = level_batch([6_003, 600_003, 100_100], Decimal(0), 6)
    assert list(batch.levels) == [1_001, 100_001, 16_683]
    assert [list(batch.rows(loan)) for loan in range(2)] == [
        level_rows(minor, Decimal(0), 6) for minor in (6_003, 600_003)
    ]


def test_ten_thousand_loans_over_several_lanes_full() -> None:
    draw = random.Random(60)
    principals = [draw.randrange(100_000, 50_000_000) for _ in range(10_000)]

    batch = level_batch(principals, Decimal("0.088"), 60)

    for loan in range(0, len(principals), 7):
        assert list(batch.rows(loan)) == level_rows(principals[loan], Decimal("0.088"), 60)
    assert all(batch.balance(loan, 58) > 0 for loan in range(len(principals)))
    assert max(abs(last - level) for last, level in zip(batch.last, batch.levels, strict=True)) <= 60


@pytest.mark.parametrize("count", [0, 601])
def test_more_than_the_longest_is_refused(count: int) -> None:
    for call in (lambda: level_rows(100, Decimal(0), count), lambda: level_batch([100], Decimal(0), count)):
        with pytest.raises(UnableToSchedule):
            call()
