"""Loans with their ledgers for the interest engine, and what accrued since the last posting: an estimate.

Core statements only. The estimate is not owed yet: the bank's posting decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, func, select

from portal.accounts.balance import COMPONENTS, Line, LoanTerms
from portal.accounts.models import LedgerLine, Loan, LoanBalance, LoanRate
from portal.interest.engine import (
    BEARING,
    Accrual,
    Compounding,
    InterestTerms,
    RateChange,
    accrued_by_posting,
)
from portal.interest.reproduction import Entry
from portal.money import Money, Rounding
from portal.schedules.daycount import DayCount

#: Loans whose lines are read with one statement.
CHUNK = 500

_LOAN = Loan.__table__
_LINE = LedgerLine.__table__
_BALANCE = LoanBalance.__table__
_RATE = LoanRate.__table__
_UNDONE = _LINE.alias("undone")
_UNDOING = _LINE.alias("undoing")


@dataclass(frozen=True, slots=True)
class LoanLedger:
    """A loan, the terms of its interest, and its lines in the order they were posted.

    `as_of` is the day its balance row stands at.
    """

    loan_id: int
    loan_ref: str
    currency: str
    product_class: str
    terms: InterestTerms
    as_of: date
    entries: tuple[Entry, ...]

    def last_posted(self, until: date) -> date:
        """The day of the last interest posted up to and including `until` that still stands, else that of
        lending."""
        posted = (
            one.line.posted_on
            for one in self.entries
            if one.line.kind in BEARING and not one.reversed and one.line.posted_on <= until
        )
        return max(posted, default=self.terms.opened_on)


@dataclass(frozen=True, slots=True)
class BalanceOfDays:
    """A balance and the days on which it was that: `product` is the one times the other."""

    start: date
    end: date
    balance: Money
    days: int

    @property
    def product(self) -> Money:
        """Balance times days."""
        return Money(self.balance.minor * self.days, self.balance.currency)


@dataclass(frozen=True, slots=True)
class EstimateLine:
    """The part of an estimate at one yearly rate, from `since` to the day before `until`: `balance_days` (an
    amount times days) x rate / year_days. `days` are the balances of the days, which add up to it."""

    since: date
    until: date
    component: str
    rate: Decimal
    year_days: int
    balance_days: Money
    amount: Money
    days: tuple[BalanceOfDays, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a loan accrued from `since` up to the day before `until`: not posted, so not owed yet.

    The amounts of the lines sum to `total`. It is cut at the days on which the bank posts, because it rounds
    each posting; each component was rounded once in each part, as the named rule says.
    """

    loan_id: int
    loan_ref: str
    since: date
    until: date
    lines: tuple[EstimateLine, ...]
    total: Money
    day_count: DayCount
    compounding: Compounding
    rounding: Rounding
    unit_minor: int

    @property
    def days(self) -> int:
        """Calendar days counted."""
        return (self.until - self.since).days


@dataclass(frozen=True, slots=True)
class Stop:
    """From `from_on` on (that day included) no penalty interest accrues, as an agreed plan says; nor ordinary
    interest where `interest` is agreed too."""

    from_on: date
    interest: bool = False


_NO_STOPS: Mapping[int, Stop] = MappingProxyType({})


def accrued_for(
    connection: Connection, borrower_id: int, *, as_of: date, stops: Mapping[int, Stop] = _NO_STOPS
) -> dict[int, Estimate]:
    """By loan id, what each loan of the borrower accrued since its last posted interest; three statements.

    Counts the days before `as_of`, with every line posted so far, the portal's own too. Loans that
    were never posted to count from the day of lending; one opened later than `as_of` is left out. `stops`
    is by loan id.
    """
    return {
        one.loan_id: estimate(one, as_of=as_of, stop=stops.get(one.loan_id))
        for one in ledgers_for(connection, borrower_id)
        if one.terms.opened_on <= as_of
    }


