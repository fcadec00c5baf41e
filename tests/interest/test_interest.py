"""The interest engine: worked examples, each knob, and that it equals a model that adds up single days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import Line, LoanTerms
from portal.interest.engine import (
    BEARING,
    BalanceDays,
    ComponentAccrual,
    Compounding,
    InterestTerms,
    RateChange,
    accrued,
    expected_postings,
    posting_days,
)
from portal.money import Rounding, divide
from portal.schedules.daycount import DayCount
from tests.accounts.loans import by_day, interest_terms, lines_of

OPENED = date(2026, 1, 7)
#: 12,000.00 over 12 months at 9 %, penalty interest at one and a half times that
TERMS = InterestTerms(
    LoanTerms(1_200_000, Decimal("0.09"), "equal_principal", 5, 12, date(2027, 1, 5)),
    OPENED,
    DayCount.ACTUAL_360,
    True,
    Decimal("1.5"),
)
LENT = Line(OPENED, "disbursement", {"principal": 1_200_000})


def _paid(day: date, minor: int, component: str = "principal") -> Line:
    return Line(day, "payment", {component: -minor})


def test_a_payment_lowers_its_own_days_base() -> None:
    found = accrued(TERMS, [LENT, _paid(date(2026, 1, 20), 200_000)], since=OPENED, until=date(2026, 2, 5))

    assert found["interest"].parts == (BalanceDays(Decimal("0.09"), 360, 13 * 1_200_000 + 16 * 1_000_000),)
    assert found["interest"].minor == 7_900
    assert found["penalty_interest"].minor == 0


def test_an_unpaid_instalment_is_overdue_from_its_due_date_and_bears_the_dearer_rate() -> None:
    found = accrued(TERMS, [LENT], since=date(2026, 2, 4), until=date(2026, 2, 7))

    assert found["interest"].parts == (BalanceDays(Decimal("0.09"), 360, 1_200_000 + 2 * 1_100_000),)
    assert found["penalty_interest"].parts == (BalanceDays(Decimal("0.135"), 360, 2 * 100_000),)


def test_an_instalment_paid_on_its_due_date_was_never_overdue() -> None:
    lines = [LENT, _paid(date(2026, 2, 5), 100_000)]

    found = accrued(TERMS, lines, since=date(2026, 2, 4), until=date(2026, 2, 7))

    assert found["penalty_interest"].parts == ()


def test_on_a_card_all_principal_bears_the_annual_rate() -> None:
    card = replace(TERMS, bears_penalty=False)

    found = accrued(card, [LENT], since=date(2026, 2, 4), until=date(2026, 2, 7))

    assert found["interest"].parts == (BalanceDays(Decimal("0.09"), 360, 3 * 1_200_000),)
    assert found["penalty_interest"].parts == ()


def test_a_reversed_payment_bears_interest_again_from_the_reversals_day() -> None:
    undone = Line(date(2026, 1, 12), "reversal", {"principal": 200_000}, reverses_kind="payment")
    lines = [LENT, _paid(date(2026, 1, 10), 200_000), undone]

    found = accrued(TERMS, lines, since=OPENED, until=date(2026, 1, 17))

    assert found["interest"].parts[0].minor_days == 8 * 1_200_000 + 2 * 1_000_000


def test_a_rate_changes_from_its_own_day_and_the_penalty_follows_unless_it_is_named() -> None:
    changed = replace(
        TERMS,
        rate_changes=(
            RateChange(date(2026, 2, 10), Decimal("0.08"), Decimal("0.1")),
            RateChange(date(2026, 2, 8), Decimal("0.06")),
        ),
    )

    found = accrued(changed, [LENT], since=date(2026, 2, 6), until=date(2026, 2, 12))

    assert [(part.rate, part.minor_days) for part in found["interest"].parts] == [
        (Decimal("0.09"), 2_200_000),
        (Decimal("0.06"), 2_200_000),
        (Decimal("0.08"), 2_200_000),
    ]
    assert [part.rate for part in found["penalty_interest"].parts] == [
        Decimal("0.135"),
        Decimal("0.09"),
        Decimal("0.1"),
    ]
    assert found["interest"].exact == Fraction(22 * 23, 360) * 1_000
    assert found["interest"].minor == 1_406


def test_the_exact_half_cent_is_rounded_as_the_loan_says() -> None:
    # 20.00 at 9 % over 360 bears half a cent a day
    lent = Line(OPENED, "disbursement", {"principal": 2_000})
    base = replace(TERMS, contract=replace(TERMS.contract, principal_minor=2_000, method="bullet"))

    def rounded(rounding: Rounding, days: int) -> int:
        terms = replace(base, rounding=rounding)
        return accrued(terms, [lent], since=OPENED, until=OPENED + timedelta(days=days))["interest"].minor

    assert [rounded(Rounding.HALF_UP, days) for days in (1, 3, 5)] == [1, 2, 3]
    assert [rounded(Rounding.HALF_EVEN, days) for days in (1, 3, 5)] == [0, 2, 2]
    assert [rounded(Rounding.FLOOR, days) for days in (1, 3, 5)] == [0, 1, 2]


def test_the_unit_may_be_the_whole_yuan() -> None:
    whole = replace(TERMS, unit_minor=100)

    assert accrued(whole, [LENT], since=OPENED, until=date(2026, 1, 12))["interest"].minor == 1_500
    assert accrued(TERMS, [LENT], since=OPENED, until=date(2026, 1, 12))["interest"].exact == 1_500
    assert accrued(whole, [LENT], since=OPENED, until=date(2026, 1, 13))["interest"].minor == 1_800
    assert accrued(whole, [LENT], since=OPENED, until=date(2026, 1, 8))["interest"].minor == 300
    shifted = replace(
        whole, rounding=Rounding.FLOOR, contract=replace(whole.contract, annual_rate=Decimal("0.0899"))
    )
    assert accrued(shifted, [LENT], since=OPENED, until=date(2026, 1, 8))["interest"].minor == 200


def test_compounding_puts_unpaid_interest_with_what_is_overdue() -> None:
    terms = replace(TERMS, compounding=Compounding.COMPOUND)
    posted = Line(date(2026, 2, 5), "interest", {"interest": 8_700})
    lines = [LENT, posted, _paid(date(2026, 2, 7), 8_000, "interest")]

    found = accrued(terms, lines, since=date(2026, 2, 5), until=date(2026, 2, 9))

    assert found["penalty_interest"].parts[0].minor_days == 4 * 100_000 + 2 * 8_700 + 2 * 700
    card = accrued(replace(terms, bears_penalty=False), lines, since=date(2026, 2, 5), until=date(2026, 2, 9))
    assert card["interest"].parts[0].minor_days == 4 * 1_200_000 + 2 * 8_700 + 2 * 700


def test_posting_days_come_monthly_from_the_month_after_lending_and_after_maturity_too() -> None:
    month_end = replace(TERMS, contract=replace(TERMS.contract, pay_day=31), opened_on=date(2026, 1, 31))

    assert list(posting_days(month_end, until=date(2026, 4, 30))) == [
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
    ]
    assert list(posting_days(TERMS, until=date(2027, 3, 4)))[-2:] == [date(2027, 1, 5), date(2027, 2, 5)]


def test_the_expected_postings_of_a_loan_nobody_pays() -> None:
    found = expected_postings(TERMS, [LENT], as_of=date(2026, 3, 5))

    assert [(one.posted_on, one.component, one.amount.minor) for one in found] == [
        (date(2026, 2, 5), "interest", 8_700),  # 29 days on 12,000.00
        (date(2026, 3, 5), "interest", 7_700),  # 28 days on 11,000.00
        (date(2026, 3, 5), "penalty_interest", 1_050),  # 28 days on 1,000.00 at 13.5 %
    ]
    assert [one.since for one in found] == [OPENED, date(2026, 2, 5), date(2026, 2, 5)]


def test_expected_postings_that_compound_count_as_posted_unless_the_bank_posted_its_own() -> None:
    terms = replace(TERMS, compounding=Compounding.COMPOUND)
    own = Line(date(2026, 2, 5), "interest", {"interest": 8_700})

    alone = expected_postings(terms, [LENT], as_of=date(2026, 3, 5))
    given_one = expected_postings(terms, [LENT, own], as_of=date(2026, 3, 5))

    assert alone[-1].amount.parts[0].minor_days == 28 * (100_000 + 8_700)
    assert given_one == alone


def test_a_settled_loan_accrues_nothing_more() -> None:
    lines = [LENT, _paid(date(2026, 2, 5), 1_200_000)]

    assert len(expected_postings(TERMS, lines, as_of=date(2027, 6, 1))) == 1
    assert accrued(TERMS, lines, since=date(2026, 2, 5), until=date(2027, 6, 1)).minor == 0


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="period"):
        accrued(TERMS, [LENT], since=date(2026, 2, 5), until=date(2026, 2, 4))


def test_a_leap_year_is_one_day_longer_and_actual_actual_knows_it() -> None:
    lent = Line(date(2028, 1, 1), "disbursement", {"principal": 36_500 * 366})
    contract = LoanTerms(36_500 * 366, Decimal("0.1"), "bullet", 1, 36, date(2031, 1, 1))
    terms = InterestTerms(contract, date(2028, 1, 1), DayCount.ACTUAL_ACTUAL, True)

    def of(count: DayCount, year: int) -> Fraction:
        until = date(year + 1, 1, 1)
        return accrued(replace(terms, day_count=count), [lent], since=date(year, 1, 1), until=until)[
            "interest"
        ].exact

    assert of(DayCount.ACTUAL_ACTUAL, 2028) == of(DayCount.ACTUAL_ACTUAL, 2029) == 3_650 * 366
    assert of(DayCount.ACTUAL_365, 2028) == of(DayCount.ACTUAL_365, 2029) * Fraction(366, 365)
    assert of(DayCount.THIRTY_360, 2028) == of(DayCount.THIRTY_360, 2029) == 3_650 * 366


@given(st.data())
def test_it_equals_the_model_that_adds_up_single_days(data: st.DataObject) -> None:
    terms = data.draw(interest_terms())
    lines = data.draw(lines_of(terms))
    since = terms.opened_on + timedelta(days=data.draw(st.integers(0, 400)))
    until = since + timedelta(days=data.draw(st.integers(0, 130)))

    found = accrued(terms, lines, since=since, until=until)

    expected = by_day(terms, lines, since=since, until=until)
    for component in BEARING:
        exact, unit = expected[component], terms.unit_minor
        assert found[component].exact == exact
        rounded = divide(exact.numerator, exact.denominator * unit, terms.rounding) * unit
        assert found[component].minor == rounded


@given(st.data())
def test_periods_that_meet_sum_to_the_whole_before_rounding(data: st.DataObject) -> None:
    terms = data.draw(interest_terms())
    lines = data.draw(lines_of(terms))
    a, b, c = sorted(
        terms.opened_on + timedelta(days=days)
        for days in data.draw(st.tuples(*(st.integers(-20, 900) for _ in range(3))))
    )

    first, second, whole = (
        accrued(terms, lines, since=start, until=end) for start, end in ((a, b), (b, c), (a, c))
    )

    for component in BEARING:
        assert first[component].exact + second[component].exact == whole[component].exact
        together: dict[tuple[Decimal, int], int] = {}
        for part in (*first[component].parts, *second[component].parts):
            key = (part.rate, part.year_days)
            together[key] = together.get(key, 0) + part.minor_days
        assert together == {(part.rate, part.year_days): part.minor_days for part in whole[component].parts}


@given(st.data())
def test_the_order_of_the_lines_does_not_matter(data: st.DataObject) -> None:
    terms = data.draw(interest_terms())
    lines = data.draw(lines_of(terms))
    period = {"since": terms.opened_on, "until": terms.opened_on + timedelta(days=400)}

    assert accrued(terms, data.draw(st.permutations(lines)), **period) == accrued(terms, lines, **period)


@given(
    st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 9_999)), min_size=1, max_size=5),
    st.sampled_from(Rounding),
    st.sampled_from([1, 100]),
)
def test_the_shares_of_an_amount_sum_to_it(
    given_parts: list[tuple[int, int]], rounding: Rounding, unit: int
) -> None:
    parts = tuple(BalanceDays(Decimal(rate).scaleb(-4), 365, days) for days, rate in given_parts)
    exact = sum((part.exact for part in parts), Fraction(0))
    minor = divide(exact.numerator, exact.denominator * unit, rounding) * unit

    shares = ComponentAccrual(parts, exact, minor).shares(unit)

    assert sum(shares) == minor
    assert all(abs(share - part.exact) < unit for share, part in zip(shares, parts, strict=True))
