"""Interest and penalty interest of a loan: balance-days added up as whole numbers, divided once.

Pure: no database, no clock, no float. A day counts from its own date: what is posted on a day changes the
base of that day. What the bank posted stays the truth about what is owed; this is the rule behind it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from fractions import Fraction
from itertools import count, pairwise

from portal.accounts.balance import Line, LoanTerms, Totals, instalments
from portal.dates import add_months
from portal.money import Rounding, divide
from portal.schedules.daycount import DayCount, days_between

#: What this module computes, in the order of posting.
BEARING = ("interest", "penalty_interest")

_EXACT = Context(prec=60, traps=[Inexact])


class Compounding(StrEnum):
    """Whether posted and unpaid interest bears interest itself; a knob of the loan."""

    SIMPLE = "simple"
    COMPOUND = "compound"


@dataclass(frozen=True, slots=True)
class RateChange:
    """From `from_on` on (that day included) the yearly fractions are these; a penalty rate of None is the
    annual rate times the loan's multiple."""

    from_on: date
    annual_rate: Decimal
    penalty_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class InterestTerms:
    """What of a contract decides its interest.

    `bears_penalty`: overdue principal bears the annual rate times `penalty_multiple` as penalty interest
    instead of the annual rate (loans); otherwise all principal bears the annual rate (cards). Compounding
    puts posted and unpaid interest with the overdue principal, or with all principal where there is no
    penalty. Amounts are rounded to `unit_minor` minor units (1: the cent; 100: the whole unit).
    """

    contract: LoanTerms
    opened_on: date
    day_count: DayCount
    bears_penalty: bool
    penalty_multiple: Decimal = Decimal(1)
    rate_changes: tuple[RateChange, ...] = ()
    compounding: Compounding = Compounding.SIMPLE
    rounding: Rounding = Rounding.HALF_UP
    unit_minor: int = 1

    def rates_on(self, day: date) -> tuple[Decimal, Decimal]:
        """The annual and the penalty rate that `day` bears, yearly fractions."""
        annual, penalty = self.contract.annual_rate, None
        for change in sorted(self.rate_changes, key=lambda change: change.from_on):
            if change.from_on <= day:
                annual, penalty = change.annual_rate, change.penalty_rate
        if penalty is None:
            penalty = _EXACT.multiply(annual, self.penalty_multiple)
        return annual, penalty


@dataclass(frozen=True, slots=True)
class BalanceDays:
    """Minor units times days that bore one yearly `rate` over one length of year."""

    rate: Decimal
    year_days: int
    minor_days: int

    @property
    def exact(self) -> Fraction:
        """The interest of these balance-days in minor units, before any rounding."""
        return self.minor_days * Fraction(self.rate) / self.year_days


