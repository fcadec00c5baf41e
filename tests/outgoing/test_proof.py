"""The proof that core and portal add up finds what does not."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import rebalance
from portal.db import Database
from portal.keys import Keys
from portal.outgoing import proof
from portal.outgoing.models import OutgoingEntry
from tests.conftest import BANK_MORNING
from tests.outgoing.told import BUSINESS_DATE, lin, make, pay


def _faults(database: Database) -> list[str]:
    with database.read() as connection:
        return proof.faults(connection)


def test_a_line_that_the_core_has_posted_beside_ours_is_found(database: Database, keys: Keys) -> None:
    lin(database, keys)
    line_id = pay(database, "P-1111-11111", {"principal": 100})
    assert _faults(database) == []

    def beside(session: Session) -> None:
        loan_id = session.scalars(select(LedgerLine.loan_id).where(LedgerLine.id == line_id)).one()
        session.add(
            LedgerLine(
                created_at=BANK_MORNING,
                loan_id=loan_id,
                line_ref="T-1",
                source="core",
                posted_on=BUSINESS_DATE,
                kind="payment",
                principal_minor=-100,
                external_ref="P-1111-11111",
            )
        )
        session.flush()
        rebalance(session, loan_ids=[loan_id], as_of=BUSINESS_DATE, now=BANK_MORNING)

    database.write(beside)

    assert _faults(database) == [f"ledger line {line_id}: the core has posted it and ours stands beside it"]


def test_a_balance_that_its_lines_do_not_give_is_found(database: Database, keys: Keys) -> None:
    lin(database, keys)
    loan_id = select(Loan.id).where(Loan.loan_ref == "L-LIN-1").scalar_subquery()
    wrong = update(LoanBalance).where(LoanBalance.loan_id == loan_id)
    database.write(lambda session: session.execute(wrong.values(principal_owed_minor=1_200_001)))

    assert _faults(database) == [
        "loan L-LIN-1: shows 1212001, core and entries not posted by it yet give 1212000"
    ]


def test_an_entry_that_tells_another_amount_than_its_line_is_found(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    lin(database, keys)
    pay(database, "P-1111-11111", {"principal": 100})
    make(database, tmp_path / "out")

    def other(session: Session) -> None:
        entry = session.scalars(select(OutgoingEntry)).one()
        (row,) = entry.content["payments"]
        entry.content = {"payments": [row | {"amount": -99}]}

    database.write(other)

    (fault,) = _faults(database)
    assert "tells -99" in fault
