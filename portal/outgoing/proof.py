"""M20: the core's ledger + what was posted here and not by the core yet = the portal's balances, loan by loan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select, true
from sqlalchemy.orm import aliased

from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import GAVE_WAY
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.outgoing.lifecycle import EntryState
from portal.outgoing.models import OutgoingEntry
from portal.reconciliation.posted_back import named_by_core

_OPEN = (EntryState.WAITING, EntryState.SENT, EntryState.REFUSED)


def faults(connection: Connection, *, settled_too: bool = False) -> list[str]:
    """One sentence per fault; none when everything fits. Three things are proved: a line of ours is undone
    exactly when the core names it, the balances are the core's lines and ours that still stand, and an
    entry says of its ledger line what the line says; with `settled_too` also those that the core has
    accepted."""
    return [*_undone(connection), *_balances(connection), *_entries(connection, settled_too)]


def _sum(line: Any) -> Any:
    parts = [getattr(line, f"{name}_minor") for name in (*COMPONENTS, "suspense")]
    return sum(parts[1:], parts[0])


def _undone(connection: Connection) -> Iterator[str]:
    """Each question is one statement, so that an intake between two of them is no fault."""
    named, original, undoing = named_by_core().subquery(), aliased(LedgerLine), aliased(LedgerLine)
    beside = select(named.c.id).distinct().outerjoin(undoing, undoing.reverses_id == named.c.id)
    for (line_id,) in connection.execute(beside.where(undoing.id.is_(None)).order_by(named.c.id)):
        yield f"ledger line {line_id}: the core has posted it and ours stands beside it"
    # other lines than payments can give way to what the core did about the payment or the charge, unnamed
    alone = (
        select(original.line_ref)
        .join(undoing, undoing.reverses_id == original.id)
        .outerjoin(named, named.c.id == original.id)
        .where(original.source == "portal", original.kind == "payment")
        .where(undoing.line_ref.startswith(GAVE_WAY), named.c.id.is_(None))
        .order_by(original.line_ref)
    )
    for (line_ref,) in connection.execute(alone):
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


def _entries(connection: Connection, settled_too: bool) -> Iterator[str]:
    statement = (
        select(OutgoingEntry.entry_ref, OutgoingEntry.content, LedgerLine.line_ref, _sum(LedgerLine))
        .outerjoin(LedgerLine, LedgerLine.id == OutgoingEntry.subject_id)
        .where(OutgoingEntry.kind == "payment")
        .where(true() if settled_too else OutgoingEntry.state.in_(_OPEN))
    )
    for entry_ref, content, line_ref, minor in connection.execute(statement):
        (row,) = content["payments"]
        if (entry_ref, row["amount"]) != (line_ref, minor):
            yield f"entry {entry_ref}: tells {row['amount']} of ledger line {line_ref}, which says {minor}"
