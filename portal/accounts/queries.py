"""What pages read of loan accounts: balances, the ledger lines behind them, ordinary instalments.

Core statements only, built once; each loads for its owner and answers with frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, bindparam, select

from portal.accounts.balance import LoanTerms, moves
from portal.accounts.models import LedgerLine, Loan, LoanBalance, LoanRate
from portal.money import Money
from portal.ready import Ready

#: The components in the order a person reads them; allocation has its own order.
READING_ORDER = ("principal", "interest", "penalty_interest", "fee", "cost")

_LOAN = Loan.__table__
_BALANCE = LoanBalance.__table__
_LINE = LedgerLine.__table__
_RATE = LoanRate.__table__


@dataclass(frozen=True, slots=True)
class ComponentFigures:
    """One component: what was charged, paid, forgiven, and what is left of it.

    Kept as whole numbers: a balance holds dozens of figures, and a page shows some of them as money.
    """

    owed_minor: int
    paid_minor: int
    forgiven_minor: int
    currency: str

    @property
    def owed(self) -> Money:
        """All that was charged."""
        return Money(self.owed_minor, self.currency)

    @property
    def paid(self) -> Money:
        """All that was paid and placed here."""
        return Money(self.paid_minor, self.currency)

    @property
    def forgiven(self) -> Money:
        """All that was waived."""
        return Money(self.forgiven_minor, self.currency)

    @property
    def left(self) -> Money:
        """owed - paid - forgiven."""
        return Money(self.owed_minor - self.paid_minor - self.forgiven_minor, self.currency)


@dataclass(frozen=True, slots=True)
class LoanView:
    """One loan account with its figures as of the business date of the last posting or intake."""

    loan_id: int
    loan_ref: str
    product: str
    product_class: str
    currency: str
    annual_rate: Decimal
    penalty_multiple: Decimal
    day_count: str
    rounding: str
    unit_minor: int
    compounding: str
    method: str
    principal: Money
    opened_on: date
    matures_on: date
    pay_day: int
    term_count: int
    as_of: date
    days_overdue: int
    version: int
    line_count: int
    components: Mapping[str, ComponentFigures]
    owed: Money
    paid: Money
    forgiven: Money
    left: Money
    due_now: Money
    not_yet_due: Money
    principal_due: Money
    overpaid: Money
    #: the yearly rate that its last change before `as_of` made it, and that of overdue principal
    rate_now: Decimal
    penalty_rate_now: Decimal

    @property
    def has_matured(self) -> bool:
        """Whether the last instalment was due on or before the business date."""
        return self.matures_on <= self.as_of

    @property
    def shown(self) -> tuple[tuple[str, ComponentFigures], ...]:
        """The components that were ever charged, in reading order."""
        return tuple((name, part) for name, part in self.components.items() if part.owed_minor)

    @property
    def terms(self) -> LoanTerms:
        """What of the contract decides when principal falls due."""
        return LoanTerms(
            principal_minor=self.principal.minor,
            annual_rate=self.annual_rate,
            method=self.method,
            pay_day=self.pay_day,
            term_count=self.term_count,
            matures_on=self.matures_on,
        )

    def due_of(self, component: str) -> Money:
        """What of `component` is due now: charges in full, of the principal what has fallen due."""
        return self.principal_due if component == "principal" else self.components[component].left


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """The loans of one currency together."""

    currency: str
    loans: tuple[LoanView, ...]
    components: Mapping[str, ComponentFigures]
    owed: Money
    paid: Money
    forgiven: Money
    left: Money
    due_now: Money
    not_yet_due: Money

    @property
    def overpaid(self) -> Money:
        """Money of all loans that waits to be assigned."""
        return Money.sum((loan.overpaid for loan in self.loans), self.currency)

    @property
    def shown(self) -> tuple[tuple[str, ComponentFigures], ...]:
        """The components that were ever charged, in reading order."""
        return tuple((name, part) for name, part in self.components.items() if part.owed_minor)

    @property
    def product_classes(self) -> tuple[str, ...]:
        """The product classes among the loans, each once."""
        return tuple(dict.fromkeys(loan.product_class for loan in self.loans))

    @property
    def all_matured(self) -> bool:
        """Whether every loan has passed its last instalment's day."""
        return all(loan.has_matured for loan in self.loans)

    @property
    def as_of(self) -> date:
        """The oldest business date among the loans: the sum is no fresher than that."""
        return min(loan.as_of for loan in self.loans)


@dataclass(frozen=True, slots=True)
class BorrowerBalance:
    """Everything one borrower owes here; sums never cross currencies."""

    loans: tuple[LoanView, ...]
    totals: tuple[CurrencyTotals, ...]

    def loan(self, loan_ref: str) -> LoanView | None:
        """The borrower's loan of that reference, or nothing: somebody else's is nothing too."""
        return next((loan for loan in self.loans if loan.loan_ref == loan_ref), None)

    @property
    def anything_due(self) -> bool:
        """Whether anything is due now on any loan."""
        return any(loan.due_now for loan in self.loans)

    def total(self, currency: str) -> CurrencyTotals | None:
        """The total in `currency`, or nothing where no loan has it."""
        return next((total for total in self.totals if total.currency == currency), None)


