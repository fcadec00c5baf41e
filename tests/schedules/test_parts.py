"""Schedules: the examples of the design exactly, and what holds for every amount, count and date."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dates import Frequency, WorkingDays
from portal.money import EXPONENTS, Money, Rounding, rate
from portal.schedules.days import first_pay_day, working_dates
from portal.schedules.declining import annuity, equal_principal
from portal.schedules.parts import (
    LONGEST,
    Step,
    UnableToSchedule,
    Unschedulable,
    by_amount,
    by_count,
    count_for,
    stepped,
)

CURRENCIES = st.sampled_from(["JPY", "CNY", "KWD"])
AMOUNTS = st.integers(min_value=1, max_value=10**12)
CHINA = WorkingDays("CN")


def texts(parts: tuple[Money, ...]) -> list[str]:
    return [part.plain() for part in parts]


def test_4900_over_9_leaves_the_residue_in_the_last() -> None:
    assert texts(by_count(Money(490_000, "CNY"), 9)) == ["544.44"] * 8 + ["544.48"]


def test_407_26_by_407_leaves_26_fen() -> None:
    assert texts(by_amount(Money(40_726, "CNY"), Money(40_700, "CNY"))) == ["407.00", "0.26"]


def test_the_plans_of_the_pictures() -> None:
    total = Money(6_435_387, "CNY")

    assert texts(by_count(total, 60))[58:] == ["1072.56", "1072.83"]
    assert texts(by_count(total, 54))[52:] == ["1191.74", "1191.65"]
    assert texts(by_count(total, 48))[46:] == ["1340.71", "1340.50"]
    assert texts(by_count(Money(6_090_387, "CNY"), 58))[56:] == ["1050.07", "1049.88"]
    assert texts(by_amount(total, Money(80_000, "CNY")))[79:] == ["800.00", "353.87"]
    assert texts(stepped(total, 60, Step(12, Money(80_000, "CNY"))))[11:13] == ["800.00", "1140.71"]


def test_5000_at_12_percent_over_18_in_whole_units() -> None:
    portions = annuity(Money(500_000, "CNY"), annual_rate=rate("12%"), count=18, unit_minor=100)

    assert [portion.amount.plain() for portion in portions] == ["305.00"] * 17 + ["303.22"]
    assert sum(portion.interest.minor for portion in portions) == 48_822


def test_a_rate_of_nought_is_equal_parts() -> None:
    portions = annuity(Money(120_000, "CNY"), annual_rate=rate("0"), count=12)

    assert {portion.amount.minor for portion in portions} == {10_000}


@given(AMOUNTS, st.integers(1, LONGEST), CURRENCIES)
def test_equal_parts_sum_exactly_and_all_but_the_last_are_equal(
    minor: int, count: int, currency: str
) -> None:
    total = Money(minor, currency)
    if minor < count:
        with pytest.raises(UnableToSchedule):
            by_count(total, count)
        return

    parts = by_count(total, count)

    assert len(parts) == count
    assert Money.sum(parts, currency) == total
    assert len(set(parts[:-1])) <= 1
    assert all(part.minor > 0 for part in parts)
    assert abs(parts[0].minor * count - minor) <= count * count


@given(AMOUNTS, AMOUNTS, CURRENCIES)
def test_a_chosen_amount_sums_exactly_with_the_residue_last(minor: int, each: int, currency: str) -> None:
    total, amount = Money(minor, currency), Money(each, currency)
    if count_for(total, amount) > LONGEST:
        with pytest.raises(UnableToSchedule) as caught:
            by_amount(total, amount)
        assert caught.value.reason is Unschedulable.TOO_MANY
        return

    parts = by_amount(total, amount)

    assert Money.sum(parts, currency) == total
    assert all(part == amount for part in parts[:-1])
    assert 0 < parts[-1].minor <= each


@given(AMOUNTS, st.integers(2, 60), st.integers(1, 59), st.integers(1, 10**10), CURRENCIES)
def test_stepped_parts_sum_exactly_or_are_refused(
    minor: int, count: int, steps: int, each: int, currency: str
) -> None:
    try:
        parts = stepped(Money(minor, currency), count, Step(steps, Money(each, currency)))
    except UnableToSchedule:
        return

    assert len(parts) == count
    assert sum(part.minor for part in parts) == minor
    assert all(part.minor > 0 for part in parts)


@given(
    st.integers(10_000, 10**10),
    st.integers(1, 120),
    st.integers(0, 3600),
    st.sampled_from(list(Rounding)),
    st.sampled_from(["JPY", "CNY", "KWD"]),
)
@settings(max_examples=60)
def test_declining_schedules_repay_the_principal_exactly(
    minor: int, count: int, basis_points: int, rounding: Rounding, currency: str
) -> None:
    principal = Money(minor, currency)
    yearly = rate(f"{basis_points / 10000:.4f}")

    for portions in (
        annuity(principal, annual_rate=yearly, count=count, rounding=rounding),
        equal_principal(principal, annual_rate=yearly, count=count, rounding=rounding),
    ):
        assert Money.sum((portion.principal for portion in portions), currency) == principal
        assert all(portion.interest.minor >= 0 for portion in portions)
        assert len(portions) == count


@given(
    st.dates(date(2024, 1, 1), date(2040, 12, 31)),
    st.integers(1, 70),
    st.sampled_from(list(Frequency)),
    st.integers(1, 31),
)
@settings(max_examples=150)
def test_dates_strictly_increase_on_open_days_and_never_chain(
    earliest: date, count: int, frequency: Frequency, pay_day: int
) -> None:
    first = first_pay_day(earliest, pay_day=pay_day, frequency=frequency)

    dates = working_dates(first, count, frequency, pay_day=pay_day, working_days=CHINA)

    assert first >= earliest
    assert all(a < b for a, b in itertools.pairwise(dates))
    assert all(CHINA.is_open(day) for day in dates)
    assert all(
        dates[index] == CHINA.next_open(day) for index, day in _undisturbed(first, count, frequency, pay_day)
    )


def _undisturbed(first: date, count: int, frequency: Frequency, pay_day: int) -> list[tuple[int, date]]:
    """Due days before which the bank was open for a week: a moved neighbour cannot have pushed them."""
    from portal.dates import due_dates

    nominal = list(due_dates(first, count, frequency, day=pay_day))
    return [
        (index, day)
        for index, day in enumerate(nominal)
        if index == 0 or CHINA.next_open(nominal[index - 1]) < day
    ]


def test_day_31_falls_to_the_month_end_and_returns_to_31() -> None:
    always_open = WorkingDays("CN", {date(2026, 1, 1) + timedelta(days=n): True for n in range(400)})

    dates = working_dates(date(2026, 1, 31), 4, Frequency.MONTHLY, pay_day=31, working_days=always_open)

    assert dates == (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30))


def test_a_week_of_holidays_does_not_fold_two_weekly_dates_into_one() -> None:
    dates = working_dates(date(2026, 10, 1), 3, Frequency.WEEKLY, pay_day=1, working_days=CHINA)

    assert len(set(dates)) == 3
    assert all(CHINA.is_open(day) for day in dates)


def test_every_exponent_of_the_currencies_is_covered() -> None:
    assert {EXPONENTS[currency] for currency in ("JPY", "CNY", "KWD")} == set(EXPONENTS.values())
