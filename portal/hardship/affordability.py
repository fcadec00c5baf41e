"""Affordability: what is left of a month, and how much of it a plan would take. Pure arithmetic.

Left over = income - spending - priority debts - the ordinary instalments that go on beside a plan.
Comparisons are exact in whole numbers; only figures for display are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from portal.dates import Frequency
from portal.money import Money, Rounding, divide

#: Payments a year over months a year: an instalment times this is its exact monthly equivalent.
PER_MONTH: dict[Frequency, tuple[int, int]] = {
    Frequency.WEEKLY: (52, 12),
    Frequency.FORTNIGHTLY: (26, 12),
    Frequency.FOUR_WEEKLY: (13, 12),
    Frequency.MONTHLY: (1, 1),
    Frequency.QUARTERLY: (1, 3),
}

#: The shock test's share of income that stays, in tenths.
INCOME_KEPT_TENTHS = 9


@dataclass(frozen=True, slots=True)
class Budget:
    """A month as the borrower stated it: money in, spending, and debts that come first."""

    income: Money
    spending: Money
    priority: Money


@dataclass(frozen=True, slots=True)
class LessIncome:
    """The same plan when income falls by a tenth. `share_percent` is None when nothing is left."""

    left_over: Money
    share_percent: int | None
    holds: bool


@dataclass(frozen=True, slots=True)
class OneLate:
    """The month that makes up one missed payment: what is left after paying two."""

    left: Money
    holds: bool


@dataclass(frozen=True, slots=True)
class Affordability:
    """How a plan sits in a month.

    `share_percent` is rounded, but a share just above the limit never reads as the limit; it is None
    when nothing is left over. `within_limit` is the exact comparison: at or below, no question is
    asked; above it a comment is. `nothing_left` leads to the humane page, never to an error.
    """

    left_over: Money
    monthly: Money
    share_percent: int | None
    limit_percent: int
    within_limit: bool
    nothing_left: bool
    left_after: Money
    less_income: LessIncome
    one_late: OneLate


def left_over(budget: Budget, ordinary_instalments: Money) -> Money:
    """What a month leaves; below nought when more goes out than comes in.

    >>> left_over(
    ...     Budget(Money(620_000, "CNY"), Money(250_000, "CNY"), Money(90_000, "CNY")), Money(0, "CNY")
    ... ).minor
    280000
    """
    return budget.income - budget.spending - budget.priority - ordinary_instalments


def monthly_equivalent(instalment: Money, frequency: Frequency) -> Money:
    """The instalment as an amount a month, rounded half up once.

    >>> monthly_equivalent(Money(30_000, "CNY"), Frequency.WEEKLY).minor
    130000
    """
    times, months = PER_MONTH[frequency]
    return instalment.portion(times, months)


def assess(
    *,
    budget: Budget,
    ordinary_instalments: Money,
    instalment: Money,
    frequency: Frequency,
    limit_percent: int,
) -> Affordability:
    """How a plan of `instalment` every `frequency` sits in the month; pass its largest instalment.

    `limit_percent` is the bank's policy. All amounts share one currency (CurrencyMismatch otherwise).

    >>> figures = assess(
    ...     budget=Budget(Money(620_000, "CNY"), Money(250_000, "CNY"), Money(90_000, "CNY")),
    ...     ordinary_instalments=Money(0, "CNY"),
    ...     instalment=Money(107_256, "CNY"),
    ...     frequency=Frequency.MONTHLY,
    ...     limit_percent=50,
    ... )
    >>> figures.share_percent, figures.less_income.left_over.minor, figures.one_late.left.minor
    (38, 218000, 65488)
    """
    left = left_over(budget, ordinary_instalments)
    monthly = monthly_equivalent(instalment, frequency)
    return Affordability(
        left_over=left,
        monthly=monthly,
        share_percent=share_percent(instalment, frequency, left, limit_percent),
        limit_percent=limit_percent,
        within_limit=within(instalment, frequency, left, limit_percent),
        nothing_left=left.minor <= 0,
        left_after=left - monthly,
        less_income=_less_income(budget, ordinary_instalments, instalment, frequency, limit_percent),
        one_late=_one_late(left, monthly),
    )


def within(instalment: Money, frequency: Frequency, left: Money, limit_percent: int) -> bool:
    """Whether the plan takes at most `limit_percent` of what is left over: exact, never rounded.

    Nothing left over holds no plan, not even one of nought.
    """
    times, months = PER_MONTH[frequency]
    taken = (Money.zero(left.currency) + instalment).minor * times * 100
    return left.minor > 0 and taken <= limit_percent * left.minor * months


def share_percent(instalment: Money, frequency: Frequency, left: Money, limit_percent: int) -> int | None:
    """The plan's share of what is left over in whole per cent, rounded half up; None when nothing is left.

    A share above the limit that would round to it is shown one higher, so that words and figure agree.
    """
    if left.minor <= 0:
        return None
    times, months = PER_MONTH[frequency]
    share = divide(instalment.minor * times * 100, left.minor * months)
    if share <= limit_percent and not within(instalment, frequency, left, limit_percent):
        return limit_percent + 1
    return share


def _less_income(
    budget: Budget, ordinary: Money, instalment: Money, frequency: Frequency, limit_percent: int
) -> LessIncome:
    kept = budget.income.portion(INCOME_KEPT_TENTHS, 10, Rounding.FLOOR)
    left = left_over(Budget(kept, budget.spending, budget.priority), ordinary)
    return LessIncome(
        left_over=left,
        share_percent=share_percent(instalment, frequency, left, limit_percent),
        holds=within(instalment, frequency, left, limit_percent),
    )


def _one_late(left: Money, monthly: Money) -> OneLate:
    after_two = left - monthly - monthly
    return OneLate(left=after_two, holds=after_two.minor >= 0)