@dataclass(frozen=True, slots=True)
class LineView:
    """One posted ledger line: charges positive, payments negative."""

    line_id: int
    loan_id: int
    line_ref: str
    source: str
    posted_on: date
    kind: str
    amounts: Mapping[str, Money]
    total: Money
    memo: str
    reverses_ref: str | None = None
    reverses_kind: str | None = None

    @property
    def moves(self) -> str:
        """The sum it moves: ``owed``, ``paid`` or ``forgiven``; a reversal that of the line it undoes."""
        return moves(self.kind if self.kind != "reversal" else self.reverses_kind or "")

    @property
    def placed(self) -> Money:
        """What it changes of the components together, without money that none of them could take."""
        return self.total - self.amounts["suspense"]


#: The columns that a LoanView takes as they are.
_PLAIN = (
    "loan_ref",
    "product",
    "product_class",
    "currency",
    "annual_rate",
    "penalty_multiple",
    "day_count",
    "rounding",
    "unit_minor",
    "compounding",
    "method",
    "opened_on",
    "matures_on",
    "pay_day",
    "term_count",
    "as_of",
    "days_overdue",
    "version",
    "line_count",
)
_AMOUNTS = ("principal", "due_now", "principal_due", "suspense")
_SUMS = tuple(f"{name}_{sum_}" for name in READING_ORDER for sum_ in ("owed", "paid", "forgiven"))
_FACTS = {column.name: column for column in (*_BALANCE.c, *_LOAN.c)}