def estimate(ledger: LoanLedger, *, as_of: date, stop: Stop | None = None) -> Estimate:
    """What accrued on one loan since its last posted interest, up to the day before `as_of`. Pure."""
    known = [entry for entry in ledger.entries if entry.line.posted_on <= as_of]
    since = ledger.last_posted(as_of)
    terms = ledger.terms if stop is None else stopped(ledger.terms, stop)
    lines = (entry.line for entry in known)
    accruals = accrued_by_posting(terms, lines, since=since, until=as_of)
    return Estimate(
        loan_id=ledger.loan_id,
        loan_ref=ledger.loan_ref,
        since=since,
        until=as_of,
        lines=tuple(line for accrual in accruals for line in estimate_lines(ledger, accrual)),
        total=Money(sum(accrual.minor for accrual in accruals), ledger.currency),
        day_count=ledger.terms.day_count,
        compounding=ledger.terms.compounding,
        rounding=ledger.terms.rounding,
        unit_minor=ledger.terms.unit_minor,
    )


def stopped(terms: InterestTerms, stop: Stop) -> InterestTerms:
    """The same terms with rates of nought from the stop on, whatever changes of rates they name later."""
    before = tuple(change for change in terms.rate_changes if change.from_on < stop.from_on)
    after = (change for change in terms.rate_changes if change.from_on > stop.from_on)
    nought, (annual, _) = Decimal(0), terms.rates_on(stop.from_on)
    kept = [RateChange(stop.from_on, annual), *after]
    stopped = (
        replace(change, annual_rate=nought if stop.interest else change.annual_rate, penalty_rate=nought)
        for change in kept
    )
    return replace(terms, rate_changes=(*before, *stopped))


def estimate_lines(ledger: LoanLedger, accrual: Accrual) -> Iterator[EstimateLine]:
    """The accrual rate by rate; the amounts sum to it."""
    for component, found in accrual.components.items():
        shares = found.shares(ledger.terms.unit_minor)
        for part, minor in zip(found.parts, shares, strict=True):
            if not part.rate:
                continue
            yield EstimateLine(
                since=accrual.since,
                until=accrual.until,
                component=component,
                rate=part.rate,
                year_days=part.year_days,
                balance_days=Money(part.minor_days, ledger.currency),
                amount=Money(minor, ledger.currency),
                days=tuple(
                    BalanceOfDays(one.start, one.end, Money(one.base, ledger.currency), one.days)
                    for one in accrual.stretches
                    if (one.component, one.rate, one.year_days) == (component, part.rate, part.year_days)
                ),
            )


def ledgers_for(connection: Connection, borrower_id: int) -> tuple[LoanLedger, ...]:
    """The borrower's loans with all their lines, the portal's too; three statements."""
    found = _loans(connection, _FACTS.where(_LOAN.c.borrower_id == borrower_id).order_by(_LOAN.c.id))
    return tuple(_with_lines(connection, found, sources=("core", "portal")))


def ledger_for(connection: Connection, borrower_id: int, loan_ref: str) -> LoanLedger | None:
    """The borrower's own loan with all its lines, the portal's too; nothing for somebody else's."""
    found = _loans(connection, _FACTS.where(_LOAN.c.borrower_id == borrower_id, _LOAN.c.loan_ref == loan_ref))
    return next(_with_lines(connection, found, sources=("core", "portal")), None)


def core_ledgers(connection: Connection, *, loan_ref: str | None = None) -> Iterator[LoanLedger]:
    """Every loan, or the named one, with the lines the bank's core posted; read in chunks, whatever their
    number."""
    last = 0
    while True:
        statement = _FACTS.where(_LOAN.c.id > last).order_by(_LOAN.c.id).limit(CHUNK)
        if loan_ref is not None:
            statement = statement.where(_LOAN.c.loan_ref == loan_ref)
        found = _loans(connection, statement)
        if not found:
            return
        yield from _with_lines(connection, found, sources=("core",))
        last = found[-1].id


_FACTS = select(
    _LOAN.c.id,
    _LOAN.c.loan_ref,
    _LOAN.c.currency,
    _LOAN.c.product_class,
    _LOAN.c.opened_on,
    _LOAN.c.day_count,
    _LOAN.c.penalty_multiple,
    _LOAN.c.principal_minor,
    _LOAN.c.annual_rate,
    _LOAN.c.method,
    _LOAN.c.pay_day,
    _LOAN.c.term_count,
    _LOAN.c.matures_on,
    _LOAN.c.rounding,
    _LOAN.c.unit_minor,
    _LOAN.c.compounding,
    _BALANCE.c.as_of,
).join(_BALANCE, _BALANCE.c.loan_id == _LOAN.c.id)


