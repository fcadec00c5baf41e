"""What a statement is made from, and the statements that were issued; each loads for its owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from portal.accounts.balance import COMPONENTS, Line, LoanTerms
from portal.accounts.models import IssuedStatement, LedgerLine, Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.interest.accrual import Stop
from portal.interest.settlement import settlement_for
from portal.statements.settlement import SettlementRow, row_of
from portal.statements.sheet import (
    Entry,
    LoanFacts,
    LoanStatement,
    Statement,
    entry_of,
    loan_statement,
    statement_from,
)

_LOAN = Loan.__table__
_LINE = LedgerLine.__table__
_REVERSED = _LINE.alias("reversed")
_ISSUED = IssuedStatement.__table__


@dataclass(frozen=True, slots=True)
class Choice:
    """What a statement is about: one loan account, or all of a currency (`loan_ref` None), from `first`
    (None: the start) to `as_of`, both included.

    With `settle_on` it says what pays each loan off on that day; `stops` is what an agreed plan stops
    accruing, by loan id, and `fee_rate` the bank's fee for paying early.
    """

    currency: str
    loan_ref: str | None
    first: date | None
    as_of: date
    settle_on: date | None = None
    stops: Mapping[int, Stop] = field(default_factory=dict)
    fee_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Issued:
    """One statement as it was issued: nothing of it changes any more."""

    reference: str
    issued_on: date
    created_at: datetime
    digest: str
    key_id: str
    signature: str
    content: dict[str, Any]

    @property
    def statement(self) -> Statement:
        """Its figures and lines."""
        return statement_from(self.content)


@dataclass(frozen=True, slots=True)
class IssuedRow:
    """A line of the list of what was issued."""

    reference: str
    issued_on: date
    as_of: date


def statement_for(
    connection: Connection, borrower_id: int, choice: Choice, *, issuer: str
) -> Statement | None:
    """The statement of the borrower's own loans; None when the choice names none of them.

    Two statements: the loans, and their lines; and the settlement's where one is asked for. No loan is
    stated past the day its books go to.
    """
    query = (
        select(Loan.__table__, LoanBalance.as_of, Borrower.customer_ref)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .join(Borrower, Borrower.id == Loan.borrower_id)
        .where(Loan.borrower_id == borrower_id, Loan.currency == choice.currency)
        .order_by(Loan.loan_ref)
    )
    if choice.loan_ref is not None:
        query = query.where(Loan.loan_ref == choice.loan_ref)
    loans = connection.execute(query).all()
    if not loans:
        return None
    entries = _entries(connection, [row.id for row in loans], choice.as_of)
    return Statement(
        issuer=issuer,
        customer_ref=loans[0].customer_ref,
        currency=choice.currency,
        first=choice.first,
        as_of=choice.as_of,
        loans=tuple(_loan(row, entries[row.id], choice) for row in loans),
        settlement=_settlement(connection, borrower_id, loans, choice),
    )


def _settlement(
    connection: Connection, borrower_id: int, loans: Sequence[Row[Any]], choice: Choice
) -> tuple[SettlementRow, ...]:
    """What pays each loan off on the day asked for, where one was; three statements a loan."""
    if choice.settle_on is None:
        return ()
    found = (
        settlement_for(
            connection,
            borrower_id,
            row.loan_ref,
            on=choice.settle_on,
            stop=choice.stops.get(row.id),
            fee_rate=choice.fee_rate,
        )
        for row in loans
    )
    return tuple(row_of(one) for one in found if one is not None)


def _loan(row: Row[Any], entries: list[Entry], choice: Choice) -> LoanStatement:
    terms = LoanTerms(
        principal_minor=row.principal_minor,
        annual_rate=row.annual_rate,
        method=row.method,
        pay_day=row.pay_day,
        term_count=row.term_count,
        matures_on=row.matures_on,
    )
    facts = LoanFacts(row.loan_ref, row.product, row.product_class, format(row.annual_rate, "f"))
    return loan_statement(facts, terms, entries, first=choice.first, as_of=min(choice.as_of, row.as_of))


def _entries(connection: Connection, loan_ids: list[int], as_of: date) -> dict[int, list[Entry]]:
    """The lines of each loan up to `as_of`, in the order they were posted."""
    rows = connection.execute(
        select(_LINE, _REVERSED.c.kind.label("reverses_kind"), _REVERSED.c.line_ref.label("reverses_ref"))
        .outerjoin(_REVERSED, _REVERSED.c.id == _LINE.c.reverses_id)
        .where(_LINE.c.loan_id.in_(loan_ids), _LINE.c.posted_on <= as_of)
        .order_by(_LINE.c.loan_id, _LINE.c.posted_on, _LINE.c.id)
    )
    made: dict[int, list[Entry]] = {loan_id: [] for loan_id in loan_ids}
    for row in rows:
        fact = row._mapping
        line = Line(
            posted_on=row.posted_on,
            kind=row.kind,
            amounts={name: fact[f"{name}_minor"] for name in COMPONENTS},
            suspense_minor=row.suspense_minor,
            reverses_kind=row.reverses_kind,
        )
        made[row.loan_id].append(entry_of(line, line_ref=row.line_ref, reverses_ref=row.reverses_ref))
    return made


def issued_for(connection: Connection, borrower_id: int, reference: str) -> Issued | None:
    """The borrower's own statement of that reference, as issued; somebody else's is nothing."""
    row = connection.execute(
        select(
            _ISSUED.c.reference,
            _ISSUED.c.issued_on,
            _ISSUED.c.created_at,
            _ISSUED.c.digest,
            _ISSUED.c.key_id,
            _ISSUED.c.signature,
            _ISSUED.c.content,
        ).where(_ISSUED.c.borrower_id == borrower_id, _ISSUED.c.reference == reference)
    ).one_or_none()
    return Issued(*row) if row else None


def issued_list_for(connection: Connection, borrower_id: int, *, limit: int = 10) -> tuple[IssuedRow, ...]:
    """The borrower's latest statements, the newest first."""
    rows = connection.execute(
        select(_ISSUED.c.reference, _ISSUED.c.issued_on, _ISSUED.c.as_of)
        .where(_ISSUED.c.borrower_id == borrower_id)
        .order_by(_ISSUED.c.id.desc())
        .limit(limit)
    )
    return tuple(IssuedRow(*row) for row in rows)
