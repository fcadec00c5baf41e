"""Allocation: the bank's order to the cent, and what holds for every payment there can be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.jurisdictions import pack
from portal.money import CurrencyMismatch, Money
from portal.payments.allocation import COMPONENTS, Allocation, Debt, allocate, facts_of, place

CN = pack("cn")
minor = st.integers(min_value=0, max_value=10**9)
amounts = st.integers(min_value=1, max_value=6 * 10**9).map(lambda value: Money(value, "CNY"))


@st.composite
def debts(draw: st.DrawFn, loan_id: int = 1) -> Debt:
    left = {name: draw(minor) for name in COMPONENTS}
    return Debt(
        loan_id=loan_id,
        loan_ref=f"L{loan_id}",
        product_class=draw(st.sampled_from(["loan", "card"])),
        days_overdue=draw(st.integers(min_value=0, max_value=2000)),
        annual_rate=Decimal(draw(st.integers(min_value=0, max_value=2400))).scaleb(-4),
        left=left,
        due_principal=draw(st.integers(min_value=0, max_value=left["principal"])),
    )


several = st.integers(min_value=1, max_value=4).flatmap(
    lambda count: st.tuples(*(debts(loan_id=number) for number in range(1, count + 1)))
)


def on(debt: Debt, amount: Money) -> Allocation:
    return allocate(
        amount,
        debt.left,
        debt.due_principal,
        product_class=debt.product_class,
        days_overdue=debt.days_overdue,
        pack=CN,
    )


def steps_of(allocation: Allocation) -> list[tuple[str, bool, int]]:
    return [(step.component, step.due, step.amount.minor) for step in allocation.steps]


def test_costs_then_interest_then_principal_as_in_article_561() -> None:
    left = {"cost": 300_000, "interest": 500_000, "principal": 10_000_000}

    placed = allocate(
        Money(3_000_000, "CNY"), left, 10_000_000, product_class="loan", days_overdue=40, pack=CN
    )

    assert steps_of(placed) == [
        ("cost", True, 300_000),
        ("interest", True, 500_000),
        ("principal", True, 2_200_000),
    ]
    assert placed.steps[-1].left_minor == 7_800_000
    assert "561" in placed.source
    assert not placed.suspense


def test_a_loan_pays_fees_then_penalty_interest_then_interest_then_due_principal() -> None:
    left = {"fee": 100, "penalty_interest": 200, "interest": 300, "principal": 5_000}

    placed = allocate(Money(1_000, "CNY"), left, 1_000, product_class="loan", days_overdue=400, pack=CN)

    assert [step[0] for step in steps_of(placed)] == ["fee", "penalty_interest", "interest", "principal"]
    assert placed.parts == {"fee": 100, "penalty_interest": 200, "interest": 300, "principal": 400}


@pytest.mark.parametrize(("days", "first"), [(0, "fee"), (90, "fee"), (91, "principal"), (900, "principal")])
def test_a_card_changes_its_order_after_ninety_days(days: int, first: str) -> None:
    left = {"fee": 100, "interest": 300, "principal": 5_000}

    placed = allocate(Money(50, "CNY"), left, 4_000, product_class="card", days_overdue=days, pack=CN)

    assert steps_of(placed) == [(first, True, 50)]
    assert "57" in placed.source


def test_an_old_card_pays_due_principal_then_charges_then_principal_in_advance() -> None:
    left = {"fee": 100, "interest": 300, "principal": 5_000}

    placed = allocate(Money(5_000, "CNY"), left, 4_000, product_class="card", days_overdue=120, pack=CN)

    assert steps_of(placed) == [
        ("principal", True, 4_000),
        ("fee", True, 100),
        ("interest", True, 300),
        ("principal", False, 600),
    ]
    assert placed.steps[-1].left_minor == 400


def test_what_nothing_can_take_is_suspense() -> None:
    placed = allocate(
        Money(40_700, "CNY"), {"principal": 40_000}, 0, product_class="loan", days_overdue=0, pack=CN
    )

    assert placed.suspense == Money(700, "CNY")


@given(debts(), amounts)
def test_no_part_is_negative_and_the_parts_sum_to_the_payment(debt: Debt, amount: Money) -> None:
    placed = on(debt, amount)

    assert sum(placed.parts.values()) + placed.suspense.minor == amount.minor  # M4
    assert placed.suspense.minor >= 0
    for name, value in placed.parts.items():
        assert 0 < value <= debt.left[name]  # M3
    assert all(step.left_minor >= 0 and step.amount.minor > 0 for step in placed.steps)


@given(debts(), amounts)
def test_a_lower_claim_gets_money_only_when_all_higher_ones_are_settled(debt: Debt, amount: Money) -> None:
    placed = on(debt, amount)

    given_to = {(step.component, step.due): step.amount.minor for step in placed.steps}
    rule = CN.allocation_order(debt.product_class, debt.days_overdue)
    ladder = [(name, True) for name in rule.components] + [("principal", False)]
    claims = {(name, True): debt.left[name] for name in COMPONENTS}
    claims["principal", True] = debt.due_principal
    claims["principal", False] = debt.left["principal"] - debt.due_principal
    for position, claim in enumerate(ladder):
        if given_to.get(claim, 0) > 0:
            assert all(given_to.get(higher, 0) == claims[higher] for higher in ladder[:position])  # M5
    if placed.suspense:
        assert sum(placed.parts.values()) == sum(debt.left.values())


@given(debts(), amounts, amounts)
def test_two_payments_after_each_other_place_like_one(debt: Debt, first: Money, second: Money) -> None:
    one = on(debt, first + second)
    before = on(debt, first)
    due_paid = sum(s.amount.minor for s in before.steps if s.component == "principal" and s.due)
    left = {name: debt.left[name] - before.parts.get(name, 0) for name in COMPONENTS}

    after = allocate(
        second,
        left,
        debt.due_principal - due_paid,
        product_class=debt.product_class,
        days_overdue=debt.days_overdue,
        pack=CN,
    )

    for name in COMPONENTS:
        assert before.parts.get(name, 0) + after.parts.get(name, 0) == one.parts.get(name, 0)


@given(several, amounts)
def test_over_several_loans_nothing_is_lost_and_what_is_due_comes_first(
    loans: tuple[Debt, ...], amount: Money
) -> None:
    placed = place(amount, loans, pack=CN)

    assert sum(one.allocation.amount.minor for one in placed) == amount.minor
    parts = sum(sum(one.allocation.parts.values()) for one in placed)
    suspense = sum(one.allocation.suspense.minor for one in placed)
    assert parts == min(amount.minor, sum(sum(loan.left.values()) for loan in loans))
    assert parts + suspense == amount.minor
    in_advance = any(not step.due for one in placed for step in one.allocation.steps)
    due = sum(sum(d.left.values()) - d.left["principal"] + d.due_principal for d in loans)
    due_paid = sum(s.amount.minor for one in placed for s in one.allocation.steps if s.due)
    assert not in_advance or due_paid == due


@given(several, amounts)
def test_the_stored_facts_hold_the_same_sums(loans: tuple[Debt, ...], amount: Money) -> None:
    facts = facts_of(place(amount, loans, pack=CN))

    stored = sum(
        sum(step["amount_minor"] for step in loan["steps"]) + loan["suspense_minor"]
        for loan in facts["loans"]
    )
    assert stored == amount.minor
    assert all(loan["left_after_minor"] >= 0 for loan in facts["loans"])


def test_of_two_overdue_loans_the_dearer_is_met_first() -> None:
    cheap = Debt(1, "L1", "loan", 300, Decimal("0.05"), {"principal": 1_000}, 1_000)
    dear = Debt(2, "L2", "loan", 30, Decimal("0.18"), {"principal": 1_000}, 1_000)

    placed = place(Money(1_500, "CNY"), [cheap, dear], pack=CN)

    assert [(one.debt.loan_ref, one.allocation.amount.minor) for one in placed] == [
        ("L2", 1_000),
        ("L1", 500),
    ]


@pytest.mark.parametrize("code", ["cn", "gb", "us"])
@pytest.mark.parametrize("product_class", ["loan", "card"])
def test_every_pack_places_every_cent(code: str, product_class: str) -> None:
    left = dict.fromkeys(COMPONENTS, 100)

    placed = allocate(
        Money(500, "CNY"), left, 100, product_class=product_class, days_overdue=100, pack=pack(code)
    )

    assert placed.parts == left


@pytest.mark.parametrize(
    ("amount", "left", "due"),
    [
        (0, {"principal": 5}, 0),
        (-1, {"principal": 5}, 0),
        (1, {"principal": -5}, 0),
        (1, {"tip": 5}, 0),
        (1, {"principal": 5}, 6),
    ],
)
def test_an_impossible_balance_is_refused(amount: int, left: dict[str, int], due: int) -> None:
    with pytest.raises(ValueError):
        allocate(Money(amount, "CNY"), left, due, product_class="loan", days_overdue=0, pack=CN)


def test_currencies_do_not_meet() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "CNY") + Money(1, "USD")
