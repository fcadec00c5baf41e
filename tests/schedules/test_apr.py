"""The annual percentage rate: published examples, an exact formula where one exists, and what must hold for any."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dates import Frequency, add_months, due_dates
from portal.money import CurrencyMismatch, Money
from portal.schedules.apr import NoRate, apr, years_between
from portal.schedules.declining import annuity, equal_principal
from portal.schedules.parts import by_count

START = date(2026, 1, 1)
DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))


def _euro(units: int) -> Money:
    return Money(units * 100, "EUR")


@pytest.mark.parametrize(
    ("payments", "percent"),
    [
        # the examples of Directive 98/7/EC, Annex III, with months of equal length: 1,000 is lent
        ([(18, 1_200)], "12.92"),
        ([(0, 50), (18, 1_200)], "16.85"),
        ([(12, 600), (24, 600)], "13.07"),
        ([(3, 272), (6, 272), (12, 544)], "13.19"),
    ],
)
def test_the_published_examples(payments: list[tuple[int, int]], percent: str) -> None:
    dated = [(add_months(START, months), _euro(units)) for months, units in payments]

    found = apr(_euro(1_000), START, dated)

    assert found.scaleb(2).quantize(Decimal("0.01")) == Decimal(percent)


@given(st.integers(1, 3_600), st.integers(1, 60), DAYS)
def test_of_an_annuity_it_is_the_nominal_rate_compounded(points: int, count: int, start: date) -> None:
    nominal = Decimal(points).scaleb(-4)
    large = Money(10**12, "CNY")  # the cent is too small to be seen in the sixth decimal
    parts = annuity(large, annual_rate=nominal, count=count)
    days = list(due_dates(start, count + 1, Frequency.MONTHLY))[1:]

    found = apr(large, start, zip(days, (part.amount for part in parts)))

    compounded = (1 + Fraction(nominal) / 12) ** 12 - 1
    assert abs(Fraction(found) - compounded) <= Fraction(1, 10**6)


@given(st.integers(1_000, 10**9), st.integers(1, 40), DAYS, st.integers(1, 40))
def test_an_interest_free_plan_costs_nothing(minor: int, count: int, start: date, step: int) -> None:
    parts = by_count(Money(minor, "CNY"), count)
    days = [start + timedelta(days=step * number) for number in range(1, count + 1)]

    assert apr(Money(minor, "CNY"), start, zip(days, parts)) == 0


@given(st.integers(0, 2_000), st.integers(2, 24), st.integers(0, 50_000), st.integers(5_000, 50_000))
def test_it_rises_with_the_fees(points: int, count: int, fee: int, more: int) -> None:
    lent = Money(1_000_000, "CNY")
    parts = equal_principal(lent, annual_rate=Decimal(points).scaleb(-4), count=count)
    schedule = [
        (day, part.amount)
        for day, part in zip(list(due_dates(START, count + 1, Frequency.MONTHLY))[1:], parts)
    ]

    def with_fee(minor: int) -> Decimal:
        return apr(lent, START, [(START, Money(minor, "CNY")), *schedule])

    assert with_fee(fee) < with_fee(fee + more)
    assert with_fee(0) == apr(lent, START, schedule)


@given(st.lists(st.tuples(st.integers(1, 1_500), st.integers(1, 10**6)), min_size=1, max_size=12))
def test_the_answer_is_within_a_millionth_of_the_rate(flows: list[tuple[int, int]]) -> None:
    lent = Money(1_000_000, "CNY")
    payments = [(START + timedelta(days=days), Money(minor, "CNY")) for days, minor in flows]
    try:
        found = apr(lent, START, payments)
    except NoRate as error:
        if error.reason != "out_of_reach":
            raise
        return

    def worth(rate: Decimal) -> Decimal:
        """With roots of a common year-part instead of logarithms."""
        total = Decimal(0)
        for day, amount in payments:
            years = years_between(START, day)
            power = (1 + rate) ** (Decimal(years.numerator) / Decimal(years.denominator))
            total += amount.minor / power
        return total

    near = Decimal("0.000001")
    assert worth(found + near) <= lent.minor <= worth(max(found - near, Decimal("-0.9999995")))


def test_more_forgiven_than_charged_is_a_rate_below_nought() -> None:
    assert apr(_euro(1_000), START, [(date(2027, 1, 1), _euro(900))]) == Decimal("-0.100000")


def test_a_very_dear_loan_has_its_rate_too() -> None:
    found = apr(_euro(100), START, [(add_months(START, 1), _euro(200))])
    assert found == 2**12 - 1


@pytest.mark.parametrize(
    ("payments", "reason"),
    [
        ([], "nothing_paid"),
        ([(START, Money(10, "EUR"))], "nothing_paid"),
        ([(START, _euro(1_000)), (date(2027, 1, 1), _euro(1))], "nothing_lent"),
        ([(date(2025, 12, 31), _euro(1)), (date(2027, 1, 1), _euro(1))], "early"),
        ([(date(2027, 1, 1), Money(-1, "EUR"))], "negative"),
        ([(date(2026, 1, 2), _euro(10**6))], "out_of_reach"),
    ],
)
def test_schedules_without_a_rate(payments: list[tuple[date, Money]], reason: str) -> None:
    with pytest.raises(NoRate) as refused:
        apr(_euro(1_000), START, payments)
    assert refused.value.reason == reason


def test_two_currencies_are_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        apr(_euro(1_000), START, [(date(2027, 1, 1), Money(1, "CNY"))])


@given(DAYS, st.integers(0, 1_200), st.integers(1, 400))
def test_later_is_longer_and_whole_months_are_twelfths(start: date, days: int, more: int) -> None:
    end = start + timedelta(days=days)

    assert years_between(start, end) < years_between(start, end + timedelta(days=more))
    assert years_between(start, add_months(start, days % 120)) == Fraction(days % 120, 12)


def test_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="forwards"):
        years_between(date(2026, 1, 2), START)
