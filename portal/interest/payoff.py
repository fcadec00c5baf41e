"""What pays a loan off completely on a day: what is left then and the interest up to it, as the engine has it.

Pure: no database, no clock. Amounts are minor units of the loan's currency. Interest that the bank has not
posted is an estimate: the bank's posting decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from portal.accounts.balance import COMPONENTS, Line, LoanFigures, balance_of
from portal.interest.engine import BEARING, Accrual, InterestTerms, accrued, accrued_by_posting
from portal.money import divide


@dataclass(frozen=True, slots=True)
class Payoff:
    """What pays a loan off on `on`: `figures` is what the ledger says, `accruals` what the engine adds.

    `accruals` are cut at the days on which the bank posts, because each posting is rounded; the last ends
    with `on`. `fee` is the contract's charge for paying what is not yet due.
    """

    on: date
    figures: LoanFigures
    accruals: tuple[Accrual, ...]
    fee: int
    next_day: Accrual

    @property
    def left(self) -> Mapping[str, int]:
        """What the ledger holds of each component."""
        return {name: self.figures.components[name].left for name in COMPONENTS}

    @property
    def accrued(self) -> Mapping[str, int]:
        """What the engine adds to each component."""
        return {name: sum(one[name].minor for one in self.accruals) for name in BEARING}

    @property
    def total(self) -> int:
        """What has to be paid in all: left + accrued + fee."""
        return self.figures.left + sum(self.accrued.values()) + self.fee

    @property
    def to_pay(self) -> int:
        """The total less what was paid already and waits to be assigned."""
        return max(0, self.total - self.figures.suspense)

    @property
    def per_day(self) -> Fraction:
        """What one day more adds, before rounding: the interest of `on` itself."""
        return sum((self.next_day[name].exact for name in BEARING), Fraction(0))

    @property
    def is_estimate(self) -> bool:
        """Whether part of it is not posted yet."""
        return any(one.exact for accrual in self.accruals for one in accrual.components.values())


def payoff(
    terms: InterestTerms,
    lines: Iterable[Line],
    *,
    since: date,
    on: date,
    fee_rate: Decimal = Decimal(0),
) -> Payoff:
    """What pays the loan off on `on`, with the lines known so far; `since` is the last day up to which
    interest was posted.

    It is what the ledger would hold if the bank posted on that day. The days before `on` count, `on` itself
    does not: the payment lowers its own day's base. `fee_rate` is a fraction of the principal not yet due on
    that day; the fee is rounded as the loan says. Raises ValueError when `on` is before `since`, LedgerFault.

    >>> from portal.accounts.balance import LoanTerms
    >>> from portal.schedules.daycount import DayCount
    >>> contract = LoanTerms(1_000_000, Decimal("0.088"), "bullet", 7, 1, date(2027, 1, 7))
    >>> terms = InterestTerms(contract, date(2026, 1, 7), DayCount.ACTUAL_360, True, Decimal("1.5"))
    >>> lent = Line(date(2026, 1, 7), "disbursement", {"principal": 1_000_000})
    >>> found = payoff(terms, [lent], since=date(2026, 1, 7), on=date(2026, 2, 6), fee_rate=Decimal("0.01"))
    >>> found.accrued["interest"], found.fee, found.total, found.per_day
    (7333, 10000, 1017333, Fraction(2200, 9))
    """
    known = [line for line in lines if line.posted_on <= on]
    figures = balance_of(terms.contract, known, as_of=on)
    later = max(0, figures.components["principal"].left - figures.principal_due)
    exact, unit = later * Fraction(fee_rate), terms.unit_minor
    following = date.fromordinal(on.toordinal() + 1)
    accruals = accrued_by_posting(terms, known, since=since, until=on)
    return Payoff(
        on=on,
        figures=figures,
        accruals=accruals,
        fee=divide(exact.numerator, exact.denominator * unit, terms.rounding) * unit,
        next_day=accrued(terms, _with_postings(known, accruals), since=on, until=following),
    )


def _with_postings(lines: list[Line], accruals: Iterable[Accrual]) -> list[Line]:
    """The lines and those that the bank is expected to post before the last day."""
    posted = [
        Line(one.until, name, {name: one[name].minor})
        for one in tuple(accruals)[:-1]
        for name in BEARING
        if one[name].minor
    ]
    return [*lines, *posted]
