"""The balance as of any day: from the lines posted up to it and what the contract makes due by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection

from portal.accounts.balance import Instalment, LoanFigures, Totals
from portal.accounts.explanation import instalments_between
from portal.accounts.operations import totals_of
from portal.accounts.queries import (
    READING_ORDER,
    BorrowerBalance,
    ComponentFigures,
    LoanView,
    balances_for,
    together,
)
from portal.interest.accrual import LoanLedger, Stop, ledgers_for, rate_changes, stopped
from portal.interest.engine import BEARING, RateChange
from portal.interest.payoff import payoff
from portal.money import Money

#: How many days ahead of the books a balance is given for.
DAYS_AHEAD = 366


@dataclass(frozen=True, slots=True)
class Ahead:
    """What will have happened to a loan by a day to come, so far as contract and engine tell: the
    instalments that fall due, and the interest, which is an estimate until the bank posts it."""

    loan_id: int
    loan_ref: str
    since: date
    instalments: tuple[Instalment, ...]
    estimate: Mapping[str, Money]
    falls_due: Money
    estimated: Money


def balances_as_of(connection: Connection, borrower_id: int, *, on: date) -> BorrowerBalance:
    """The borrower's balance as of `on`: exactly what the lines posted up to that day and the contract give.

    For a day after the books end, the lines are those there are, and instalments fall due by the
    contract; no interest is added. Loans opened after `on` are left out. Three statements.
    """
    known = balances_for(connection, borrower_id)
    loans = [loan for loan in known.loans if loan.opened_on <= on]
    loan_ids = [loan.loan_id for loan in loans]
    totals = totals_of(connection, loan_ids, until=on)
    rates = rate_changes(connection, loan_ids)
    return together(
        _as_of(loan, totals.get(loan.loan_id, Totals()), rates.get(loan.loan_id, ()), on) for loan in loans
    )


def _as_of(loan: LoanView, totals: Totals, rates: tuple[RateChange, ...], on: date) -> LoanView:
    figures = totals.figures(loan.terms, as_of=on)
    rate, penalty = _rates_on(loan, rates, on)
    money = _Amounts(loan.currency)
    return replace(
        loan,
        as_of=on,
        days_overdue=figures.days_overdue,
        line_count=figures.line_count,
        components=_components(figures, loan.currency),
        owed=money(figures.owed),
        paid=money(figures.paid),
        forgiven=money(figures.forgiven),
        left=money(figures.left),
        due_now=money(figures.due_now),
        not_yet_due=money(figures.not_yet_due),
        principal_due=money(figures.principal_due),
        overpaid=money(figures.suspense),
        rate_now=rate,
        penalty_rate_now=penalty,
    )


@dataclass(frozen=True, slots=True)
class _Amounts:
    currency: str

    def __call__(self, minor: int) -> Money:
        return Money(minor, self.currency)


def _components(figures: LoanFigures, currency: str) -> dict[str, ComponentFigures]:
    return {
        name: ComponentFigures(part.owed, part.paid, part.forgiven, currency)
        for name, part in ((name, figures.components[name]) for name in READING_ORDER)
    }


def _rates_on(loan: LoanView, rates: tuple[RateChange, ...], on: date) -> tuple[Decimal, Decimal]:
    annual, penalty = loan.annual_rate, None
    for change in rates:
        if change.from_on <= on:
            annual, penalty = change.annual_rate, change.penalty_rate
    return annual, annual * loan.penalty_multiple if penalty is None else penalty


def ahead_for(
    connection: Connection, borrower_id: int, *, on: date, stops: Mapping[int, Stop] | None = None
) -> dict[int, Ahead]:
    """By loan id, what comes by `on` on each of the borrower's loans whose books end before it; three
    statements. `stops` is by loan id, what agreed plans stop accruing."""
    ledgers = ledgers_for(connection, borrower_id)
    return {
        one.loan_id: ahead(one, on=on, stop=(stops or {}).get(one.loan_id))
        for one in ledgers
        if one.as_of < on
    }


def ahead(ledger: LoanLedger, *, on: date, stop: Stop | None = None) -> Ahead:
    """What comes by `on` on one loan after its books end. Pure."""
    terms = ledger.terms if stop is None else stopped(ledger.terms, stop)
    found = payoff(terms, (one.line for one in ledger.entries), since=ledger.last_posted(on), on=on)
    parts = tuple(instalments_between(terms.contract, after=ledger.as_of, until=on))
    money = _Amounts(ledger.currency)
    return Ahead(
        loan_id=ledger.loan_id,
        loan_ref=ledger.loan_ref,
        since=ledger.last_posted(on),
        instalments=parts,
        estimate={name: money(found.accrued[name]) for name in BEARING},
        falls_due=money(sum(part.principal_minor for part in parts)),
        estimated=money(sum(found.accrued.values())),
    )
