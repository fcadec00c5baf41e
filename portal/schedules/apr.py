"""The annual percentage rate of a schedule: the one yearly rate that makes what is paid worth what was lent.

Pure; integers and exact decimals, no float. For showing beside a schedule: nothing is charged by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from portal.dates import add_months
from portal.money import Money
from portal.schedules.schedule import Schedule

#: Digits carried while searching; far more than the six of the answer.
_DIGITS = Context(prec=50)
_PLACES = Decimal("0.000001")
_WIDTH = Decimal("1e-12")
_LOWEST, _HIGHEST = Decimal("-0.999999"), Decimal(10) ** 12


class NoRate(ValueError):
    """A schedule that has no annual percentage rate. `reason`: ``nothing_lent`` (less than what is paid at
    once), ``nothing_paid``, ``negative`` (an amount below nought), ``early`` (a payment before the loan),
    ``out_of_reach`` (beyond -99.9999 % or 10^12)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def years_between(start: date, end: date) -> Fraction:
    """The years from `start` to `end`: whole months as twelfths, the days left over as 365ths.

    Source: Directive 2008/48/EC, Annex I, Part I, remark (c): a year has 12 equal months or 365 days. The
    end of a shorter month is a whole month after a day that it lacks. Raises ValueError backwards.

    >>> years_between(date(2026, 1, 31), date(2026, 2, 28)), years_between(date(2026, 1, 31), date(2027, 2, 5))
    (Fraction(1, 12), Fraction(74, 73))
    """
    if end < start:
        raise ValueError("years are counted forwards")
    months = (end.year - start.year) * 12 + end.month - start.month
    if add_months(start, months) > end:
        months -= 1
    return Fraction(months, 12) + Fraction((end - add_months(start, months)).days, 365)


def apr(lent: Money, on: date, payments: Iterable[tuple[date, Money]]) -> Decimal:
    """The annual percentage rate as a yearly fraction, to six decimals (0.126825 is 12.6825 %).

    The actuarial rate X with lent = sum of payment / (1 + X)^years (Directive 2008/48/EC, Annex I, Part I),
    found by bisection and rounded half-up once. Fees are payments like any other, on the day they are
    paid. Less paid than lent gives a rate below nought, as much paid as lent exactly nought. Raises
    NoRate, CurrencyMismatch.

    1,000 lent, 1,200 paid back a year and a half later: 12.92 % (Directive 98/7/EC, Annex III, equal months).

    >>> apr(Money(100_000, "EUR"), date(2026, 1, 1), [(date(2027, 7, 1), Money(120_000, "EUR"))])
    Decimal('0.129243')
    """
    given = tuple(payments)
    _refuse_impossible(lent, on, given)
    if Money.sum((amount for _, amount in given), lent.currency) == lent:
        return Decimal(0)
    flows = [(_decimal(years_between(on, day)), Decimal(amount.minor)) for day, amount in given]
    low, high = _LOWEST, Decimal(1)
    while high < _HIGHEST and _worth(flows, high) > lent.minor:
        low, high = high, high * 10
    if _worth(flows, high) > lent.minor or _worth(flows, low) < lent.minor:
        raise NoRate("out_of_reach")
    while high - low > _WIDTH:
        middle = (low + high) / 2
        low, high = (middle, high) if _worth(flows, middle) > lent.minor else (low, middle)
    return high.quantize(_PLACES, ROUND_HALF_UP)


def apr_of(schedule: Schedule) -> Decimal:
    """The annual percentage rate of a schedule: its principal lent on its first day, all its payments, fees
    and extra payments among them. Rounds and raises as `apr`."""
    return apr(schedule.principal, schedule.starts_on, schedule.payments)


def _refuse_impossible(lent: Money, on: date, payments: Sequence[tuple[date, Money]]) -> None:
    at_once = Money.sum((amount for day, amount in payments if day == on), lent.currency)
    if lent <= at_once:
        raise NoRate("nothing_lent")
    if any(amount.minor < 0 for _, amount in payments):
        raise NoRate("negative")
    if any(day < on for day, _ in payments):
        raise NoRate("early")
    if not any(amount.minor for day, amount in payments if day > on):
        raise NoRate("nothing_paid")


def _decimal(years: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(years.numerator), Decimal(years.denominator))


def _worth(flows: Sequence[tuple[Decimal, Decimal]], rate: Decimal) -> Decimal:
    """What the payments are worth on the day of lending at a yearly rate; falls as the rate rises."""
    growth = _DIGITS.ln(1 + rate)
    worth = Decimal(0)
    for years, minor in flows:
        discount = _DIGITS.exp(_DIGITS.multiply(-years, growth))
        worth = _DIGITS.add(worth, _DIGITS.multiply(minor, discount))
    return worth
