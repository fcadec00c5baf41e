"""What of a contract's principal is due on a date, for a million loans: the figures of `balance`, without
making each instalment.

Pure. Whole numbers only; tests hold it equal to `balance.principal_due` and `balance.days_overdue`.
"""

from __future__ import annotations

import calendar
import functools
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from portal.accounts.balance import COMPONENTS, ComponentSums, LoanFigures, LoanTerms, Totals

#: Days of the shortest month.
_SHORTEST = 28


@dataclass(frozen=True, slots=True)
class Due:
    """Principal due and not settled (minor units, before it is capped by what is left), and the days since
    the oldest instalment not covered fell due."""

    principal: int
    days_overdue: int


def due_of(terms: LoanTerms, *, settled: int, as_of: date) -> Due:
    """The principal due by `as_of` that `settled` does not cover, and for how many days.

    >>> terms = LoanTerms(10_000, Decimal("0.088"), "equal_principal", 5, 4, date(2026, 5, 5))
    >>> due_of(terms, settled=1_000, as_of=date(2026, 3, 10))
    Due(principal=4000, days_overdue=33)
    """
    sum_due, oldest = _sum_due(terms, _fallen_due(terms, as_of), settled)
    if oldest is None:
        return Due(max(0, sum_due - settled), 0)
    return Due(sum_due - settled, (as_of - due_on(terms, oldest)).days)


def figures_of(totals: Totals, terms: LoanTerms, *, as_of: date) -> LoanFigures:
    """The figures of `Totals.figures`, the quick way."""
    sums = {
        name: ComponentSums(totals.owed[name], totals.paid[name], totals.forgiven[name])
        for name in COMPONENTS
    }
    principal = sums["principal"]
    due = due_of(terms, settled=principal.paid + principal.forgiven, as_of=as_of)
    overdue = min(due.principal, max(principal.left, 0))
    return LoanFigures(
        components=sums,
        suspense=totals.suspense,
        line_count=totals.line_count,
        principal_due=overdue,
        due_now=overdue + sum(part.left for name, part in sums.items() if name != "principal"),
        days_overdue=due.days_overdue,
    )


def due_on(terms: LoanTerms, index: int) -> date:
    """When the instalment of this index (0 the first) falls due."""
    before = terms.term_count - 1 - index
    if terms.method == "bullet" or before <= 0:
        return terms.matures_on
    year, month = divmod(terms.matures_on.year * 12 + terms.matures_on.month - 1 - before, 12)
    day = terms.pay_day
    return date(
        year, month + 1, day if day <= _SHORTEST else min(day, calendar.monthrange(year, month + 1)[1])
    )


def _fallen_due(terms: LoanTerms, as_of: date) -> int:
    """How many instalments fell due up to and including `as_of`; they fall due in order."""
    last = terms.matures_on
    if last <= as_of:
        return 1 if terms.method == "bullet" else terms.term_count
    if terms.method == "bullet":
        return 0
    months = (last.year - as_of.year) * 12 + last.month - as_of.month
    this = terms.term_count - 1 - months
    if this < 0:
        return 0
    if months == 0:
        return terms.term_count - 1
    return this + (due_on(terms, this) <= as_of)


def _sum_due(terms: LoanTerms, count: int, settled: int) -> tuple[int, int | None]:
    """The principal of the first `count` instalments, and the index of the first of them up to which more is
    due than was settled."""
    if count == 0:
        return 0, None
    if terms.method == "bullet":
        return terms.principal_minor, 0 if terms.principal_minor > settled else None
    rate = _annuity(terms.annual_rate, terms.term_count)
    if terms.method == "equal_principal" or rate[0] == 0:
        return _even(terms, count, settled)
    return _level(terms, count, settled, rate)


def _even(terms: LoanTerms, count: int, settled: int) -> tuple[int, int | None]:
    """Instalments of the same principal, the last of what is left."""
    each = terms.principal_minor // terms.term_count
    sum_due = terms.principal_minor if count == terms.term_count else each * count
    if sum_due <= settled:
        return sum_due, None
    covered = settled // each if each else (count if settled >= 0 else 0)
    return sum_due, min(max(covered, 0), count - 1)


def _level(
    terms: LoanTerms, count: int, settled: int, rate: tuple[int, int, int, int]
) -> tuple[int, int | None]:
    """Instalments of the same principal and interest together, the last of what is left."""
    numerator, denominator, factor, divisor = rate
    twice, twice_divisor = 2 * numerator, 2 * denominator
    left, oldest = terms.principal_minor, None
    instalment, kept = _half_up(left * factor, divisor), left - settled
    for index in range(count):
        part = instalment - (left * twice + denominator) // twice_divisor
        if index == terms.term_count - 1:
            part = left
        left -= part if 0 <= part <= left else min(max(part, 0), left)
        if oldest is None and left < kept:
            oldest = index
    return terms.principal_minor - left, oldest


@functools.lru_cache(4096)
def _annuity(rate: Decimal, terms: int) -> tuple[int, int, int, int]:
    """The monthly rate as a fraction, and the fraction of the principal that each instalment is."""
    monthly = Fraction(rate) / 12
    numerator, denominator = monthly.numerator, monthly.denominator
    if numerator == 0:
        return 0, 1, 0, 1
    grown, same = (denominator + numerator) ** terms, denominator**terms
    return numerator, denominator, numerator * grown, denominator * (grown - same)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
