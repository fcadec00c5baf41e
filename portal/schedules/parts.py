"""Parts: splitting an amount so that the parts sum to it, to the minor unit.

Pure. Rounding is named here once: half-up to the minor unit by default, the residue in the last part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from portal.money import Money, Rounding, divide

#: No list longer than this is ever built; the bank's own limit is far below it.
LONGEST = 600


class Residue(StrEnum):
    """Where the minor units land that equal parts do not come to."""

    FIRST = "first"
    LAST = "last"
    #: over all parts, so that no two differ by more than one unit (largest remainders)
    SPREAD = "spread"


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
    #: an instalment that does not cover the interest of its period: the debt would never end
    BELOW_INTEREST = "below_interest"
    #: nothing is left to be paid after the grace
    GRACE_TOO_LONG = "grace_too_long"
    #: the first due day is not after the day interest begins
    DATE_ORDER = "date_order"


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


def by_amount(total: Money, amount: Money, *, residue: Residue = Residue.LAST) -> tuple[Money, ...]:
    """`total` in parts of `amount`, the residue last or first; spread, in equal parts of that count.

    Nothing is rounded. Raises UnableToSchedule: below_one_unit, too_many; CurrencyMismatch.

    >>> [part.plain() for part in by_amount(Money(40_726, "CNY"), Money(40_700, "CNY"))]
    ['407.00', '0.26']
    """
    count = count_for(total, amount)
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    if residue is Residue.SPREAD:
        return by_count(total, count, residue=residue)
    rest = total - Money(amount.minor * (count - 1), amount.currency)
    return _with_residue(amount, rest, count, residue)


def by_count(
    total: Money,
    count: int,
    *,
    rounding: Rounding = Rounding.HALF_UP,
    residue: Residue = Residue.LAST,
    unit_minor: int = 1,
) -> tuple[Money, ...]:
    """`total` in `count` equal parts of whole `unit_minor`, the residue where it is told to be.

    Each part is rounded once; where rounding up would leave nothing for the residue's part, the parts
    are rounded down instead. Raises UnableToSchedule: below_one_unit, too_many.

    >>> [part.plain() for part in by_count(Money(490_000, "CNY"), 9)][-2:]
    ['544.44', '544.48']
    >>> [part.minor for part in by_count(Money(11, "CNY"), 4, residue=Residue.SPREAD)]
    [3, 3, 3, 2]
    """
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    if count < 1 or unit_minor < 1 or total.minor < count * unit_minor:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    if residue is Residue.SPREAD:
        return tuple(Money(minor, total.currency) for minor in shares(total.minor, (1,) * count, unit_minor))
    each = divide(total.minor, count * unit_minor, rounding) * unit_minor
    if each * (count - 1) >= total.minor:
        each = total.minor // (count * unit_minor) * unit_minor
    rest = Money(total.minor - each * (count - 1), total.currency)
    return _with_residue(Money(each, total.currency), rest, count, residue)


def _with_residue(part: Money, rest: Money, count: int, residue: Residue) -> tuple[Money, ...]:
    return (rest, *(part,) * (count - 1)) if residue is Residue.FIRST else (*(part,) * (count - 1), rest)


def stepped(total: Money, count: int, step: Step) -> tuple[Money, ...]:
    """`step.count` parts of `step.amount`, then the rest of `total` over the rest of `count`.

    Rounds as by_count. Raises UnableToSchedule: step_too_large, and as by_count.

    >>> [p.plain() for p in stepped(Money(6_435_387, "CNY"), 60, Step(12, Money(80_000, "CNY")))][11:13]
    ['800.00', '1140.71']
    """
    rest = total - Money(step.amount.minor * step.count, total.currency)
    if step.count < 1 or step.count >= count or step.amount.minor < 1 or rest.minor <= 0:
        raise UnableToSchedule(Unschedulable.STEP_TOO_LARGE)
    return (*(step.amount for _ in range(step.count)), *by_count(rest, count - step.count))


def shares(minor: int, weights: Sequence[int], unit_minor: int = 1) -> tuple[int, ...]:
    """`minor` in proportion to `weights`, in whole `unit_minor`, so that the shares sum to it exactly.

    Rounded down, then one unit more to each of the largest remainders, the earlier of two alike first (M16);
    what is less than a unit goes to the last share that gets anything. ValueError where no weight is above
    nought or one is below.

    >>> shares(100, (1, 1, 1)), shares(5, (0, 7, 2))
    ((34, 33, 33), (0, 4, 1))
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights are whole numbers, not all of them nought")
    units, rest = divmod(minor, unit_minor)
    found = [units * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(units * weights[at] % whole))
    for at in by_remainder[: units - sum(found)]:
        found[at] += 1
    last = max(at for at, weight in enumerate(weights) if weight)
    return tuple(share * unit_minor + (rest if at == last else 0) for at, share in enumerate(found))
