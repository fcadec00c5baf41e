"""M20: the core's ledger + what was posted here and not by the core yet = the portal's balances, loan by loan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import GAVE_WAY
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.outgoing.models import OutgoingEntry
from portal.payments.posted_back import named_by_core


def faults(connection: Connection) -> list[str]:
    """One sentence per fault; none when everything fits. Three things are proved: a line of ours is undone
    exactly when the core names it, the balances are the core's lines and ours that still stand, and every
    entry says of its ledger line what the line says."""
    return [*_undone(connection), *_balances(connection), *_entries(connection)]


def _sum(line: Any) -> Any:
    parts = [getattr(line, f"{name}_minor") for name in (*COMPONENTS, "suspense")]
    return sum(parts[1:], parts[0])


def _undone(connection: Connection) -> Iterator[str]:
    named = {row[0] for row in connection.execute(named_by_core())}
    original, undoing = aliased(LedgerLine), aliased(LedgerLine)
    rows = connection.execute(
        select(original.id, original.kind, original.line_ref, undoing.line_ref)
        .join(undoing, undoing.reverses_id == original.id)
        .where(original.source == "portal")
    )
    undone = {row[0]: row for row in rows}
    for line_id in sorted(named - set(undone)):
        yield f"ledger line {line_id}: the core has posted it and ours stands beside it"
    for line_id, kind, line_ref, undone_by in undone.values():
        # other lines can give way to what the core did about the payment or the charge, unnamed
        if undone_by.startswith(GAVE_WAY) and line_id not in named and kind == "payment":
            yield f"ledger line {line_ref}: gave way to the core, which has not posted it"


def _balances(connection: Connection) -> Iterator[str]:
    undoing, undone = aliased(LedgerLine), aliased(LedgerLine)
    stands = (
        select(LedgerLine.loan_id, _sum(LedgerLine).label("minor"))
        .outerjoin(undoing, (undoing.reverses_id == LedgerLine.id) & undoing.line_ref.like(f"{GAVE_WAY}%"))
        .outerjoin(undone, undone.id == LedgerLine.reverses_id)
        .where(undoing.id.is_(None), ~(LedgerLine.line_ref.like(f"{GAVE_WAY}%") & undone.id.is_not(None)))
        .subquery()
    )
    sums = select(stands.c.loan_id, func.sum(stands.c.minor).label("minor")).group_by(stands.c.loan_id)
    by_lines = sums.subquery()
    statement = (
        select(Loan.loan_ref, LoanBalance.left_minor - LoanBalance.suspense_minor, by_lines.c.minor)
        .join(Loan, Loan.id == LoanBalance.loan_id)
        .join(by_lines, by_lines.c.loan_id == LoanBalance.loan_id)
        .where(LoanBalance.left_minor - LoanBalance.suspense_minor != by_lines.c.minor)
        .order_by(Loan.loan_ref)
    )
    for loan_ref, shown, minor in connection.execute(statement):
        yield f"loan {loan_ref}: shows {shown}, core and entries not posted by it yet give {minor}"


def _entries(connection: Connection) -> Iterator[str]:
    statement = (
        select(OutgoingEntry.entry_ref, OutgoingEntry.content, LedgerLine.line_ref, _sum(LedgerLine))
        .outerjoin(LedgerLine, LedgerLine.id == OutgoingEntry.subject_id)
        .where(OutgoingEntry.kind == "payment")
    )
    for entry_ref, content, line_ref, minor in connection.execute(statement):
        (row,) = content["payments"]
        if (entry_ref, row["amount"]) != (line_ref, minor):
            yield f"entry {entry_ref}: tells {row['amount']} of ledger line {line_ref}, which says {minor}"
