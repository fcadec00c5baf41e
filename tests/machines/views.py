"""What the portal shows of each loan, read by the ways that people read it (M2): the balance that borrower and desk
share, the same figures added up from the lines as of a day, the statement's closing, and the sum behind each figure."""

from __future__ import annotations

from sqlalchemy import Connection

from portal.accounts.figures import DoesNotComeOut, loan_figure
from portal.accounts.queries import BorrowerBalance, balances_for, lines_for
from portal.interest.as_of import balances_as_of
from portal.statements.queries import Choice, statement_for
from tests.machines.model import Account
from tests.machines.stage import Stage

Figures = tuple[int, int, int, int, int, int]
#: owed, paid, forgiven, left, due now, overpaid
FIGURES = ("owed", "paid", "forgiven", "left", "due_now", "overpaid")


def wanted(account: Account) -> Figures:
    """The model's."""
    sums = (sum(which.values()) for which in (account.owed, account.paid, account.forgiven))
    owed, paid, forgiven = sums
    return owed, paid, forgiven, account.all_left, account.due_now, account.suspense


def shown(stage: Stage) -> dict[str, dict[str, Figures]]:
    """Each view's figures by loan."""
    connection = stage.connection
    return {
        "balance": _of(balances_for(connection, stage.borrower_id)),
        "as of today": _of(balances_as_of(connection, stage.borrower_id, on=stage.today)),
        "statement": _statements(connection, stage),
    }


def _of(balance: BorrowerBalance) -> dict[str, Figures]:
    return {
        loan.loan_ref: tuple(getattr(loan, name).minor for name in FIGURES)  # type: ignore[misc]
        for loan in balance.loans
    }


def _statements(connection: Connection, stage: Stage) -> dict[str, Figures]:
    found = {}
    for currency in ("CNY", "USD"):
        choice = Choice(currency, None, None, stage.today)
        statement = statement_for(connection, stage.borrower_id, choice, issuer="bank")
        for loan in statement.loans if statement else ():
            end = loan.closing
            found[loan.facts.loan_ref] = (
                end.owed,
                end.paid,
                end.forgiven,
                end.left,
                loan.due_now,
                end.suspense,
            )
    return found


def unexplained(stage: Stage) -> list[str]:
    """Figures whose sum does not come out, or that nothing explains."""
    connection, faults = stage.connection, []
    for loan in balances_for(connection, stage.borrower_id).loans:
        lines = lines_for(connection, stage.borrower_id, loan.loan_ref)
        for name in ("owed", "paid", "forgiven", "left", "due", "later", "overpaid"):
            try:
                explained = loan_figure(loan, lines, name)
            except DoesNotComeOut as error:
                faults.append(f"{loan.loan_ref} {name}: {error}")
            else:
                faults += [f"{loan.loan_ref} {name}: nothing explains it"] if explained is None else []
    return faults
