"""Where the minor units go that level instalments do not come to: evened out, or into the first. Pure.

What is rounded away in one period bears interest in the next, so an interest-bearing schedule cannot
always have all but one instalment equal; what is possible is said at each function.
"""

from __future__ import annotations

from collections.abc import Iterator

from portal.money import Rounding
from portal.schedules.declining import (
    Charges,
    Part,
    annuity_factors,
    level_amount,
    paid_down,
    settle,
    with_last,
)
from portal.schedules.parts import Residue, UnableToSchedule, Unschedulable, shares

#: How far the first instalment is tried up or down until the others are equal.
_TRIES = 200


def relevelled(
    balance: int, charges: Charges, start: int, count: int, rounding: Rounding, unit_minor: int
) -> Iterator[Part]:
    """Each instalment is the level one of what is left then, rounded once to `unit_minor`: what roundings
    leave is spread as it arises, and the last settles. Raises UnableToSchedule: below_one_unit."""
    factors = annuity_factors(charges, start, count)
    for period, factor in enumerate(factors[:-1], start):
        amount = level_amount(balance, factor, rounding, unit_minor)
        for part in paid_down(balance, charges, period, (amount,)):
            balance -= part.principal
            yield part
    if balance <= 0:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    yield settle(balance, charges, start + count - 1)


def odd_first(balance: int, charges: Charges, start: int, level: int, count: int) -> list[Part] | None:
    """The first instalment that makes the later ones `level`; where roundings leave none, the one that leaves
    the last nearest to it. None where the first would not pay its own interest. At least two instalments."""

    def tried(first: int) -> tuple[int, list[Part]]:
        parts = with_last(balance, charges, start, (first, *(level,) * (count - 2)))
        last = parts[-1].principal + parts[-1].interest if len(parts) == count else 0
        return last - level, parts

    try:
        over, parts = tried(level)
        first = level + over * charges.bottom ** (count - 1) // _growth(charges, start, count)
        over, parts = tried(first)
        step = 1 if over > 0 else -1
        for _ in range(_TRIES):
            nearer = tried(first + step)
            if abs(nearer[0]) >= abs(over):
                break
            first, (over, parts) = first + step, nearer
    except UnableToSchedule:
        return None
    return parts if len(parts) == count else None


def _growth(charges: Charges, start: int, count: int) -> int:
    """What one unit paid first is worth with the last, over bottom to the power of `count` - 1."""
    grown = 1
    for period in range(start + 1, start + count):
        grown *= charges.bottom + charges.top_of(period)
    return grown


def with_carried(parts: list[Part], carried: int, residue: Residue) -> list[Part]:
    """Carried interest in equal parts on top of the instalments, its residue where theirs is."""
    if not carried:
        return parts
    count = len(parts)
    if residue is Residue.SPREAD:
        added = shares(carried, (1,) * count)
    else:
        each, rest = divmod(carried, count)
        odd = 0 if residue is Residue.FIRST else count - 1
        added = tuple(each + (rest if at == odd else 0) for at in range(count))
    return [part._replace(carried=more) for part, more in zip(parts, added, strict=True)]
