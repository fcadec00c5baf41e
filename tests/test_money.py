"""Money: exact, of one currency, and read only from the forms we know."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import (
    EXPONENTS,
    LARGEST_MINOR,
    AmountError,
    CurrencyMismatch,
    Money,
    Rounding,
    divide,
    rate,
)

minors = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
currencies = st.sampled_from(sorted(EXPONENTS))


@given(st.integers(0, LARGEST_MINOR), st.integers(1, 400))
def test_split_sums_to_the_whole_with_the_residue_last(minor: int, parts: int) -> None:
    made = list(Money(minor, "CNY").split(parts))

    assert Money.sum(made, "CNY") == Money(minor, "CNY")
    assert len(set(made[:-1])) <= 1
    assert len(made) == 1 or made[-1] >= made[0]


def test_split_of_the_rules_example() -> None:
    assert [part.plain() for part in Money(490_000, "CNY").split(9)] == ["544.44"] * 8 + ["544.48"]


@given(minors, currencies)
def test_file_form_reads_back_what_plain_writes(minor: int, currency: str) -> None:
    written = Money(minor, currency).plain()

    assert Money.from_file(written, currency, signed=True) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["NaN", "1e9", "-0", "-0.00", "Infinity", "1_000", "٣٤", "１２３.００", "1,000.00", "￥1.00", "1", "1.0", "1.000", "01.00", " 1.00", "1.00 ",
     "−1.00", "+1.00", "#REF!", "", "1.00\n", "10000000000.01", "100000000000000.00"],
)  # fmt: skip
def test_file_form_is_strict(text: str) -> None:
    with pytest.raises(AmountError):
        Money.from_file(text, "CNY", signed=True)


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("800", 80_000), ("1,234.5", 123_450), ("１，２３４．５０", 123_450), ("1 000", 100_000), ("¥850.50", 85_050), ("850 元", 85_000),
     (" 0.01 ", 1), ("10000000000", LARGEST_MINOR), ("10,000,000,000.00", LARGEST_MINOR)],
)  # fmt: skip
def test_person_form_reads_what_people_type(typed: str, minor: int) -> None:
    assert Money.from_person(typed, "CNY").minor == minor


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("", "empty"), ("   ", "empty"), ("0", "zero"), ("0.00", "zero"), ("-5", "sign"), ("−5", "sign"), ("NaN", "form"), ("1e9", "form"),
     ("1_000", "form"), ("٣٤", "form"), ("12,34", "form"), ("1,2345", "form"), ("1.005", "form"), ("1.2.3", "form"),
     ("10000000000.01", "large"), ("abc", "form"), ("Infinity", "form")],
)  # fmt: skip
def test_person_form_names_what_is_wrong(typed: str, reason: str) -> None:
    with pytest.raises(AmountError) as caught:
        Money.from_person(typed, "CNY")

    assert caught.value.reason == reason


@given(minors, minors)
def test_currencies_do_not_mix(left: int, right: int) -> None:
    with pytest.raises(CurrencyMismatch):
        Money(left, "CNY") + Money(right, "USD")
    with pytest.raises(CurrencyMismatch):
        _ = Money(left, "CNY") < Money(right, "USD")


@pytest.mark.parametrize("wrong", [1.0, Decimal(1), True, "1", None])
def test_minor_units_are_whole_numbers(wrong: object) -> None:
    with pytest.raises(TypeError):
        Money(wrong, "CNY")  # type: ignore[arg-type]


def test_money_and_numbers_do_not_mix() -> None:
    with pytest.raises(TypeError):
        Money(1, "CNY") + 1  # type: ignore[operator]


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_division_is_that_of_exact_decimals(numerator: int, denominator: int) -> None:
    doubled, exact = divmod(2 * abs(numerator) + denominator, 2 * denominator)
    sign = 1 if numerator >= 0 else -1

    assert divide(numerator, denominator, Rounding.HALF_UP) == sign * doubled
    assert divide(numerator, denominator, Rounding.FLOOR) == numerator // denominator
    even = divide(numerator, denominator, Rounding.HALF_EVEN)
    assert abs(2 * (even * denominator - numerator)) <= denominator
    if exact == 0 and abs(2 * (even * denominator - numerator)) == denominator:
        assert even % 2 == 0


def test_rates_are_exact() -> None:
    assert rate("8.80%") == Decimal("0.0880")
    for wrong in ("8,80%", "NaN", "1e2", "-1%", "８%", "%"):
        with pytest.raises(AmountError):
            rate(wrong)
