"""What of a contract's principal is due on a date, for a million loans: the figures of `balance`, without
making each instalment.

Pure. Whole numbers only; tests hold it equal to `balance.principal_due` and `balance.days_overdue`.
"""

from __future__ import annotations

import calendar
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from portal.accounts.balance import COMPONENTS, ComponentSums, LoanFigures, LoanTerms, Totals


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
    count = _fallen_due(terms, as_of)
    sum_due, oldest = 0, None
    for index, part in enumerate(_parts(terms, count)):
        sum_due += part
        if oldest is None and sum_due > settled:
            oldest = index
    if oldest is None:
        return Due(max(0, sum_due - settled), 0)
    return Due(max(0, sum_due - settled), (as_of - due_on(terms, oldest)).days)


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
    return date(year, month + 1, min(terms.pay_day, calendar.monthrange(year, month + 1)[1]))


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


def _parts(terms: LoanTerms, count: int) -> Iterator[int]:
    """The principal of the first `count` instalments."""
    if terms.method == "bullet":
        yield from [terms.principal_minor][:count]
        return
    numerator, denominator, factor, divisor = _annuity(terms.annual_rate, terms.term_count)
    last = terms.term_count - 1
    if terms.method == "equal_principal" or numerator == 0:
        each = terms.principal_minor // terms.term_count
        for index in range(count):
            yield each if index < last else terms.principal_minor - each * last
        return
    left = terms.principal_minor
    instalment = _half_up(left * factor, divisor)
    for index in range(count):
        if index == last:
            yield left
            return
        part = min(max(instalment - (2 * left * numerator + denominator) // (2 * denominator), 0), left)
        left -= part
        yield part


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
