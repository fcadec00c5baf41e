"""Affordability: exact in whole numbers, whatever the frequency and however odd the figures."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.dates import Frequency
from portal.hardship.affordability import PER_MONTH, Budget, assess, left_over, monthly_equivalent, within
from portal.money import CurrencyMismatch, Money

amounts = st.integers(0, 10**12)
frequencies = st.sampled_from(list(Frequency))
percents = st.integers(1, 100)


def yuan(text: str) -> Money:
    return Money.from_file(text, "CNY")


def cny(minor: int) -> Money:
    return Money(minor, "CNY")


def jiang() -> Budget:
    """The month of the interface's pictures."""
    return Budget(yuan("6200.00"), yuan("2500.00"), yuan("900.00"))


def test_the_pictures_month_comes_out_as_drawn() -> None:
    figures = assess(
        budget=jiang(),
        ordinary_instalments=yuan("0.00"),
        instalment=yuan("1072.56"),
        frequency=Frequency.MONTHLY,
        limit_percent=50,
    )

    assert figures.left_over == yuan("2800.00")
    assert figures.share_percent == 38
    assert figures.within_limit
    assert (figures.less_income.left_over, figures.less_income.share_percent) == (yuan("2180.00"), 49)
    assert figures.less_income.holds
    assert figures.one_late.left == yuan("654.88")
    assert figures.one_late.holds


@pytest.mark.parametrize(
    ("instalment", "frequency", "monthly"),
    [
        ("300.00", Frequency.WEEKLY, "1300.00"),
        ("300.00", Frequency.FORTNIGHTLY, "650.00"),
        ("300.00", Frequency.FOUR_WEEKLY, "325.00"),
        ("300.00", Frequency.MONTHLY, "300.00"),
        ("300.00", Frequency.QUARTERLY, "100.00"),
        ("100.00", Frequency.QUARTERLY, "33.33"),
        ("0.01", Frequency.WEEKLY, "0.04"),
    ],
)
def test_an_instalment_as_an_amount_a_month(instalment: str, frequency: Frequency, monthly: str) -> None:
    assert monthly_equivalent(yuan(instalment), frequency) == yuan(monthly)


@pytest.mark.parametrize(("instalment", "asked"), [("1400.00", False), ("1400.01", True)])
def test_half_of_what_is_left_is_fine_and_a_cent_more_is_asked_about(instalment: str, asked: bool) -> None:
    figures = assess(
        budget=jiang(),
        ordinary_instalments=yuan("0.00"),
        instalment=yuan(instalment),
        frequency=Frequency.MONTHLY,
        limit_percent=50,
    )

    assert figures.within_limit is not asked
    assert figures.share_percent == (51 if asked else 50)


def test_ordinary_instalments_go_on_beside_the_plan() -> None:
    figures = assess(
        budget=jiang(),
        ordinary_instalments=yuan("800.00"),
        instalment=yuan("1072.56"),
        frequency=Frequency.MONTHLY,
        limit_percent=50,
    )

    assert figures.left_over == yuan("2000.00")
    assert not figures.within_limit


@pytest.mark.parametrize("income", ["3400.00", "3399.99", "0.00"])
def test_nothing_left_is_said_and_holds_no_plan(income: str) -> None:
    figures = assess(
        budget=Budget(yuan(income), yuan("2500.00"), yuan("900.00")),
        ordinary_instalments=yuan("0.00"),
        instalment=yuan("0.00"),
        frequency=Frequency.MONTHLY,
        limit_percent=50,
    )

    assert figures.nothing_left
    assert figures.share_percent is None
    assert not figures.within_limit


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        left_over(jiang(), Money(100, "HKD"))
    with pytest.raises(CurrencyMismatch):
        within(Money(100, "HKD"), Frequency.MONTHLY, yuan("100.00"), 50)


@given(
    income=amounts,
    spending=amounts,
    priority=amounts,
    ordinary=amounts,
    instalment=amounts,
    often=frequencies,
    limit=percents,
)
def test_the_limit_is_compared_exactly(
    income: int, spending: int, priority: int, ordinary: int, instalment: int, often: Frequency, limit: int
) -> None:
    figures = assess(
        budget=Budget(cny(income), cny(spending), cny(priority)),
        ordinary_instalments=cny(ordinary),
        instalment=cny(instalment),
        frequency=often,
        limit_percent=limit,
    )
    left = income - spending - priority - ordinary
    monthly = Fraction(instalment) * Fraction(*PER_MONTH[often])

    assert figures.left_over.minor == left
    assert figures.within_limit == (left > 0 and monthly * 100 <= limit * left)
    assert abs(figures.monthly.minor - monthly) <= Fraction(1, 2)
    assert figures.left_after == figures.left_over - figures.monthly


@given(left=st.integers(1, 10**12), instalment=amounts, often=frequencies, limit=percents)
def test_the_shown_share_never_contradicts_the_answer(
    left: int, instalment: int, often: Frequency, limit: int
) -> None:
    figures = assess(
        budget=Budget(cny(left), cny(0), cny(0)),
        ordinary_instalments=cny(0),
        instalment=cny(instalment),
        frequency=often,
        limit_percent=limit,
    )

    assert figures.share_percent is not None
    assert (figures.share_percent <= limit) == figures.within_limit


@given(income=amounts, spending=amounts, instalment=amounts, often=frequencies, limit=percents)
def test_what_holds_with_less_income_holds_with_all_of_it(
    income: int, spending: int, instalment: int, often: Frequency, limit: int
) -> None:
    figures = assess(
        budget=Budget(cny(income), cny(spending), cny(0)),
        ordinary_instalments=cny(0),
        instalment=cny(instalment),
        frequency=often,
        limit_percent=limit,
    )
    assume(figures.less_income.holds)

    assert figures.within_limit
    assert figures.less_income.left_over <= figures.left_over


@given(
    instalment=amounts,
    less=st.integers(0, 10**6),
    often=frequencies,
    limit=percents,
    left=st.integers(1, 10**12),
)
def test_a_smaller_instalment_is_never_less_affordable(
    instalment: int, less: int, often: Frequency, limit: int, left: int
) -> None:
    assume(within(cny(instalment), often, cny(left), limit))

    assert within(cny(max(0, instalment - less)), often, cny(left), limit)
