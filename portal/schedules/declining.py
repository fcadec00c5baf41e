"""Interest-bearing instalments: the annuity, equal parts of principal, and chosen amounts. Pure.

Whole numbers inside, exact until the named roundings: the interest once a period, the level instalment
once, half-up by default. `annuity` and `equal_principal` are the short way; making.py has every knob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from portal.money import Money, Rounding, divide
from portal.schedules.parts import LONGEST, UnableToSchedule, Unschedulable, by_count


@dataclass(frozen=True, slots=True)
class Portion:
    """One instalment of an interest-bearing schedule: amount = principal + interest."""

    principal: Money
    interest: Money

    @property
    def amount(self) -> Money:
        """What is paid."""
        return self.principal + self.interest


class Part(NamedTuple):
    """One instalment in minor units: principal, the period's interest, and interest carried from before."""

    principal: int
    interest: int
    carried: int = 0


@dataclass(frozen=True, slots=True)
class Charges:
    """The interest of each period: the balance times `top_of(period) / bottom`, rounded once to `unit_minor`."""

    top_of: Callable[[int], int]
    bottom: int
    rounding: Rounding = Rounding.HALF_UP
    unit_minor: int = 1

    @classmethod
    def even(
        cls,
        annual_rate: Decimal,
        periods_a_year: int,
        rounding: Rounding = Rounding.HALF_UP,
        unit_minor: int = 1,
    ) -> Charges:
        """The same part of a yearly rate every period."""
        top, bottom = annual_rate.as_integer_ratio()
        return cls(lambda _: top, bottom * periods_a_year, rounding, unit_minor)

    def on(self, balance: int, period: int) -> int:
        """The interest of `period` (counted from nought) on `balance`, both in minor units."""
        units = divide(balance * self.top_of(period), self.bottom * self.unit_minor, self.rounding)
        return units * self.unit_minor


def annuity(
    principal: Money,
    *,
    annual_rate: Decimal,
    count: int,
    periods_a_year: int = 12,
    rounding: Rounding = Rounding.HALF_UP,
    unit_minor: int = 1,
) -> tuple[Portion, ...]:
    """Equal instalments on a declining balance, each rounded to `unit_minor`; the last one settles.

    The sum of the principal parts is `principal` exactly; interest is rounded once a period. Where the
    roundings would leave nothing for the last, instalments are rounded down. Raises UnableToSchedule:
    too_many, below_one_unit. Instalment = P r (1 + r)^n / ((1 + r)^n - 1), r the period's rate.
    5,000 at 12 %, 18 monthly, whole units: 17 x 305.00 + 303.22, interest 488.22.
    """
    charges = Charges.even(annual_rate, periods_a_year, rounding)
    parts = level_parts(principal.minor, charges, 0, count, rounding=rounding, unit_minor=unit_minor)
    return tuple(Portion(Money(p, principal.currency), Money(i, principal.currency)) for p, i, _ in parts)


def equal_principal(
    principal: Money,
    *,
    annual_rate: Decimal,
    count: int,
    periods_a_year: int = 12,
    rounding: Rounding = Rounding.HALF_UP,
) -> tuple[Portion, ...]:
    """Equal parts of principal with interest on what is left of it, the residue of principal last.

    Rounds each part and each period's interest once. Raises UnableToSchedule: below_one_unit, too_many.
    """
    charges = Charges.even(annual_rate, periods_a_year, rounding)
    shares = [part.minor for part in by_count(principal, count, rounding=rounding)]
    parts = principal_parts(principal.minor, charges, 0, shares)
    return tuple(Portion(Money(p, principal.currency), Money(i, principal.currency)) for p, i, _ in parts)


def principal_parts(balance: int, charges: Charges, start: int, shares: Iterable[int]) -> Iterator[Part]:
    """Given parts of principal, each with the interest on what was left before it; minor units."""
    for period, share in enumerate(shares, start):
        yield Part(share, charges.on(balance, period))
        balance -= share


def paid_down(
    balance: int, charges: Charges, start: int, amounts: Iterable[int], carried: int = 0
) -> Iterator[Part]:
    """What instalments of the given `amounts` do until nothing is left: interest, then what is carried, then
    principal; the last takes no more than there is. Ends early when `amounts` do; minor units.

    Raises UnableToSchedule(below_interest) where an amount does not pay its period's interest.
    """
    for period, amount in enumerate(amounts, start):
        if not balance and not carried:
            return
        interest = charges.on(balance, period)
        if amount < interest:
            raise UnableToSchedule(Unschedulable.BELOW_INTEREST)
        old = min(amount - interest, carried)
        principal = min(amount - interest - old, balance)
        yield Part(principal, interest, old)
        balance, carried = balance - principal, carried - old


def settle(balance: int, charges: Charges, period: int) -> Part:
    """The instalment that leaves nothing."""
    return Part(balance, charges.on(balance, period))


def annuity_factors(charges: Charges, start: int, count: int) -> list[tuple[int, int]]:
    """For each of `count` periods, what one unit paid in it and in every later one is worth before it: an
    exact fraction. The level instalment is the balance over the first."""
    factors: list[tuple[int, int]] = []
    top, bottom = 0, 1
    for period in range(start + count - 1, start - 1, -1):
        top = (top + bottom) * charges.bottom
        bottom *= charges.bottom + charges.top_of(period)
        factors.append((top, bottom))
    return factors[::-1]


def level_amount(balance: int, factor: tuple[int, int], rounding: Rounding, unit_minor: int) -> int:
    """The level instalment of a balance: exact until its one rounding to `unit_minor`."""
    top, bottom = factor
    return divide(balance * bottom, top * unit_minor, rounding) * unit_minor


def level_parts(
    balance: int, charges: Charges, start: int, count: int, *, rounding: Rounding, unit_minor: int = 1
) -> list[Part]:
    """`count` level instalments from period `start`, the last one settling; minor units.

    Rounded down where the roundings would leave nothing for the last. Raises UnableToSchedule: too_many,
    below_one_unit.
    """
    if not 1 <= count <= LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    factor = annuity_factors(charges, start, count)[0]
    for how in (rounding, Rounding.FLOOR):
        level = level_amount(balance, factor, how, unit_minor)
        if level <= 0:
            break
        parts = with_last(balance, charges, start, (level,) * (count - 1))
        if len(parts) == count:
            return parts
    raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)


def with_last(balance: int, charges: Charges, start: int, amounts: Iterable[int]) -> list[Part]:
    """Instalments of `amounts` and one more that settles; none more where nothing is left to settle."""
    parts = list(paid_down(balance, charges, start, amounts))
    left = balance - sum(part.principal for part in parts)
    return [*parts, settle(left, charges, start + len(parts))] if left else parts