def _latest(column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """What the loan's last change of rate up to its business date says."""
    return (
        select(column)
        .where(_RATE.c.loan_id == _LOAN.c.id, _RATE.c.from_on <= _BALANCE.c.as_of)
        .order_by(_RATE.c.from_on.desc())
        .limit(1)
        .correlate(_LOAN, _BALANCE)
        .scalar_subquery()
    )


_BALANCES = Ready(
    select(
        _LOAN.c.id,
        _latest(_RATE.c.annual_rate).label("rate_now"),
        _latest(_RATE.c.penalty_rate).label("penalty_rate_now"),
        *(_FACTS[name] for name in _PLAIN),
        *(_FACTS[f"{name}_minor"] for name in (*_AMOUNTS, *_SUMS)),
    )
    .join(_BALANCE, _BALANCE.c.loan_id == _LOAN.c.id)
    .where(_LOAN.c.borrower_id == bindparam("borrower_id"))
    .order_by(_BALANCE.c.due_now_minor.desc(), _LOAN.c.loan_ref)
)


def balances_for(connection: Connection, borrower_id: int) -> BorrowerBalance:
    """The figures of every loan of the borrower, the most due first; one statement."""
    return balance_of(balance_rows(connection, borrower_id))


def balance_rows(connection: Connection, borrower_id: int) -> tuple[tuple[Any, ...], ...]:
    """What `balance_of` is made from; equal rows make an equal balance."""
    return tuple(_BALANCES.rows(connection, {"borrower_id": borrower_id}))


def balance_of(rows: Iterable[tuple[Any, ...]]) -> BorrowerBalance:
    """The balance that these rows of `balance_rows` hold."""
    return together(_loan_view(row) for row in rows)


def together(views: Iterable[LoanView]) -> BorrowerBalance:
    """Loans with their totals, currency by currency."""
    loans = tuple(views)
    currencies = dict.fromkeys(loan.currency for loan in loans)
    return BorrowerBalance(loans, tuple(_totals(currency, loans) for currency in currencies))


def _loan_view(row: tuple[Any, ...]) -> LoanView:
    """A row of _BALANCES, whose columns are read by place: a page reads dozens."""
    facts: list[Any] = list(row)
    loan_id, changed, penalty, *rest = facts
    plain = dict(zip(_PLAIN, rest))
    principal, due_now, principal_due, suspense, *sums = rest[len(_PLAIN) :]
    rate_now: Decimal = plain["annual_rate"] if changed is None else changed
    currency: str = plain["currency"]
    by_component = zip(sums[0::3], sums[1::3], sums[2::3])
    components = {
        name: ComponentFigures(owed, paid, forgiven, currency)
        for name, (owed, paid, forgiven) in zip(READING_ORDER, by_component)
    }
    whole = _sum_of(components.values(), currency)
    left = whole.left
    return LoanView(
        loan_id=loan_id,
        rate_now=rate_now,
        penalty_rate_now=rate_now * plain["penalty_multiple"] if penalty is None else penalty,
        principal=Money(principal, currency),
        components=components,
        owed=whole.owed,
        paid=whole.paid,
        forgiven=whole.forgiven,
        left=left,
        due_now=Money(due_now, currency),
        not_yet_due=Money(left.minor - due_now, currency),
        principal_due=Money(principal_due, currency),
        overpaid=Money(suspense, currency),
        **plain,
    )


def _sum_of(parts: Iterable[ComponentFigures], currency: str) -> ComponentFigures:
    """`parts`, all of `currency`, together."""
    owed = paid = forgiven = 0
    for part in parts:
        owed += part.owed_minor
        paid += part.paid_minor
        forgiven += part.forgiven_minor
    return ComponentFigures(owed, paid, forgiven, currency)


def _totals(currency: str, loans: tuple[LoanView, ...]) -> CurrencyTotals:
    ours = tuple(loan for loan in loans if loan.currency == currency)
    components = {name: _sum_of([loan.components[name] for loan in ours], currency) for name in READING_ORDER}
    due_now = Money.sum((loan.due_now for loan in ours), currency)
    sums = _sum_of(components.values(), currency)
    left = sums.left
    return CurrencyTotals(
        currency=currency,
        loans=ours,
        components=components,
        owed=sums.owed,
        paid=sums.paid,
        forgiven=sums.forgiven,
        left=left,
        due_now=due_now,
        not_yet_due=left - due_now,
    )


_REVERSED = _LINE.alias("reversed")
_LINES = (
    select(
        _LINE.c.id,
        _LINE.c.loan_id,
        _LINE.c.line_ref,
        _LINE.c.source,
        _LINE.c.posted_on,
        _LINE.c.kind,
        _LINE.c.memo,
        *(_LINE.c[f"{name}_minor"] for name in (*READING_ORDER, "suspense")),
        _LOAN.c.currency,
        _REVERSED.c.line_ref.label("reverses_ref"),
        _REVERSED.c.kind.label("reverses_kind"),
    )
    .join(_LOAN, _LOAN.c.id == _LINE.c.loan_id)
    .outerjoin(_REVERSED, _REVERSED.c.id == _LINE.c.reverses_id)
    .where(_LOAN.c.borrower_id == bindparam("borrower_id"))
)


def lines_for(
    connection: Connection,
    borrower_id: int,
    loan_ref: str,
    *,
    component: str | None = None,
    after: date | None = None,
    until: date | None = None,
    newest_first: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[LineView, ...]:
    """The lines of one loan of the borrower in the order they were posted; nothing for others' loans.

    `component` keeps the lines that touch it, `after` those posted later than that day,
    `until` those up to and including that day.
    """
    statement = _LINES.where(_LOAN.c.loan_ref == loan_ref)
    if component is not None:
        statement = statement.where(_LINE.c[f"{component}_minor"] != 0)
    if after is not None:
        statement = statement.where(_LINE.c.posted_on > after)
    if until is not None:
        statement = statement.where(_LINE.c.posted_on <= until)
    order = (_LINE.c.posted_on, _LINE.c.id)
    statement = statement.order_by(*(column.desc() for column in order) if newest_first else order)
    if limit is not None:
        statement = statement.limit(limit).offset(offset)
    rows = connection.execute(statement, {"borrower_id": borrower_id})
    return tuple(line_view(dict(row._mapping)) for row in rows)


def lines_since_for(
    connection: Connection, borrower_id: int, *, loan_ids: Iterable[int], after: date
) -> tuple[LineView, ...]:
    """The lines of the named loans, so far as they are the borrower's, posted later than `after`."""
    statement = _LINES.where(_LINE.c.loan_id.in_(list(loan_ids)), _LINE.c.posted_on > after).order_by(
        _LINE.c.posted_on, _LINE.c.loan_id, _LINE.c.id
    )
    rows = connection.execute(statement, {"borrower_id": borrower_id})
    return tuple(line_view(dict(row._mapping)) for row in rows)


def line_view(fact: Mapping[str, Any]) -> LineView:
    """A ledger line as pages print it, from a row with the ledger's columns and its loan's currency."""
    currency: str = fact["currency"]
    amounts = {name: Money(fact[f"{name}_minor"], currency) for name in (*READING_ORDER, "suspense")}
    return LineView(
        line_id=fact["id"],
        loan_id=fact["loan_id"],
        line_ref=fact["line_ref"],
        source=fact["source"],
        posted_on=fact["posted_on"],
        kind=fact["kind"],
        amounts=amounts,
        total=Money.sum(amounts.values(), currency),
        memo=fact["memo"],
        reverses_ref=fact["reverses_ref"],
        reverses_kind=fact["reverses_kind"],
    )


def ordinary_instalments_for(
    connection: Connection, borrower_id: int, *, today: date, currency: str = "CNY"
) -> Money:
    """The principal of one ordinary monthly instalment of every loan that still runs after `today`."""
    statement = select(_LOAN.c.principal_minor, _LOAN.c.term_count).where(
        _LOAN.c.borrower_id == bindparam("borrower_id"),
        _LOAN.c.currency == currency,
        _LOAN.c.matures_on > today,
    )
    rows = connection.execute(statement, {"borrower_id": borrower_id})
    each = (next(Money(row.principal_minor, currency).split(row.term_count)) for row in rows)
    return Money.sum(each, currency)
