"""What an extra payment does: it meets the next instalments, the last ones, or all of them evenly. Pure.

The same three choices for a list of open amounts (a plan without interest) and for a schedule that bears interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from portal.money import Money
from portal.schedules.changes import Change, ChangeKind, amounts_after, joined, rest_of
from portal.schedules.making import make, make_of
from portal.schedules.parts import shares
from portal.schedules.request import Keep
from portal.schedules.schedule import Schedule


class ExtraChoice(StrEnum):
    """What more than the instalment goes to; stored codes, worded at the edge."""

    #: the instalments that fall due next: some need not be paid later
    NEXT = "next"
    #: the last instalments: it is all over sooner
    LAST = "last"
    #: every instalment to come: each is a little lower
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class Extra:
    """What became of an extra payment: `placed` is (number, minor units) of each instalment that it meets in
    advance, where the schedule itself stays; else `change` has the new schedule."""

    choice: ExtraChoice
    change: Change
    placed: tuple[tuple[int, int], ...] = ()


def place_extra(left: Sequence[int], minor: int, choice: ExtraChoice) -> tuple[int, ...]:
    """How much of `minor` each open amount in `left` is met by; sums to `minor`, or to all of `left` if less.

    Minor units; spread in proportion to what is left, by largest remainders, never more than an amount.

    >>> place_extra((100, 100, 100), 150, ExtraChoice.NEXT), place_extra((100, 100, 100), 150, ExtraChoice.LAST)
    ((100, 50, 0), (0, 50, 100))
    >>> place_extra((100, 100, 80), 100, ExtraChoice.SPREAD)
    (36, 36, 28)
    """
    whole = sum(left)
    if minor < 0 or (left and min(left) < 0):
        raise ValueError("amounts are not below nought")
    if minor >= whole:
        return tuple(left)
    if choice is ExtraChoice.SPREAD:
        return shares(minor, left)
    taken = [0] * len(left)
    order = range(len(left)) if choice is ExtraChoice.NEXT else range(len(left) - 1, -1, -1)
    for at in order:
        taken[at] = min(minor, left[at])
        minor -= taken[at]
    return tuple(taken)


def place_payment(left: Sequence[int], minor: int, first: int, choice: ExtraChoice) -> tuple[int, ...]:
    """A whole payment over open amounts: the first `first` of them (what is overdue, and the next one) are met
    in their order before the choice says where the rest goes. Minor units; sums as `place_extra`.

    >>> place_payment((100, 100, 100), 150, 1, ExtraChoice.LAST)
    (100, 0, 50)
    """
    due, later = left[:first], left[first:]
    met = place_extra(due, minor, ExtraChoice.NEXT)
    return (*met, *place_extra(later, minor - sum(met), choice))


def pay_extra(schedule: Schedule, settled: int, amount: Money, choice: ExtraChoice) -> Extra:
    """An extra payment on the due day of the last of `settled` instalments (on the start when there is none).

    next: it waits for the next instalments, whose interest stays. last: principal falls at once, the
    instalments stay, the last ones shrink or vanish, interest is saved. spread: principal falls at
    once, the count stays, every instalment is lower. Rounds as `make`. Raises UnableToSchedule
    (nothing_due) where it pays everything, CurrencyMismatch, ValueError.
    """
    rest = rest_of(schedule, settled)
    if amount.minor <= 0:
        raise ValueError("an extra payment is above nought")
    if choice is ExtraChoice.NEXT:
        rows = schedule.rows[settled:]
        met = place_extra([row.amount_minor for row in rows], amount.minor, choice)
        placed = tuple((row.number, minor) for row, minor in zip(rows, met) if minor)
        return Extra(choice, Change(ChangeKind.EXTRA_PAID, schedule, schedule), placed)
    lower = replace(rest, principal=rest.principal - amount)
    paid_on = schedule.rows[settled - 1].due_on if settled else schedule.starts_on
    made = (
        make(lower)
        if choice is ExtraChoice.SPREAD
        else make_of(lower, amounts_after(schedule, settled), Keep.AMOUNT)
    )
    after = joined(schedule, settled, made, ((paid_on, amount),))
    return Extra(choice, Change(ChangeKind.EXTRA_PAID, schedule, after))
