"""Paying more than the instalment: where it goes, what each choice would do, and that the plan remembers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from portal.money import Money
from portal.payments.models import Payment
from portal.plans.models import Plan
from portal.plans.operations import apply_receipt
from portal.plans.outlook import OpenInstalment, due_first, outlooks, placed
from portal.plans.progress import rows_of
from portal.plans.queries import PlanView, latest_plan_for
from portal.plans.receipts import recount
from portal.schedules.extra import ExtraChoice
from tests.plans.people import NOW, Story
from tests.plans.scene import TODAY, yuan
from tests.plans.test_operations import payment


def plan_of(story: Story) -> PlanView:
    with story.database.read() as connection:
        plan = latest_plan_for(connection, story.lin)
    assert plan is not None
    return plan


def pay(
    story: Story,
    plan_id: int,
    minor: int,
    number: int,
    choice: ExtraChoice | None = None,
    today: date = TODAY,
) -> Money:
    payment_id = payment(story, plan_id, minor, number)
    return story.write(
        lambda session: apply_receipt(
            session,
            plan_id=plan_id,
            payment_id=payment_id,
            amount=Money(minor, "CNY"),
            now=NOW,
            today=today,
            choice=choice,
        )
    )


def paid_of(plan: PlanView) -> dict[int, str]:
    return {part.number: part.paid.plain() for part in plan.instalments if part.paid}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ExtraChoice.NEXT, {1: "1522.50", 2: "1522.50", 3: "955.00"}),
        (ExtraChoice.LAST, {1: "1522.50", 11: "955.00", 12: "1522.50"}),
        (ExtraChoice.SPREAD, {1: "1522.50", **dict.fromkeys(range(2, 10), "225.23"), **dict.fromkeys(range(10, 13), "225.22")}),
    ],
)  # fmt: skip
def test_more_than_the_instalment_goes_where_the_borrower_says(
    lin_story: Story, choice: ExtraChoice, expected: dict[int, str]
) -> None:
    made = lin_story.plan()

    assert pay(lin_story, made.plan_id, 400_000, 1, choice) == yuan("4000.00")

    plan = plan_of(lin_story)
    assert paid_of(plan) == expected
    assert plan.left == yuan("14270.00")
    assert plan.terms.digest() == plan.terms_hash


def test_the_choice_is_the_plans_own_from_then_on(lin_story: Story) -> None:
    made = lin_story.plan()
    assert plan_of(lin_story).extra_choice is ExtraChoice.NEXT

    pay(lin_story, made.plan_id, 200_000, 1, ExtraChoice.LAST)
    pay(lin_story, made.plan_id, 200_000, 2)

    plan = plan_of(lin_story)
    assert plan.extra_choice is ExtraChoice.LAST
    assert paid_of(plan) == {1: "1522.50", 2: "1522.50", 12: "955.00"}


def test_what_is_overdue_comes_before_any_choice(lin_story: Story) -> None:
    made = lin_story.plan()
    third = plan_of(lin_story).instalments[2]

    pay(lin_story, made.plan_id, 500_000, 1, ExtraChoice.LAST, today=third.due_on)

    assert paid_of(plan_of(lin_story)) == {1: "1522.50", 2: "1522.50", 3: "1522.50", 12: "432.50"}


def test_paying_the_end_first_ends_the_plan_sooner(lin_story: Story) -> None:
    made = lin_story.plan()
    pay(lin_story, made.plan_id, 152_250 * 3, 1, ExtraChoice.LAST)
    plan = plan_of(lin_story)
    rows = rows_of(plan, today=TODAY, grace_days=3)

    assert plan.last_open.number == 10
    assert [row.number for row in rows if row.is_last] == [10]
    assert [row.number for row in rows if row.is_early] == [1, 11, 12]

    pay(lin_story, made.plan_id, 152_250 * 9, 2, ExtraChoice.SPREAD)

    plan = plan_of(lin_story)
    assert plan.state == "completed"
    assert plan.last_open.number == 12
    with lin_story.database.read() as connection:
        assert connection.scalar(select(Plan.extra_choice)) == "spread"


def test_what_went_back_and_comes_again_is_where_the_borrower_put_it(lin_story: Story) -> None:
    made = lin_story.plan()
    pay(lin_story, made.plan_id, 400_000, 1, ExtraChoice.LAST)
    before = paid_of(plan_of(lin_story))
    with lin_story.database.read() as connection:
        payment_id = connection.scalar(select(Payment.id)) or 0

    def net(minor: int) -> None:
        lin_story.write(
            lambda session: recount(session, payment_id=payment_id, net=Money(minor, "CNY"), now=NOW)
        )

    net(0)
    assert paid_of(plan_of(lin_story)) == {}
    net(400_000)
    assert paid_of(plan_of(lin_story)) == before

    net(0)
    pay(lin_story, made.plan_id, 100_000, 2, ExtraChoice.NEXT)
    net(400_000)
    assert paid_of(plan_of(lin_story)) == {1: "1522.50", 2: "1000.00", 11: "955.00", 12: "1522.50"}


def open_ones(amounts: list[int]) -> list[OpenInstalment]:
    return [
        OpenInstalment(number, TODAY + timedelta(days=30 * number), Money(minor, "CNY"))
        for number, minor in enumerate(amounts, start=1)
    ]


def test_each_choice_is_told_before_anything_is_paid() -> None:
    next_, last, spread = outlooks(open_ones([54_444] * 8 + [54_448]), yuan("1500.00"), today=TODAY)

    assert next_.extra == last.extra == spread.extra == yuan("955.56")
    assert (next_.next_due_on, next_.next_left) == (TODAY + timedelta(days=90), yuan("133.32"))
    assert (last.next_left, last.last_due_on, last.count) == (yuan("544.44"), TODAY + timedelta(days=240), 7)
    assert (spread.count, spread.largest, spread.last_due_on) == (
        8,
        yuan("425.03"),
        TODAY + timedelta(days=270),
    )


@pytest.mark.parametrize("amount", ["544.44", "100.00", "4900.00", "5000.00"])
def test_with_nothing_to_choose_there_is_no_choice(amount: str) -> None:
    assert outlooks(open_ones([54_444] * 8 + [54_448]), yuan(amount), today=TODAY) == ()


def test_what_is_due_by_a_day_is_at_least_the_next_one() -> None:
    days = [TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=2)]

    assert [due_first(days, TODAY + timedelta(days=n)) for n in (-1, 0, 1, 9)] == [1, 1, 2, 3]
    assert due_first([], TODAY) == 0


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=40),
    st.lists(
        st.tuples(st.integers(1, 10**6), st.sampled_from(list(ExtraChoice)), st.integers(0, 1_000)),
        max_size=30,
    ),
)
def test_however_it_is_paid_and_chosen_the_plan_is_paid_exactly(
    amounts: list[int], payments: list[tuple[int, ExtraChoice, int]]
) -> None:
    """S9: the sum of what was counted is the sum paid, no instalment is paid twice, nothing is left at the end."""
    left = {part.number: part for part in open_ones(amounts)}
    counted = 0
    for minor, choice, days in payments:
        opened = [part for part in left.values() if part.left]
        met = placed(opened, minor, choice, today=TODAY + timedelta(days=days))
        assert sum(met) == min(minor, sum(part.left.minor for part in opened))
        counted += sum(met)
        for part, took in zip(opened, met, strict=True):
            assert 0 <= took <= part.left.minor
            left[part.number] = OpenInstalment(part.number, part.due_on, part.left - Money(took, "CNY"))

    assert counted + sum(part.left.minor for part in left.values()) == sum(amounts)