def _loans(connection: Connection, statement: Any) -> Sequence[Any]:
    return connection.execute(statement).all()


def _with_lines(
    connection: Connection, loans: Sequence[Any], *, sources: Sequence[str]
) -> Iterator[LoanLedger]:
    """The loans of rows of _FACTS with their lines of the named sources."""
    statement = (
        select(
            _LINE.c.loan_id,
            _LINE.c.line_ref,
            _LINE.c.posted_on,
            _LINE.c.kind,
            _LINE.c.suspense_minor,
            _UNDONE.c.kind.label("reverses_kind"),
            _UNDOING.c.id.label("undone_by"),
            *(_LINE.c[f"{name}_minor"] for name in COMPONENTS),
        )
        .outerjoin(_UNDONE, _UNDONE.c.id == _LINE.c.reverses_id)
        .outerjoin(_UNDOING, _UNDOING.c.reverses_id == _LINE.c.id)
        .where(_LINE.c.loan_id.in_([loan.id for loan in loans]), _LINE.c.source.in_(sources))
        .order_by(_LINE.c.loan_id, _LINE.c.posted_on, _LINE.c.id)
    )
    changes = rate_changes(connection, [loan.id for loan in loans])
    entries: dict[int, list[Entry]] = {loan.id: [] for loan in loans}
    for row in connection.execute(statement):
        amounts = dict(zip(COMPONENTS, row[7:], strict=True))
        line = Line(row.posted_on, row.kind, amounts, row.suspense_minor, row.reverses_kind)
        entries[row.loan_id].append(Entry(row.line_ref, line, row.undone_by is not None))
    for loan in loans:
        yield LoanLedger(
            loan_id=loan.id,
            loan_ref=loan.loan_ref,
            currency=loan.currency,
            product_class=loan.product_class,
            terms=terms_of_row(loan, changes.get(loan.id, ())),
            as_of=loan.as_of,
            entries=tuple(entries[loan.id]),
        )


def rate_changes(connection: Connection, loan_ids: Collection[int]) -> dict[int, tuple[RateChange, ...]]:
    """The changes of rate of loans, by loan id, the earliest first; loans without any are not in it."""
    rows = connection.execute(
        select(_RATE.c.loan_id, _RATE.c.from_on, _RATE.c.annual_rate, _RATE.c.penalty_rate)
        .where(_RATE.c.loan_id.in_(loan_ids))
        .order_by(_RATE.c.loan_id, _RATE.c.from_on)
    )
    found: dict[int, tuple[RateChange, ...]] = {}
    for loan_id, *change in rows:
        found[loan_id] = (*found.get(loan_id, ()), RateChange(*change))
    return found


def terms_of_row(loan: Any, changes: Sequence[RateChange] = ()) -> InterestTerms:
    """The terms of a row of the loan table with its changes of rate; a card bears no penalty interest.

    Raises ValueError for a day count, rounding or compounding that is not known.
    """
    return InterestTerms(
        contract=LoanTerms(
            principal_minor=loan.principal_minor,
            annual_rate=loan.annual_rate,
            method=loan.method,
            pay_day=loan.pay_day,
            term_count=loan.term_count,
            matures_on=loan.matures_on,
        ),
        opened_on=loan.opened_on,
        day_count=DayCount(loan.day_count),
        bears_penalty=loan.product_class != "card",
        penalty_multiple=loan.penalty_multiple,
        rate_changes=tuple(changes),
        compounding=Compounding(loan.compounding),
        rounding=Rounding(loan.rounding),
        unit_minor=loan.unit_minor,
    )


def loan_count(connection: Connection, *, loan_ref: str | None = None) -> int:
    """How many loans `core_ledgers` will give."""
    statement = select(func.count()).select_from(_LOAN)
    if loan_ref is not None:
        statement = statement.where(_LOAN.c.loan_ref == loan_ref)
    return connection.scalar(statement) or 0
