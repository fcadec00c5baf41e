"""Then + charged - paid = now, whatever was posted in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import LoanTerms, moves
from portal.accounts.explanation import due_principal, fallen_due, itemised, running
from portal.money import Money

TERMS = LoanTerms(100_001, Decimal("0.12"), "equal_principal", 31, 12, date(2026, 12, 31))
AMOUNTS = st.integers(min_value=0, max_value=10**9)
CHARGES = ("interest", "penalty_interest", "fee", "cost")


@dataclass(frozen=True)
class Posted:
    kind: str
    amounts: dict[str, Money]

    reverses_kind: str = ""

    @property
    def moves(self) -> str:
        return moves(self.kind if self.kind != "reversal" else self.reverses_kind)

    @property
    def placed(self) -> Money:
        return Money.sum((part for name, part in self.amounts.items() if name != "suspense"), "CNY")


def posted(kind: str, reverses: str = "", **minor: int) -> Posted:
    names = ("principal", *CHARGES, "suspense")
    return Posted(kind, {name: Money(minor.get(name, 0), "CNY") for name in names}, reverses)


def yuan(minor: int) -> Money:
    return Money(minor, "CNY")


def test_the_regulators_example_comes_out_exactly() -> None:
    lines = [posted("interest", interest=7_500), posted("fee", fee=2_500), posted("payment", interest=-5_000)]
    found = itemised(lines, then=yuan(223_456), fallen_due=yuan(0), now=yuan(228_456))
    assert (found.charged["interest"], found.charged["fee"]) == (yuan(7_500), yuan(2_500))
    assert found.paid == yuan(5_000)
    assert found.other == yuan(0)


#: Every kind of line, with the sign of what it does to what is left.
SIGNS = {
    **dict.fromkeys(CHARGES, 1),
    "payment": -1,
    "waiver": -1,
    "write_down": -1,
    "charge_back": 1,
    "refund": 1,
    "transfer": -1,
}


@st.composite
def postings(draw: st.DrawFn) -> list[Posted]:
    """Lines of every kind, some of them undone, some with money that no component could take."""
    lines = []
    for kind in draw(st.lists(st.sampled_from([*SIGNS]), max_size=8)):
        name = kind if kind in CHARGES else draw(st.sampled_from(["principal", *CHARGES]))
        minor = SIGNS[kind] * draw(AMOUNTS)
        suspense = 0 if kind in CHARGES else SIGNS[kind] * draw(st.integers(0, 500))
        lines.append(posted(kind, suspense=suspense, **{name: minor}))
        if draw(st.booleans()):
            lines.append(posted("reversal", kind, suspense=-suspense, **{name: -minor}))
    return lines


@given(postings(), AMOUNTS, AMOUNTS)
def test_then_and_the_parts_are_now_whatever_was_posted(lines: list[Posted], then: int, fallen: int) -> None:
    """`now` is added up line by line, as the ledger does it; nothing is left over for `other`."""
    changed = sum(line.placed.minor for line in lines)
    now = yuan(then + fallen + changed)

    found = itemised(lines, then=yuan(then), fallen_due=yuan(fallen), now=now)

    charged = Money.sum(found.charged.values(), "CNY")
    parts = found.then + charged + found.fallen_due + found.back - found.paid - found.forgiven
    assert parts == found.now
    assert not found.other
    assert min(found.paid.minor, found.forgiven.minor, found.back.minor) >= 0


def test_what_was_undone_or_taken_back_is_a_part_of_its_own_and_a_reversed_charge_lowers_that_charge() -> (
    None
):
    lines = [
        posted("payment", principal=-100),
        posted("reversal", "payment", principal=100),
        posted("interest", interest=30),
        posted("reversal", "interest", interest=-30),
        posted("refund", fee=5),
    ]
    found = itemised(lines, then=yuan(0), fallen_due=yuan(0), now=yuan(5))
    assert (found.paid, found.back, found.counts["back"]) == (yuan(100), yuan(105), 2)
    assert not found.charged["interest"]
    assert not found.other


def test_money_paid_ahead_is_named_and_not_hidden() -> None:
    found = itemised([posted("payment", principal=-500)], then=yuan(0), fallen_due=yuan(0), now=yuan(0))
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
