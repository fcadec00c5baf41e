"""A small batch on disk and the call every intake test makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from portal.accounts.models import Loan, LoanBalance
from portal.accounts.operations import self_check
from portal.bank_files.mapping import Mapping, load_mapping
from portal.db import Database
from portal.intake.operations import Applied, Refused, apply_batch
from portal.keys import Keys
from portal.schema import metadata
from tests.conftest import BANK_MORNING
from tests.intake.book import Book, small_book, write_book

HARBOUR = Path(__file__).parent.parent.parent / "portal/demo/harbour"
Take = Callable[..., Applied | Refused]


@pytest.fixture(scope="session")
def harbour_mapping() -> Mapping:
    """The shipped mapping of the demonstration's bank."""
    return load_mapping("harbour")


@pytest.fixture(scope="session")
def portal_mapping() -> Mapping:
    """The shipped mapping of the portal's own form."""
    return load_mapping("portal")


@pytest.fixture
def book() -> Book:
    """Lin and Zhao."""
    return small_book()


@pytest.fixture
def batch(book: Book, harbour_mapping: Mapping, tmp_path: Path) -> Path:
    """The small book in Harbour's form."""
    return write_book(book, harbour_mapping, tmp_path / "batch")


@pytest.fixture
def take(keys: Keys) -> Take:
    """Take a folder in, Harbour's form unless said otherwise."""

    def apply(
        database: Database, directory: Path, mapping: str | Mapping = "harbour", now: datetime = BANK_MORNING
    ) -> Applied | Refused:
        return apply_batch(database, directory=directory, mapping=mapping, keys=keys, now=now)

    return apply


def row_counts(database: Database) -> dict[str, int]:
    """Rows of every table: what "nothing changed" means. The list of tries is no part of the book."""
    with database.read() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
            if table.name != "intake_run"
        }


def contents(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, so that no change can hide."""
    with database.read() as connection:
        return {table.name: _rows(connection, table) for table in metadata.sorted_tables}


def _rows(connection: object, table: Table) -> list[tuple[object, ...]]:
    rows = connection.execute(select(table)).all()  # type: ignore[attr-defined]
    return sorted((tuple(row) for row in rows), key=repr)


def balances(database: Database) -> dict[str, Any]:
    """Every balance row, by the loan's number."""
    with database.read() as connection:
        rows = connection.execute(
            select(LoanBalance.__table__, Loan.loan_ref).join(Loan, Loan.id == LoanBalance.loan_id)
        )
        return {row.loan_ref: row for row in rows}


def proved(database: Database) -> None:
    """Every balance equals its lines."""
    with database.read() as connection:
        assert self_check(connection) == []
