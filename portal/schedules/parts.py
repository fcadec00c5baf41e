"""Parts: splitting an amount so that the parts sum to it, to the minor unit.

Pure. Rounding is named here once: half-up by default, the residue in the last part.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from portal.money import Money, Rounding, divide

#: No list longer than this is ever built; the bank's own limit is far below it.
LONGEST = 600


class Unschedulable(StrEnum):
    """Why a request has no schedule at all; stable codes, worded at the edge."""

    NOTHING_DUE = "nothing_due"
    CHOICE_MISSING = "choice_missing"
    UPFRONT_TOO_LARGE = "upfront_too_large"
    BELOW_ONE_UNIT = "below_one_unit"
    STEP_TOO_LARGE = "step_too_large"
    TOO_MANY = "too_many"
    UNKNOWN_LOAN = "unknown_loan"
    DATE_OUT_OF_REACH = "date_out_of_reach"


class UnableToSchedule(ValueError):
    """A request that no schedule answers. `count` is set for TOO_MANY."""

    def __init__(self, reason: Unschedulable, *, count: int = 0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.count = count


@dataclass(frozen=True, slots=True)
class Step:
    """The first `count` instalments are `amount` each; what is left is spread over the rest."""

    count: int
    amount: Money


def count_for(total: Money, amount: Money) -> int:
    """How many instalments of `amount` pay `total`, the last one smaller or equal.

    >>> count_for(Money(6_435_387, "CNY"), Money(80_000, "CNY"))
    81
    """
    if amount.minor <= 0:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    return -(-total.minor // amount.minor)


def by_amount(total: Money, amount: Money) -> tuple[Money, ...]:
    """`total` in parts of `amount`, the residue last.

    >>> [part.plain() for part in by_amount(Money(40_726, "CNY"), Money(40_700, "CNY"))]
    ['407.00', '0.26']
    """
    count = count_for(total, amount)
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    return (*(amount for _ in range(count - 1)), total - Money(amount.minor * (count - 1), total.currency))


def by_count(total: Money, count: int, *, rounding: Rounding = Rounding.HALF_UP) -> tuple[Money, ...]:
    """`total` in `count` equal parts rounded to the minor unit, the residue last.

    Where rounding up would leave nothing for the last part, the parts are rounded down instead.

    >>> [part.plain() for part in by_count(Money(490_000, "CNY"), 9)][-2:]
    ['544.44', '544.48']
    """
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    if count < 1 or total.minor < count:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    each = divide(total.minor, count, rounding)
    if each * (count - 1) >= total.minor:
        each = total.minor // count
    part = Money(each, total.currency)
    return (*(part for _ in range(count - 1)), total - Money(each * (count - 1), total.currency))


def stepped(total: Money, count: int, step: Step) -> tuple[Money, ...]:
    """`step.count` parts of `step.amount`, then the rest of `total` over the rest of `count`.

    >>> [p.plain() for p in stepped(Money(6_435_387, "CNY"), 60, Step(12, Money(80_000, "CNY")))][11:13]
    ['800.00', '1140.71']
    """
    rest = total - Money(step.amount.minor * step.count, total.currency)
    if step.count < 1 or step.count >= count or step.amount.minor < 1 or rest.minor <= 0:
        raise UnableToSchedule(Unschedulable.STEP_TOO_LARGE)
    return (*(step.amount for _ in range(step.count)), *by_count(rest, count - step.count))