@dataclass(frozen=True, slots=True)
class ComponentAccrual:
    """One component's interest over a period: balance-days per rate, the exact sum, the rounded amount."""

    parts: tuple[BalanceDays, ...]
    exact: Fraction
    minor: int

    def shares(self, unit_minor: int = 1) -> tuple[int, ...]:
        """`minor` over the parts so that they sum to it: largest remainders first (M16)."""
        floors = [int(part.exact // unit_minor) for part in self.parts]
        order = sorted(
            range(len(floors)), key=lambda i: floors[i] - self.parts[i].exact / unit_minor
        )  # the most negative has the largest remainder
        for index in order[: self.minor // unit_minor - sum(floors)]:
            floors[index] += 1
        return tuple(units * unit_minor for units in floors)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days from `start` to the day before `end` on which one balance, `base`, bore one rate."""

    start: date
    end: date
    component: str
    rate: Decimal
    year_days: int
    base: int
    days: int


@dataclass(frozen=True, slots=True)
class Accrual:
    """What accrued from `since` up to but without `until`, by component; `stretches` are the days behind
    the balance-days, where they were asked for."""

    since: date
    until: date
    components: Mapping[str, ComponentAccrual]
    stretches: tuple[Stretch, ...] = ()

    def __getitem__(self, component: str) -> ComponentAccrual:
        return self.components[component]

    @property
    def minor(self) -> int:
        """All components together, each rounded once."""
        return sum(part.minor for part in self.components.values())


@dataclass(frozen=True, slots=True)
class Posting:
    """A line the bank is expected to post: `amount` accrued from `since` up to the day before `posted_on`."""

    posted_on: date
    since: date
    component: str
    amount: ComponentAccrual


def posting_days(terms: InterestTerms, *, until: date) -> Iterator[date]:
    """The days on which interest is posted: the pay day of every month after the one of lending (its last
    day where the month lacks it), after maturity too, up to and including `until`."""
    for months in count(1):
        day = add_months(terms.opened_on, months, day=terms.contract.pay_day)
        if day > until:
            return
        yield day


def accrued(terms: InterestTerms, lines: Iterable[Line], *, since: date, until: date) -> Accrual:
    """Interest and penalty interest from `since` up to but without `until`, on the actual balances.

    Balance-days are whole numbers per rate; each component is divided and rounded once, as the terms
    say. Before rounding [a, b) + [b, c) = [a, c) (M15). Lines may come in any order. Raises
    ValueError when `until` is before `since`, LedgerFault for lines that are no ledger.

    10,000.00 at 8.8 %, actual/360, 30 days: 300,000.00 balance-days x 0.088 / 360 = 73.33.

    >>> contract = LoanTerms(1_000_000, Decimal("0.088"), "bullet", 7, 1, date(2027, 1, 7))
    >>> terms = InterestTerms(contract, date(2026, 1, 7), DayCount.ACTUAL_360, True, Decimal("1.5"))
    >>> lent = Line(date(2026, 1, 7), "disbursement", {"principal": 1_000_000})
    >>> found = accrued(terms, [lent], since=date(2026, 1, 7), until=date(2026, 2, 6))["interest"]
    >>> found.parts[0].minor_days, found.exact, found.minor
    (30000000, Fraction(22000, 3), 7333)
    """
    return _Walk(terms, lines).run(since, until)


def expected_postings(terms: InterestTerms, lines: Iterable[Line], *, as_of: date) -> tuple[Posting, ...]:
    """Every line of interest and penalty interest that the terms lead to, up to and including `as_of`.

    `lines` are what happened: lending, payments, waivers, reversals, and what was posted. Amounts that round to
    nothing make no line. Where interest compounds, an expected line that was not posted counts as if
    it had been. Raises LedgerFault.
    """
    given = tuple(lines)
    walk, found = _Walk(terms, given), list[Posting]()
    posted = {(line.posted_on, line.kind) for line in given}
    for since, day in pairwise((terms.opened_on, *posting_days(terms, until=as_of))):
        accrual = walk.run(since, day)
        for component in BEARING:
            amount = accrual[component]
            if amount.minor:
                found.append(Posting(day, since, component, amount))
                if (day, component) not in posted:
                    walk.charge(component, amount.minor)
    return tuple(found)


def accrued_by_posting(
    terms: InterestTerms, lines: Iterable[Line], *, since: date, until: date
) -> tuple[Accrual, ...]:
    """What accrues from `since` up to but without `until`, cut at every posting day in between: each part
    is rounded as the bank will post it, and the last as if it posted on `until`.

    Where interest compounds, the parts before count as posted. The stretches are kept. Raises ValueError when `until` is before
    `since`, LedgerFault.
    """
    walk, found = _Walk(terms, tuple(lines), keeps_stretches=True), list[Accrual]()
    days = (day for day in posting_days(terms, until=until) if since < day < until)
    for start, end in pairwise((since, *days, until)):
        found.append(walk.run(start, end))
        for component in BEARING:
            walk.charge(component, found[-1][component].minor)
    return tuple(found)


@dataclass(slots=True)
class _Walk:
    """A pass over a loan's days from change to change; each run starts where an earlier one ended or later."""

    terms: InterestTerms
    lines: Iterable[Line]
    keeps_stretches: bool = False
    totals: Totals = field(default_factory=Totals)
    taken: int = 0
    ordered: list[Line] = field(init=False)
    due_on: list[date] = field(init=False)
    due_sums: list[int] = field(init=False)
    changes: list[date] = field(init=False)

    def __post_init__(self) -> None:
        self.ordered = sorted(self.lines, key=lambda line: line.posted_on)
        self.due_on, self.due_sums = [], [0]
        for part in instalments(self.terms.contract):
            self.due_on.append(part.due_on)
            self.due_sums.append(self.due_sums[-1] + part.principal_minor)
        steps = (change.from_on for change in self.terms.rate_changes)
        self.changes = sorted({*(line.posted_on for line in self.ordered), *self.due_on, *steps})

    def charge(self, component: str, minor: int) -> None:
        """Count `minor` of `component` as posted."""
        self.totals.add(effect=component, amounts={component: minor})

    def run(self, since: date, until: date) -> Accrual:
        """What accrues from `since` up to but without `until`."""
        if until < since:
            raise ValueError("a period does not end before it starts")
        sums: dict[tuple[str, Decimal, int], int] = {}
        stretches: list[Stretch] = []
        for anchor, start, end in self._stretches(since, until):
            self._take(start)
            spans = days_between(self.terms.day_count, start, end, anchor=anchor)
            for component, rate, base in self._bases(start):
                for days, year in spans:
                    key = (component, rate, year)
                    sums[key] = sums.get(key, 0) + base * days
                    if self.keeps_stretches and base and rate:
                        stretches.append(Stretch(start, end, *key, base=base, days=days))
        components = {name: self._component(name, sums) for name in BEARING}
        return Accrual(since, until, components, tuple(stretches))

    def _stretches(self, since: date, until: date) -> Iterator[tuple[date, date, date]]:
        """(start of the posting period, first day, day after the last) of stretches in which nothing changes."""
        within = self.changes[bisect_right(self.changes, since) : bisect_left(self.changes, until)]
        anchors = [since]
        if self.terms.day_count is DayCount.THIRTY_360:
            opened = self.terms.opened_on
            periods = [*({since} if since < opened else ()), opened, *posting_days(self.terms, until=until)]
            anchors = periods[bisect_right(periods, since) - 1 :]
        cuts = sorted({since, *within, *(day for day in anchors if since < day < until), until})
        for start, end in pairwise(cuts):
            yield anchors[bisect_right(anchors, start) - 1], start, end

    def _take(self, day: date) -> None:
        """Add the lines posted up to and including `day`."""
        while self.taken < len(self.ordered) and self.ordered[self.taken].posted_on <= day:
            line = self.ordered[self.taken]
            self.totals.add(effect=line.effect, amounts=line.amounts, suspense_minor=line.suspense_minor)
            self.taken += 1

    def _bases(self, day: date) -> Iterator[tuple[str, Decimal, int]]:
        """What bears interest on `day`: (component, yearly rate, minor units)."""
        annual, penalty = self.terms.rates_on(day)
        settled = self.totals.paid["principal"] + self.totals.forgiven["principal"]
        left = max(0, self.totals.owed["principal"] - settled)
        unpaid = 0
        if self.terms.compounding is Compounding.COMPOUND:
            unpaid = sum(max(0, self._left(name)) for name in BEARING)
        if not self.terms.bears_penalty:
            yield "interest", annual, left + unpaid
            return
        fallen_due = self.due_sums[bisect_right(self.due_on, day)]
        overdue = min(left, max(0, fallen_due - settled))
        yield "interest", annual, left - overdue
        yield "penalty_interest", penalty, overdue + unpaid

    def _left(self, name: str) -> int:
        return self.totals.owed[name] - self.totals.paid[name] - self.totals.forgiven[name]

    def _component(self, name: str, sums: Mapping[tuple[str, Decimal, int], int]) -> ComponentAccrual:
        parts = tuple(
            BalanceDays(rate, year, minor_days)
            for (component, rate, year), minor_days in sums.items()
            if component == name and minor_days
        )
        exact = sum((part.exact for part in parts), Fraction(0))
        unit = self.terms.unit_minor
        minor = divide(exact.numerator, exact.denominator * unit, self.terms.rounding) * unit
        return ComponentAccrual(parts, exact, minor)
