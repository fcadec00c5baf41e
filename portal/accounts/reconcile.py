"""Whether the stored balances still equal the lines: statements of their own, so that a mistake in the
code that writes the balances is not repeated by the code that checks them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from portal.accounts.balance import (
    CHARGES,
    COMPONENTS,
    FORGIVING,
    SETTLING,
    TAKINGS,
    LoanTerms,
    days_overdue,
    principal_due,
)
from portal.accounts.models import LedgerLine, Loan, LoanBalance


def faults(connection: Connection) -> Iterator[str]:
    """Every difference between the balance rows and the ledger, as a sentence without amounts' owners."""
    yield from _without_balance(connection)
    yield from _crooked_reversals(connection)
    yield from _taken_beyond(connection)
    yield from _crooked_transfers(connection)
    yield from _summary_differs(connection)
    yield from _due_differs(connection)


@functools.cache
def _without_balance_statement() -> Select[Any]:
    return (
        select(Loan.id)
        .outerjoin(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(LoanBalance.loan_id.is_(None))
        .order_by(Loan.id)
    )


def _without_balance(connection: Connection) -> Iterator[str]:
    for (loan_id,) in connection.execute(_without_balance_statement()):
        yield f"loan {loan_id}: no balance row"


@functools.cache
def _crooked_reversals_statement() -> Select[Any]:
    original = aliased(LedgerLine)
    parts = (*COMPONENTS, "suspense")
    unequal = or_(
        *(getattr(LedgerLine, f"{name}_minor") != -getattr(original, f"{name}_minor") for name in parts)
    )
    return (
        select(LedgerLine.id)
        .outerjoin(original, original.id == LedgerLine.reverses_id)
        .where(
            LedgerLine.kind == "reversal",
            or_(
                original.id.is_(None),
                original.loan_id != LedgerLine.loan_id,
                unequal,
                original.kind == "reversal",
            ),
        )
    )


def _crooked_reversals(connection: Connection) -> Iterator[str]:
    for (line_id,) in connection.execute(_crooked_reversals_statement()):
        yield f"line {line_id}: a reversal that is not the opposite of its line"


@functools.cache
def _taken_beyond_statement() -> Select[Any]:
    taken, undoing = aliased(LedgerLine), aliased(LedgerLine)
    parts = [f"{name}_minor" for name in (*COMPONENTS, "suspense")]
    sums = [func.sum(getattr(taken, part)) for part in parts]
    paid = [getattr(LedgerLine, part) for part in parts]
    return (
        select(taken.of_line_id)
        .outerjoin(undoing, undoing.reverses_id == taken.id)
        .outerjoin(LedgerLine, and_(LedgerLine.id == taken.of_line_id, LedgerLine.kind == "payment"))
        .where(taken.kind.in_(TAKINGS), undoing.id.is_(None))
        .group_by(taken.of_line_id, LedgerLine.id, *paid)
        .having(
            or_(
                LedgerLine.id.is_(None),
                *(total > -part for total, part in zip(sums, paid, strict=True)),
            )
        )
    )


def _taken_beyond(connection: Connection) -> Iterator[str]:
    """No more was charged back or refunded of a payment than it had paid, part by part (M8, M11)."""
    for (line_id,) in connection.execute(_taken_beyond_statement()):
        yield f"line {line_id}: more was taken back than it paid"


@functools.cache
def _crooked_transfers_statement() -> Select[Any]:
    into, undone, undone_too = aliased(LedgerLine), aliased(LedgerLine), aliased(LedgerLine)
    parts = [f"{name}_minor" for name in (*COMPONENTS, "suspense")]
    whole = sum((getattr(LedgerLine, part) + getattr(into, part) for part in parts), start=literal(0))
    return (
        select(LedgerLine.id)
        .outerjoin(into, and_(into.of_line_id == LedgerLine.id, into.kind == "transfer"))
        .outerjoin(undone, undone.reverses_id == LedgerLine.id)
        .outerjoin(undone_too, undone_too.reverses_id == into.id)
        .where(
            LedgerLine.kind == "transfer",
            LedgerLine.of_line_id.is_(None),
            or_(into.id.is_(None), whole != 0, undone.id.is_(None) != undone_too.id.is_(None)),
        )
    )


def _crooked_transfers(connection: Connection) -> Iterator[str]:
    """Every transfer has two lines that cancel out, and both stand or neither does (M6)."""
    for (line_id,) in connection.execute(_crooked_transfers_statement()):
        yield f"line {line_id}: a transfer whose two lines do not cancel out"


@functools.cache
def _summary_statement() -> tuple[Select[Any], list[str]]:
    """All sums in one statement: a line counts where its own kind, or the kind it reverses, says."""
    original = aliased(LedgerLine)
    kind = func.coalesce(original.kind, LedgerLine.kind)
    sums = [
        func.count(LedgerLine.id).label("line_count"),
        _sum(-LedgerLine.suspense_minor).label("suspense_minor"),
    ]
    for name in COMPONENTS:
        amount = getattr(LedgerLine, f"{name}_minor")
        sums.append(_sum(case((kind.in_(CHARGES), amount), else_=0)).label(f"{name}_owed_minor"))
        sums.append(_sum(case((kind.in_(SETTLING), -amount), else_=0)).label(f"{name}_paid_minor"))
        sums.append(_sum(case((kind.in_(FORGIVING), -amount), else_=0)).label(f"{name}_forgiven_minor"))
    proved = (
        select(LedgerLine.loan_id, *sums)
        .outerjoin(original, and_(LedgerLine.kind == "reversal", original.id == LedgerLine.reverses_id))
        .group_by(LedgerLine.loan_id)
        .subquery()
    )
    names = [column.name for column in proved.c if column.name != "loan_id"]
    stored = [getattr(LoanBalance, name) for name in names]
    differs = or_(*(left != func.coalesce(proved.c[left.name], 0) for left in stored))
    statement = (
        select(LoanBalance.loan_id, *stored, *(func.coalesce(proved.c[name], 0) for name in names))
        .outerjoin(proved, proved.c.loan_id == LoanBalance.loan_id)
        .where(differs)
    )
    return statement, names


def _summary_differs(connection: Connection) -> Iterator[str]:
    statement, names = _summary_statement()
    for loan_id, *values in connection.execute(statement):
        for name, said, found in zip(names, values, values[len(names) :], strict=False):
            if said != found:
                yield f"loan {loan_id}: {name} is {said} in the balance row, {int(found)} in the lines"


def _sum(expression: Any) -> Any:
    return func.sum(expression)


def _due_differs(connection: Connection) -> Iterator[str]:
    """Due now and days overdue follow from the contract and the row's own sums; nothing is negative."""
    statement = select(
        LoanBalance.__table__,
        Loan.principal_minor,
        Loan.annual_rate,
        Loan.method,
        Loan.pay_day,
        Loan.term_count,
        Loan.matures_on,
    ).join(Loan, Loan.id == LoanBalance.loan_id)
    for row in connection.execute(statement):
        terms = LoanTerms(
            row.principal_minor, row.annual_rate, row.method, row.pay_day, row.term_count, row.matures_on
        )
        settled = row.principal_paid_minor + row.principal_forgiven_minor
        left = {name: _left(row._mapping, name) for name in COMPONENTS}
        for name in (*(f"{one}_paid" for one in COMPONENTS), "suspense"):
            if row._mapping[f"{name}_minor"] < 0:
                yield f"loan {row.loan_id}: {name} is {row._mapping[f'{name}_minor']}"
        for name, minor in left.items():
            if minor < 0:
                yield f"loan {row.loan_id}: {name} left is {minor}"
        due = min(principal_due(terms, settled=settled, as_of=row.as_of), left["principal"])
        if row.principal_due_minor != due:
            yield f"loan {row.loan_id}: principal due is {row.principal_due_minor}, the contract gives {due}"
        if row.due_now_minor != due + sum(left.values()) - left["principal"]:
            yield f"loan {row.loan_id}: due now is {row.due_now_minor} and not the sum of its parts"
        if row.days_overdue != days_overdue(terms, settled=settled, as_of=row.as_of):
            yield f"loan {row.loan_id}: days overdue is {row.days_overdue} and does not follow from the lines"


def _left(row: object, name: str) -> int:
    owed, paid, forgiven = (row[f"{name}_{what}_minor"] for what in ("owed", "paid", "forgiven"))  # type: ignore[index]
    return int(owed - paid - forgiven)
