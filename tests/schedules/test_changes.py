"""Changes of a running schedule: what was paid stays, what is left still sums to the cent, the difference is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.dates import Frequency
from portal.money import Money, rate
from portal.schedules.changes import (
    Change,
    ChangeKind,
    extend,
    holiday,
    new_pay_day,
    new_rate,
    re_age,
    re_amortise,
    shift,
)
from portal.schedules.daycount import DayCount
from portal.schedules.extra import ExtraChoice, pay_extra, place_extra, place_payment
from portal.schedules.making import make
from portal.schedules.parts import Step, UnableToSchedule
from portal.schedules.request import Grace, GraceInterest, Keep, Method, ScheduleRequest
from portal.schedules.schedule import Schedule
from tests.schedules.invariants import faults
from tests.schedules.made import answer_to

START = date(2026, 1, 18)


def yuan(text: str) -> Money:
    return Money.from_file(text, "CNY")


def running(**knobs: Any) -> Schedule:
    return make(ScheduleRequest(**{"principal": yuan("4900.00"), "starts_on": START, "count": 9, **knobs}))


def texts(schedule: Schedule) -> list[str]:
    return [amount.plain() for amount in schedule.amounts]


def days(schedule: Schedule) -> list[str]:
    return [row.due_on.isoformat()[:7] for row in schedule.rows]


def test_a_shift_moves_the_days_and_leaves_the_amounts_without_interest() -> None:
    change = shift(running(), 3, 2)

    assert texts(change.after) == ["544.44"] * 8 + ["544.48"]
    assert days(change.after)[2:5] == ["2026-04", "2026-07", "2026-08"]
    assert [difference.number for difference in change.differences] == [4, 5, 6, 7, 8, 9]
    assert change.differences[0].days == 61
    assert (change.interest, change.count) == (yuan("0.00"), 0)


def test_a_shift_with_interest_costs_the_interest_of_the_time_between() -> None:
    plain = running(annual_rate=rate("12%"))
    change = shift(plain, 3, 1)

    assert change.interest.minor > 0
    assert change.after.rows[3].interest_minor == round(plain.rows[2].balance_minor * 0.02)
    assert len(set(texts(change.after)[3:-1])) == 1


def test_extra_terms_lower_what_is_left() -> None:
    change = extend(running(), 3, 3)

    assert change.count == 3
    assert texts(change.after) == ["544.44"] * 3 + ["362.96"] * 8 + ["363.00"]


def test_a_new_rate_holds_from_the_next_period_on() -> None:
    plain = running(annual_rate=rate("12%"))
    lower, shorter = new_rate(plain, 4, rate("6%")), new_rate(plain, 4, rate("6%"), keep=Keep.AMOUNT)
    dearer = new_rate(plain, 4, rate("30%"), keep=Keep.AMOUNT)

    assert lower.after.rows[4].interest_minor * 2 == plain.rows[4].interest_minor
    assert lower.after.usual < plain.usual
    assert texts(shorter.after)[4:-1] == texts(plain)[4:-1]
    assert shorter.after.amounts[-1] < plain.amounts[-1]
    assert dearer.count == 1
    assert texts(dearer.after)[4:-1] == [plain.usual.plain()] * 5


def test_a_holiday_keeps_the_amounts_and_moves_the_end_or_keeps_the_end() -> None:
    later, higher = holiday(running(), 2, 2), holiday(running(), 2, 2, keep=Keep.COUNT)

    assert texts(later.after) == ["544.44"] * 2 + ["0.00"] * 2 + ["544.44"] * 6 + ["544.48"]
    assert texts(higher.after) == ["544.44"] * 2 + ["0.00"] * 2 + ["762.22"] * 4 + ["762.24"]
    assert later.count == 2
    assert higher.count == 0


def test_a_holiday_with_interest_has_it_join_wait_or_be_paid() -> None:
    plain = running(annual_rate=rate("12%"))
    joined = holiday(plain, 2, 2)
    waiting = holiday(plain, 2, 2, interest=GraceInterest.CARRIED)
    paid = holiday(plain, 2, 2, unpaid=Grace.PRINCIPAL, keep=Keep.COUNT)

    assert joined.after.capitalised.minor == 3_849 + 3_887
    assert waiting.after.capitalised.minor == 0
    assert waiting.after.rows[3].carried_minor == 2 * 3_849
    assert [row.amount_minor for row in paid.after.rows[2:4]] == [3_849, 3_849]
    assert joined.interest > waiting.interest > paid.interest > yuan("0.00")


def test_another_pay_day_keeps_the_amounts() -> None:
    change = new_pay_day(running(), 1, 31)

    assert texts(change.after) == ["544.44"] * 8 + ["544.48"]
    assert [row.due_on.day for row in change.after.rows] == [18, 31, 30, 31, 30, 31, 31, 30, 31]


def test_the_last_instalment_of_equal_principal_keeps_what_it_carries() -> None:
    plain = running(
        annual_rate=rate("12%"), method=Method.EQUAL_PRINCIPAL, grace=Grace.BOTH, grace_count=1,
        grace_interest=GraceInterest.CARRIED,
    )  # fmt: skip
    change = new_pay_day(plain, 8, 20)

    assert faults(change.after, changed=True) == []
    assert [difference.amount_minor for difference in change.differences] == [0]


def test_re_ageing_spreads_what_was_missed_and_its_interest_bears_none() -> None:
    plain = running(annual_rate=rate("12%"), fee=yuan("3.00"))
    change = re_age(plain, 3, date(2026, 6, 20))
    missed = plain.rows[3:5]

    assert days(change.after)[2:5] == ["2026-04", "2026-07", "2026-08"]
    assert change.count == 0
    assert sum(row.principal_minor for row in change.after.rows[3:]) == plain.rows[2].balance_minor
    carried = sum(row.interest_minor for row in missed)
    assert change.after.rows[3].fee_minor == 900
    assert change.after.rows[3].interest_minor == round(plain.rows[2].balance_minor * 0.01) + carried // 6
    assert re_age(plain, 3, date(2026, 6, 20), count=12, unpaid_interest=yuan("0.00")).count == 6


def test_re_amortising_with_nothing_changed_changes_nothing() -> None:
    for plain in (
        running(annual_rate=rate("12%")),
        running(),
        running(annual_rate=rate("12%"), count=None, amount=yuan("300.00")),
    ):
        assert re_amortise(plain, 4, keep=Keep.AMOUNT).differences == ()


def test_an_extra_payment_goes_where_the_borrower_says() -> None:
    plain = running(annual_rate=rate("12%"))
    made = {choice: pay_extra(plain, 3, yuan("1000.00"), choice) for choice in ExtraChoice}

    assert made[ExtraChoice.NEXT].placed == ((4, 57_203), (5, 42_797))
    assert made[ExtraChoice.NEXT].change.differences == ()
    last = made[ExtraChoice.LAST].change
    assert (last.count, texts(last.after)[3:]) == (-1, ["572.03"] * 4 + ["87.37"])
    spread = made[ExtraChoice.SPREAD].change
    assert (spread.count, set(texts(spread.after)[3:-1])) == (0, {"399.48"})
    assert last.interest < spread.interest < yuan("0.00")
    assert last.after.total == plain.total + last.interest


def test_without_interest_the_three_choices_are_plain_sums() -> None:
    left = [54_444] * 3 + [54_448]

    assert place_payment(left, 100_000, 1, ExtraChoice.NEXT) == (54_444, 45_556, 0, 0)
    assert place_payment(left, 100_000, 1, ExtraChoice.LAST) == (54_444, 0, 0, 45_556)
    assert place_payment(left, 100_000, 1, ExtraChoice.SPREAD) == (54_444, 15_185, 15_185, 15_186)
    assert place_payment(left, 10**9, 1, ExtraChoice.LAST) == tuple(left)
    last = pay_extra(running(), 0, yuan("600.00"), ExtraChoice.LAST).change.after
    assert texts(last) == ["544.44"] * 7 + ["488.92"]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=60),
    st.integers(0, 10**11),
    st.sampled_from(list(ExtraChoice)),
    st.integers(0, 3),
)
def test_placing_sums_exactly_and_never_passes_an_amount(
    left: list[int], minor: int, choice: ExtraChoice, first: int
) -> None:
    met = place_payment(left, minor, first, choice)

    assert sum(met) == min(minor, sum(left))
    assert all(0 <= took <= amount for took, amount in zip(met, left, strict=True))
    assert met[:first] == place_extra(left[:first], minor, ExtraChoice.NEXT)
    if choice is ExtraChoice.SPREAD and len(set(left[first:])) == 1:
        assert max(met[first:]) - min(met[first:]) <= 1


CHANGES: dict[ChangeKind, Callable[[st.DrawFn, Schedule, int], Change]] = {
    ChangeKind.SHIFTED: lambda draw, plan, at: shift(plan, at, draw(st.integers(1, 4))),
    ChangeKind.EXTENDED: lambda draw, plan, at: extend(plan, at, draw(st.integers(1, 12))),
    ChangeKind.NEW_RATE: lambda draw, plan, at: new_rate(
        plan, at, Decimal(draw(st.integers(0, 3_600))).scaleb(-4), keep=draw(st.sampled_from(list(Keep)))
    ),
    ChangeKind.HOLIDAY: lambda draw, plan, at: holiday(
        plan, at, draw(st.integers(1, 3)),
        unpaid=draw(st.sampled_from([Grace.BOTH, Grace.PRINCIPAL, Grace.INTEREST])),
        interest=draw(st.sampled_from(list(GraceInterest))), keep=draw(st.sampled_from(list(Keep))),
    ),
    ChangeKind.NEW_PAY_DAY: lambda draw, plan, at: new_pay_day(plan, at, draw(st.integers(1, 31))),
    ChangeKind.RE_AGED: lambda draw, plan, at: re_age(
        plan, at, plan.rows[draw(st.integers(at, plan.count - 1))].due_on + timedelta(draw(st.integers(0, 9)))
    ),
    ChangeKind.RE_AMORTISED: lambda draw, plan, at: re_amortise(plan, at, keep=draw(st.sampled_from(list(Keep)))),
    ChangeKind.EXTRA_PAID: lambda draw, plan, at: pay_extra(
        plan, at, Money(draw(st.integers(1, plan.principal.minor)), plan.currency), draw(st.sampled_from(list(ExtraChoice)))
    ).change,
}  # fmt: skip


def scheduled(draw: st.DrawFn) -> Schedule:
    """A schedule that may run: level, falling, free of interest or stepped, some with a grace."""
    method = draw(st.sampled_from(list(Method)))
    graced = draw(st.booleans())
    made = answer_to(
        ScheduleRequest(
            principal=Money(draw(st.integers(10_000, 10**9)), "CNY"),
            starts_on=draw(st.dates(date(2024, 1, 1), date(2030, 1, 1))),
            count=draw(st.integers(6, 30)),
            method=method,
            annual_rate=Decimal(0 if method is Method.INTEREST_FREE else draw(st.integers(0, 2_400))).scaleb(
                -4
            ),
            steps=(Step(2, Money(draw(st.integers(100, 2_000)), "CNY")),) if method is Method.STEPPED else (),
            frequency=draw(st.sampled_from(list(Frequency))),
            day_count=draw(st.none() | st.sampled_from(list(DayCount))),
            grace=draw(st.sampled_from([Grace.BOTH, Grace.PRINCIPAL, Grace.INTEREST]))
            if graced
            else Grace.NONE,
            grace_count=draw(st.integers(1, 3)) if graced else 0,
            grace_interest=draw(st.sampled_from(list(GraceInterest))),
            fee=draw(st.none() | st.just(Money(150, "CNY"))),
        )
    )
    assume(isinstance(made, Schedule))
    assert isinstance(made, Schedule)
    return made


@given(st.data(), st.composite(scheduled)())
def test_any_change_after_any_change_keeps_what_was_paid_and_sums_to_the_cent(
    data: st.DataObject, plan: Schedule
) -> None:
    for _ in range(3):
        settled = data.draw(st.integers(plan.settled, plan.count - 1))
        kind = data.draw(st.sampled_from(list(ChangeKind)))
        try:
            change = CHANGES[kind](data.draw, plan, settled)
        except (UnableToSchedule, ValueError):
            continue

        assert change.kind is kind
        assert change.before is plan
        assert change.after.rows[:settled] == plan.rows[:settled]
        assert change.after.extra[: len(plan.extra)] == plan.extra
        assert faults(change.after, changed=True) == []
        assert [row.number for row in change.after.rows] == list(range(1, change.after.count + 1))
        told = sum(difference.amount_minor for difference in change.differences)
        beside = sum(amount.minor for _, amount in change.after.extra[len(plan.extra) :])
        assert change.after.total.minor == plan.total.minor + told + beside
        plan = change.after


@pytest.mark.parametrize("settled", [3, 9, -1])
def test_a_change_that_leaves_nothing_or_reaches_back_is_an_error(settled: int) -> None:
    plan = shift(running(annual_rate=rate("12%")), 4, 1).after
    changes: list[Callable[[], object]] = [
        lambda: shift(plan, settled, 1),
        lambda: extend(plan, settled, 1),
        lambda: new_rate(plan, settled, rate("1%")),
        lambda: holiday(plan, settled, 1),
        lambda: new_pay_day(plan, settled, 1),
        lambda: re_age(plan, settled, date(2026, 12, 31)),
        lambda: re_amortise(plan, settled),
        lambda: pay_extra(plan, settled, yuan("1.00"), ExtraChoice.LAST),
    ]

    for change in changes:
        with pytest.raises(ValueError, match="last change"):
            change()


def test_changes_that_mean_nothing_are_an_error() -> None:
    plan = running(grace=Grace.BOTH, grace_count=2)
    changes: list[Callable[[], object]] = [
        lambda: shift(plan, 3, 0),
        lambda: extend(plan, 3, 0),
        lambda: holiday(plan, 3, 0),
        lambda: holiday(plan, 1, 1),
        lambda: holiday(plan, 3, 1, unpaid=Grace.NONE),
        lambda: re_age(plan, 3, START),
        lambda: pay_extra(plan, 3, yuan("0.00"), ExtraChoice.NEXT),
        lambda: place_extra((1,), -1, ExtraChoice.NEXT),
    ]

    for change in changes:
        with pytest.raises(ValueError):
            change()
