"""The scene of the plan tests: the two card loans of the pictures, and the bank's rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from portal.dates import WorkingDays
from portal.hardship.affordability import Budget
from portal.money import Money
from portal.plans.policy import Ground, Means, Policy
from portal.plans.terms import LoanBasis
from portal.settings import Bank

BANK = Bank.load(Path(__file__).parents[2] / "portal/demo/harbour.toml")
POLICY = Policy.of(BANK)
TODAY = date(2026, 11, 20)
DAYS = WorkingDays("CN")


def yuan(text: str) -> Money:
    return Money.from_file(text, "CNY")


MEANS = Means(Budget(yuan("6200.00"), yuan("2500.00"), yuan("900.00")), yuan("0.00"))


def basis(minor: int, *, currency: str = "CNY", fee: int = 0, left: int | None = None) -> LoanBasis:
    due = Money(minor, currency)
    return LoanBasis(
        1,
        "L1",
        "card",
        due,
        Money(minor if left is None else left, currency),
        (("fee", Money(fee, currency)),),
    )


PICTURE = (
    LoanBasis(1, "L240901371", "card", yuan("49954.44"), yuan("49954.44"), (("fee", yuan("350.00")),)),
    LoanBasis(2, "L250101370", "card", yuan("14399.43"), yuan("14399.43"), (("fee", yuan("100.00")),)),
)


def ground(
    loans: tuple[LoanBasis, ...] = PICTURE,
    *,
    means: Means | None = MEANS,
    today: date = TODAY,
    policy: Policy = POLICY,
) -> Ground:
    return Ground(loans, today, today, DAYS, policy, means)
