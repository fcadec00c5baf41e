"""Any loan with any ledger, and its interest added up day by day: a model that shares nothing with the engine
but the contract's instalments."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from portal.accounts.balance import METHODS, Line, LoanTerms, instalments
from portal.dates import add_months
from portal.interest.engine import Compounding, InterestTerms, RateChange
from portal.money import Rounding
from portal.schedules.daycount import DayCount

RATES = st.integers(0, 3_600).map(lambda points: Decimal(points).scaleb(-4))


@st.composite
def interest_terms(draw: st.DrawFn) -> InterestTerms:
    """A contract with any knobs."""
    opened_on = draw(st.dates(date(2023, 1, 1), date(2027, 12, 31)))
    pay_day, term_count = draw(st.integers(1, 31)), draw(st.integers(1, 24))
    changes = draw(st.lists(st.tuples(st.integers(0, 500), RATES, st.none() | RATES), max_size=2))
    return InterestTerms(
        contract=LoanTerms(
            principal_minor=draw(st.integers(1_000, 10**9)),
            annual_rate=draw(RATES),
            method=draw(st.sampled_from(METHODS)),
            pay_day=pay_day,
            term_count=term_count,
            matures_on=add_months(opened_on, term_count, day=pay_day),
        ),
        opened_on=opened_on,
        day_count=draw(st.sampled_from(DayCount)),
        bears_penalty=draw(st.booleans()),
        penalty_multiple=draw(st.sampled_from([Decimal("1.0"), Decimal("1.3"), Decimal("1.5")])),
        rate_changes=tuple(
            RateChange(opened_on + timedelta(days=days), annual, penalty) for days, annual, penalty in changes
        ),
        compounding=draw(st.sampled_from(Compounding)),
        rounding=draw(st.sampled_from(Rounding)),
        unit_minor=draw(st.sampled_from([1, 100])),
    )


@st.composite
def lines_of(draw: st.DrawFn, terms: InterestTerms) -> list[Line]:
    """Lending, then payments, waivers, charges and reversals on any days."""
    lines = [Line(terms.opened_on, "disbursement", {"principal": terms.contract.principal_minor})]
    left = terms.contract.principal_minor
    for days in sorted(draw(st.lists(st.integers(0, 500), max_size=6))):
        day = terms.opened_on + timedelta(days=days)
        kind = draw(st.sampled_from(["payment", "waiver", "interest", "penalty_interest", "undone"]))
        minor = draw(st.integers(0, left))
        if kind in ("interest", "penalty_interest"):
            lines.append(Line(day, kind, {kind: minor % 9_999}))
        elif kind == "undone":
            lines.append(Line(day, "payment", {"principal": -minor}))
            later = day + timedelta(days=draw(st.integers(0, 40)))
            lines.append(Line(later, "reversal", {"principal": minor}, reverses_kind="payment"))
        else:
            left -= minor
            lines.append(Line(day, kind, {"principal": -minor}))
    return lines


def by_day(terms: InterestTerms, lines: Sequence[Line], *, since: date, until: date) -> dict[str, Fraction]:
    """The exact interest of each component, one day after the other."""
    found = {"interest": Fraction(0), "penalty_interest": Fraction(0)}
    day = since
    while day < until:
        for component, rate, base in _bases(terms, lines, day):
            found[component] += base * Fraction(rate) * _weight(terms, day)
        day += timedelta(days=1)
    return found


def _bases(terms: InterestTerms, lines: Sequence[Line], day: date) -> list[tuple[str, Decimal, int]]:
    so_far = [line for line in lines if line.posted_on <= day]
    settled = -sum(line.amounts.get("principal", 0) for line in so_far if line.kind != "disbursement")
    lent = sum(line.amounts["principal"] for line in so_far if line.kind == "disbursement")
    due = sum(part.principal_minor for part in instalments(terms.contract) if part.due_on <= day)
    left = max(0, lent - settled)  # more paid than lent bears nothing
    overdue = min(left, max(0, due - settled))
    charges = sum(
        line.amounts.get("interest", 0) + line.amounts.get("penalty_interest", 0) for line in so_far
    )
    unpaid = charges if terms.compounding is Compounding.COMPOUND else 0
    annual, penalty = terms.contract.annual_rate, None
    for change in sorted(terms.rate_changes, key=lambda one: one.from_on):
        if change.from_on <= day:
            annual, penalty = change.annual_rate, change.penalty_rate
    if not terms.bears_penalty:
        return [("interest", annual, left + unpaid)]
    dear = annual * terms.penalty_multiple if penalty is None else penalty
    return [("interest", annual, left - overdue), ("penalty_interest", dear, overdue + unpaid)]


def _weight(terms: InterestTerms, day: date) -> Fraction:
    """What part of a year one day is."""
    if terms.day_count is DayCount.ACTUAL_360:
        return Fraction(1, 360)
    if terms.day_count is DayCount.ACTUAL_365:
        return Fraction(1, 365)
    if terms.day_count is DayCount.ACTUAL_ACTUAL:
        return Fraction(1, 366 if calendar.isleap(day.year) else 365)
    start, months = terms.opened_on, 1
    while (following := add_months(terms.opened_on, months, day=terms.contract.pay_day)) <= day:
        start, months = following, months + 1
    return Fraction(_bond(start, day + timedelta(days=1)) - _bond(start, day), 360)


def _bond(start: date, end: date) -> int:
    d1, d2 = start.day, end.day
    if d1 == 31:
        d1 = 30
    if d2 == 31 and d1 in (30, 31):
        d2 = 30
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + (d2 - d1)
