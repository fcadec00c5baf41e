"""Schedules by every knob: the design's examples exactly, and what holds at the edges."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dates import Frequency
from portal.money import CurrencyMismatch, Money, Rounding, rate
from portal.schedules.apr import apr, apr_of
from portal.schedules.daycount import DayCount, days_between, year_fraction
from portal.schedules.declining import Charges, annuity, equal_principal, with_last
from portal.schedules.making import make
from portal.schedules.parts import Residue, Step, UnableToSchedule, Unschedulable
from portal.schedules.request import Grace, GraceInterest, Method, ScheduleRequest
from portal.schedules.schedule import Schedule
from tests.schedules.invariants import faults, within_rounding
from tests.schedules.made import answer_to

START = date(2026, 1, 15)


def yuan(text: str) -> Money:
    return Money.from_file(text, "CNY")


def schedule_of(principal: Money, **knobs: Any) -> Schedule:
    made = make(ScheduleRequest(principal=principal, **{"starts_on": START, **knobs}))
    assert faults(made) == []
    return made


def texts(schedule: Schedule) -> list[str]:
    return [amount.plain() for amount in schedule.amounts]


def parts(schedule: Schedule) -> list[tuple[int, int]]:
    return [(row.principal_minor, row.interest_minor) for row in schedule.rows]


def test_the_designs_examples() -> None:
    free = schedule_of(yuan("4900.00"), count=9, method=Method.INTEREST_FREE)
    units = schedule_of(yuan("5000.00"), count=18, annual_rate=rate("12%"), unit_minor=100)
    residue = schedule_of(yuan("407.26"), amount=yuan("407.00"))

    assert texts(free) == ["544.44"] * 8 + ["544.48"]
    assert (texts(units), units.interest.plain()) == (["305.00"] * 17 + ["303.22"], "488.22")
    assert texts(residue) == ["407.00", "0.26"]


def test_where_the_residue_lands() -> None:
    def eleven(residue: Residue) -> list[str]:
        return texts(schedule_of(yuan("0.11"), count=4, residue=residue))

    assert eleven(Residue.LAST) == ["0.03", "0.03", "0.03", "0.02"]
    assert eleven(Residue.FIRST) == ["0.02", "0.03", "0.03", "0.03"]
    assert eleven(Residue.SPREAD) == ["0.03", "0.03", "0.03", "0.02"]
    level = {
        residue: schedule_of(yuan("5000.00"), count=18, annual_rate=rate("12%"), residue=residue)
        for residue in Residue
    }
    assert texts(level[Residue.LAST]) == ["304.91"] * 17 + ["304.94"]
    assert texts(level[Residue.FIRST]) == ["304.93"] + ["304.91"] * 17
    assert set(texts(level[Residue.SPREAD])) == {"304.91", "304.92"}


def test_a_chosen_amount_with_interest_and_where_its_odd_one_is() -> None:
    def chosen(residue: Residue) -> list[str]:
        return texts(
            schedule_of(yuan("5000.00"), amount=yuan("305.00"), annual_rate=rate("12%"), residue=residue)
        )

    assert chosen(Residue.LAST) == ["305.00"] * 17 + ["303.22"]
    assert chosen(Residue.FIRST) == ["303.52"] + ["305.00"] * 17
    assert set(chosen(Residue.SPREAD)) == {"304.91", "304.92"}


def test_the_short_functions_say_the_same() -> None:
    made = schedule_of(yuan("12345.67"), count=24, annual_rate=rate("8.8%"))
    falling = schedule_of(yuan("12345.67"), count=24, annual_rate=rate("8.8%"), method=Method.EQUAL_PRINCIPAL)

    assert parts(made) == [
        (part.principal.minor, part.interest.minor)
        for part in annuity(yuan("12345.67"), annual_rate=rate("8.8%"), count=24)
    ]
    assert parts(falling) == [
        (part.principal.minor, part.interest.minor)
        for part in equal_principal(yuan("12345.67"), annual_rate=rate("8.8%"), count=24)
    ]


def test_grace_of_principal_pays_the_interest_alone() -> None:
    made = schedule_of(
        yuan("1200.00"), count=5, annual_rate=rate("12%"), grace=Grace.PRINCIPAL, grace_count=2
    )

    assert parts(made)[:2] == [(0, 1_200), (0, 1_200)]
    assert made.rows[1].balance_minor == 120_000
    assert parts(made)[2:] == parts(schedule_of(yuan("1200.00"), count=3, annual_rate=rate("12%")))


def test_grace_of_both_pays_nothing_and_the_interest_joins_or_waits() -> None:
    def both(kind: GraceInterest) -> Schedule:
        return schedule_of(
            yuan("1200.00"),
            count=5,
            annual_rate=rate("12%"),
            grace=Grace.BOTH,
            grace_count=2,
            grace_interest=kind,
        )

    joined, waiting = both(GraceInterest.CAPITALISED), both(GraceInterest.CARRIED)

    assert texts(joined)[:2] == texts(waiting)[:2] == ["0.00", "0.00"]
    assert [row.balance_minor for row in joined.rows[:2]] == [121_200, 122_412]
    assert joined.capitalised == yuan("24.12")
    assert [(row.balance_minor, row.carried_minor) for row in waiting.rows[:2]] == [
        (120_000, 1_200),
        (120_000, 2_400),
    ]
    assert not waiting.capitalised
    assert parts(waiting)[2:] == [
        (principal, interest + 800)
        for principal, interest in parts(schedule_of(yuan("1200.00"), count=3, annual_rate=rate("12%")))
    ]


def test_grace_of_interest_pays_equal_parts_of_principal() -> None:
    made = schedule_of(
        yuan("1200.00"), count=4, annual_rate=rate("12%"), grace=Grace.INTEREST, grace_count=1,
        grace_interest=GraceInterest.CARRIED, method=Method.EQUAL_PRINCIPAL,
    )  # fmt: skip

    assert parts(made) == [(30_000, 0), (30_000, 900 + 400), (30_000, 600 + 400), (30_000, 300 + 400)]


def test_steps_come_first_and_the_rest_is_level() -> None:
    made = schedule_of(
        yuan("5000.00"), count=6, annual_rate=rate("12%"), method=Method.STEPPED,
        steps=(Step(1, yuan("100.00")), Step(1, yuan("200.00"))),
    )  # fmt: skip

    assert texts(made)[:2] == ["100.00", "200.00"]
    assert len(set(texts(made)[2:-1])) == 1
    assert abs(made.amounts[-1].minor - made.amounts[-2].minor) <= 4


def test_fees_are_part_of_what_is_paid_and_of_the_annual_rate() -> None:
    fees = {"fee": yuan("5.00"), "first_fee": yuan("20.00"), "opening_fee": yuan("50.00")}
    plain = schedule_of(yuan("5000.00"), count=12, annual_rate=rate("12%"))
    dearer = schedule_of(yuan("5000.00"), count=12, annual_rate=rate("12%"), **fees)

    assert [row.fee_minor for row in dearer.rows] == [2_500] + [500] * 11
    assert dearer.fees == yuan("130.00")
    assert dearer.total - plain.total == yuan("130.00")
    assert dearer.payments[0] == (START, yuan("50.00"))
    assert apr_of(dearer) > apr_of(plain)
    assert apr_of(dearer) == apr(dearer.principal, START, dearer.payments)


@pytest.mark.parametrize("count", list(DayCount))
@pytest.mark.parametrize("frequency", list(Frequency))
def test_by_days_each_interest_is_the_balance_times_the_days(count: DayCount, frequency: Frequency) -> None:
    made = schedule_of(
        yuan("98765.43"),
        count=40,
        annual_rate=rate("8.8%"),
        day_count=count,
        frequency=frequency,
        starts_on=date(2027, 1, 31),
    )

    before, balance = made.starts_on, made.principal.minor
    for row in made.rows:
        exact = balance * Fraction("0.088") * year_fraction(count, before, row.due_on)
        assert within_rounding(exact.numerator, exact.denominator, row.interest_minor, Rounding.HALF_UP)
        before, balance = row.due_on, row.balance_minor
    assert abs(made.amounts[-1].minor - made.usual.minor) <= 40


def test_a_leap_day_bears_interest_like_any_other() -> None:
    ordinary, leap = (
        schedule_of(
            yuan("100000.00"),
            count=1,
            annual_rate=rate("3.65%"),
            day_count=DayCount.ACTUAL_365,
            starts_on=day,
        )
        for day in (date(2027, 2, 15), date(2028, 2, 15))
    )

    assert leap.interest - ordinary.interest == yuan("10.00")


def test_the_first_instalment_may_span_several_periods() -> None:
    made = schedule_of(yuan("1200.00"), count=2, annual_rate=rate("12%"), first_periods=3)

    assert parts(made)[0][1] == 3_600
    assert apr_of(made) > 0


def wide(draw: st.DrawFn) -> ScheduleRequest:
    """Any request that its own checks let through, reasonable or not."""
    currency = draw(st.sampled_from(["JPY", "CNY", "KWD"]))
    money = st.integers(0, 10**12).map(lambda minor: Money(minor, currency))
    method = draw(st.sampled_from(list(Method)))
    grace = draw(st.sampled_from(list(Grace)))
    by_amount = draw(st.booleans())
    steps = st.lists(st.builds(Step, st.integers(0, 12), money), min_size=1, max_size=3).map(tuple)
    points = 0 if method is Method.INTEREST_FREE else draw(st.integers(0, 100_000))
    return ScheduleRequest(
        principal=draw(money),
        starts_on=draw(st.dates(date(1990, 1, 1), date(2200, 1, 1))),
        count=None if by_amount else draw(st.integers(-1, 70)),
        amount=draw(money) if by_amount else None,
        method=method,
        annual_rate=Decimal(points).scaleb(-4),
        steps=draw(steps) if method is Method.STEPPED else (),
        frequency=draw(st.sampled_from(list(Frequency))),
        pay_day=draw(st.none() | st.integers(1, 31)),
        day_count=draw(st.none() | st.sampled_from(list(DayCount))),
        first_periods=draw(st.integers(1, 3)),
        grace=grace,
        grace_count=0 if grace is Grace.NONE else draw(st.integers(1, 12)),
        grace_interest=draw(st.sampled_from(list(GraceInterest))),
        carried=draw(st.none() | money),
        residue=draw(st.sampled_from(list(Residue))),
        rounding=draw(st.sampled_from(list(Rounding))),
        unit_minor=draw(st.sampled_from([1, 1, 5, 100])),
        interest_unit_minor=draw(st.sampled_from([1, 1, 100])),
        fee=draw(st.none() | money),
        opening_fee=draw(st.none() | money),
    )


@given(st.composite(wide)())
def test_any_request_is_answered_exactly_or_refused_by_name(request: ScheduleRequest) -> None:
    made = answer_to(request)

    if isinstance(made, Schedule):
        assert faults(made) == []
        assert request.count in (None, made.count)
    else:
        assert made in Unschedulable


@given(
    st.integers(1_000, 10**10), st.integers(2, 120), st.integers(1, 4_000), st.sampled_from(list(Rounding))
)
def test_a_residue_spread_leaves_no_two_more_than_two_units_apart(
    minor: int, count: int, points: int, rounding: Rounding
) -> None:
    request = ScheduleRequest(
        principal=Money(minor * count, "CNY"), starts_on=START, count=count,
        annual_rate=Decimal(points).scaleb(-4), residue=Residue.SPREAD, rounding=rounding,
    )  # fmt: skip

    amounts = [amount.minor for amount in make(request).amounts]

    assert max(amounts) - min(amounts) <= (2 if rounding is not Rounding.FLOOR else 3)


@given(st.integers(1_000, 10**9), st.integers(3, 60), st.integers(1, 3_600))
def test_with_the_residue_first_no_other_first_instalment_leaves_the_last_nearer(
    minor: int, count: int, points: int
) -> None:
    annual = Decimal(points).scaleb(-4)
    principal = Money(minor * count, "CNY")
    made = make(
        ScheduleRequest(
            principal=principal, starts_on=START, count=count, annual_rate=annual, residue=Residue.FIRST
        )
    )
    first, level = made.amounts[0].minor, made.usual.minor

    def off(amount: int) -> int:
        told = with_last(principal.minor, Charges.even(annual, 12), 0, (amount, *(level,) * (count - 2)))
        return abs(told[-1].principal + told[-1].interest - level) if len(told) == count else level

    assert len(set(made.amounts[1:-1])) == 1
    assert (
        abs(made.amounts[-1].minor - level)
        == off(first)
        <= min(off(first + by) for by in (-3, -2, -1, 1, 2, 3))
    )


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"principal": yuan("0.00"), "count": 3}, "nothing_due"),
        ({"count": 0}, "too_many"),
        ({"count": 601}, "too_many"),
        ({"amount": yuan("0.01")}, "too_many"),
        ({"amount": yuan("0.00")}, "below_one_unit"),
        ({"amount": yuan("9.99"), "annual_rate": rate("12%")}, "below_interest"),
        ({"principal": yuan("0.02"), "count": 3}, "below_one_unit"),
        ({"principal": yuan("2.00"), "count": 3, "unit_minor": 100}, "below_one_unit"),
        ({"count": 3, "grace": Grace.BOTH, "grace_count": 3}, "grace_too_long"),
        ({"amount": yuan("500.00"), "grace": Grace.INTEREST, "grace_count": 2}, "grace_too_long"),
        ({"count": 3, "first_due_on": START}, "date_order"),
        ({"count": 30, "starts_on": date(9998, 1, 1)}, "date_out_of_reach"),
        ({"count": 3, "method": Method.STEPPED, "steps": (Step(3, yuan("1.00")),)}, "step_too_large"),
        ({"count": 3, "method": Method.STEPPED, "steps": (Step(1, yuan("1000.00")),)}, "step_too_large"),
        ({"count": 3, "method": Method.STEPPED, "steps": (Step(1, yuan("1.00")),), "annual_rate": rate("99%")}, "below_interest"),
    ],
)  # fmt: skip
def test_what_has_no_schedule_is_refused_by_name(knobs: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnableToSchedule) as caught:
        make(ScheduleRequest(**{"principal": yuan("1000.00"), "starts_on": START, **knobs}))

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"count": 3, "amount": yuan("1.00")},
        {"count": 3, "annual_rate": Decimal("-0.01")},
        {"count": 3, "annual_rate": Decimal("NaN")},
        {"count": 3, "annual_rate": rate("1%"), "method": Method.INTEREST_FREE},
        {"count": 3, "steps": (Step(1, yuan("1.00")),)},
        {"count": 3, "method": Method.STEPPED},
        {"count": 3, "pay_day": 32},
        {"count": 3, "unit_minor": 0},
        {"count": 3, "first_periods": 0},
        {"count": 3, "grace": Grace.BOTH},
        {"count": 3, "grace_count": 1},
        {"amount": Money(-1, "CNY")},
    ],
)
def test_knobs_that_mean_nothing_are_an_error(knobs: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ScheduleRequest(**{"principal": yuan("1000.00"), "starts_on": START, **knobs})


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch):
        ScheduleRequest(principal=yuan("1000.00"), starts_on=START, amount=Money(100, "USD"))


def test_the_pairs_of_days_of_a_period_add_up_to_the_whole() -> None:
    made = schedule_of(yuan("1000.00"), count=30, annual_rate=rate("6%"), day_count=DayCount.ACTUAL_ACTUAL)
    days = [made.starts_on, *(row.due_on for row in made.rows)]

    whole = sum(count for a, b in pairwise(days) for count, _ in days_between(DayCount.ACTUAL_ACTUAL, a, b))
    assert whole == (days[-1] - days[0]).days
