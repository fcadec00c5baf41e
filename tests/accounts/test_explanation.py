"""Then + charged - paid = now, whatever was posted in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import LoanTerms
from portal.accounts.explanation import due_principal, fallen_due, running, since_notice
from portal.money import Money

TERMS = LoanTerms(100_001, Decimal("0.12"), "equal_principal", 31, 12, date(2026, 12, 31))
AMOUNTS = st.integers(min_value=0, max_value=10**9)
CHARGES = ("interest", "penalty_interest", "fee", "cost")


@dataclass(frozen=True)
class Posted:
    kind: str
    amounts: dict[str, Money]

    @property
    def total(self) -> Money:
        return Money.sum(self.amounts.values(), "CNY")


def posted(kind: str, **minor: int) -> Posted:
    names = ("principal", *CHARGES, "suspense")
    return Posted(kind, {name: Money(minor.get(name, 0), "CNY") for name in names})


def yuan(minor: int) -> Money:
    return Money(minor, "CNY")


def test_the_regulators_example_comes_out_exactly() -> None:
    lines = [posted("interest", interest=7_500), posted("fee", fee=2_500), posted("payment", interest=-5_000)]
    found = since_notice(lines, then=yuan(223_456), fallen_due=yuan(0), now=yuan(228_456))
    assert (found.charged["interest"], found.charged["fee"]) == (yuan(7_500), yuan(2_500))
    assert found.paid == yuan(5_000)
    assert found.other == yuan(0)


@given(
    st.lists(st.tuples(st.sampled_from([*CHARGES, "payment", "waiver", "reversal"]), AMOUNTS)),
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
)
def test_the_parts_always_sum_to_now(posts: list[tuple[str, int]], then: int, fallen: int, now: int) -> None:
    lines = [
        posted(kind, interest=minor)
        if kind == "reversal"
        else posted(kind, principal=-minor)
        if kind in ("payment", "waiver")
        else posted(kind, **{kind: minor})
        for kind, minor in posts
    ]
    found = since_notice(lines, then=yuan(then), fallen_due=yuan(fallen), now=yuan(now))
    charged = Money.sum(found.charged.values(), "CNY")
    assert found.then + charged + found.fallen_due + found.other - found.paid - found.forgiven == found.now


def test_a_reversed_payment_lowers_what_was_paid_and_a_reversed_charge_that_charge() -> None:
    lines = [
        posted("payment", principal=-100),
        posted("reversal", principal=100),
        posted("interest", interest=30),
        posted("reversal", interest=-30),
    ]
    found = since_notice(lines, then=yuan(0), fallen_due=yuan(0), now=yuan(0))
    assert not found.paid
    assert not found.charged["interest"]
    assert not found.other


def test_money_paid_ahead_is_named_and_not_hidden() -> None:
    found = since_notice([posted("payment", principal=-500)], then=yuan(0), fallen_due=yuan(0), now=yuan(0))
    assert found.other == yuan(500)


def test_principal_falls_due_on_the_last_day_of_short_months() -> None:
    due = fallen_due(TERMS, after=date(2026, 2, 27), until=date(2026, 3, 31), currency="CNY")
    assert due == yuan(8_333 * 2)
    assert fallen_due(TERMS, after=date(2026, 11, 30), until=date(2026, 12, 31), currency="CNY") == yuan(
        8_338
    )


def test_due_principal_counts_the_instalments_and_names_the_next() -> None:
    found = due_principal(TERMS, settled=yuan(8_000), due=yuan(333), as_of=date(2026, 1, 31))
    assert (found.count, found.of, found.fallen_due) == (1, 12, yuan(8_333))
    assert found.next_one is not None
    assert found.next_one.due_on == date(2026, 2, 28)
    assert found.next_amount == yuan(8_333)


def test_the_running_sum_ends_at_the_component() -> None:
    lines = [posted("interest", interest=30), posted("payment", interest=-20)]
    assert [so_far.minor for _, _, so_far in running(lines, "interest", "CNY")] == [30, 10]
