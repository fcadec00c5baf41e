"""Interest-bearing instalments by the period's rate: the annuity and equal parts of principal. Pure.

Rounding is named here once: interest once a period, the level instalment once, half-up by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

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

    The sum of the principal parts is `principal` exactly; interest is rounded once a period.
    5,000 at 12 %, 18 monthly, whole units: 17 x 305.00 + 303.22, interest 488.22.
    """
    top, bottom = _period_rate(annual_rate, periods_a_year)
    level = _level_instalment(principal, top, bottom, count, rounding, unit_minor)
    return tuple(_declining(principal, (level for _ in range(count - 1)), top, bottom, rounding))


def equal_principal(
    principal: Money,
    *,
    annual_rate: Decimal,
    count: int,
    periods_a_year: int = 12,
    rounding: Rounding = Rounding.HALF_UP,
) -> tuple[Portion, ...]:
    """Equal parts of principal with interest on what is left of it, the residue of principal last."""
    top, bottom = _period_rate(annual_rate, periods_a_year)
    left, portions = principal, []
    for part in by_count(principal, count, rounding=rounding):
        portions.append(Portion(part, left.portion(top, bottom, rounding)))
        left = left - part
    return tuple(portions)


def _period_rate(annual_rate: Decimal, periods_a_year: int) -> tuple[int, int]:
    numerator, denominator = annual_rate.as_integer_ratio()
    return numerator, denominator * periods_a_year


def _level_instalment(
    principal: Money, top: int, bottom: int, count: int, rounding: Rounding, unit_minor: int
) -> Money:
    """The annuity instalment, exact until its one rounding: P r (1+r)^n / ((1+r)^n - 1), r = top/bottom."""
    if count < 1 or count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    grown, base = (bottom + top) ** count, bottom**count
    if grown == base:
        numerator, denominator = principal.minor, count
    else:
        numerator, denominator = principal.minor * top * grown, bottom * (grown - base)
    units = divide(numerator, denominator * unit_minor, rounding)
    return Money(units * unit_minor, principal.currency)


def _declining(
    principal: Money, instalments: Iterable[Money], top: int, bottom: int, rounding: Rounding
) -> Iterator[Portion]:
    left = principal
    for amount in instalments:
        interest = left.portion(top, bottom, rounding)
        part = min(amount - interest, left)
        yield Portion(part, interest)
        left = left - part
    yield Portion(left, left.portion(top, bottom, rounding))
