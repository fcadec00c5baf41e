"""`flask accounts reconcile` over the whole Harbour export: every posted line, and one cent that was changed."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.interest.accrual import LoanLedger, core_ledgers
from portal.interest.engine import BEARING
from portal.interest.reproduction import reproduce
from portal.keys import Keys
from tests.conftest import BANK_MORNING
from tests.intake.conftest import HARBOUR

pytestmark = pytest.mark.slow

WHOLE = (
    "loans 274, lines 6,316 (interest 4,186, penalty_interest 2,130): equal 6,316,"
    " different 0 on 0 loans, due on the last day and not posted yet 7"
)


@pytest.fixture(scope="module")
def export_taken_in(sqlite_template: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the whole export, made once and copied for each test."""
    path = tmp_path_factory.mktemp("harbour") / "portal.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    answer = apply_batch(database, directory=HARBOUR, mapping="harbour", keys=keys, now=BANK_MORNING)
    database.dispose()
    assert isinstance(answer, Applied)
    return path


@pytest.fixture
def harbour(sqlite_database: Database, export_taken_in: Path) -> Database:
    """The portal's database, with the whole export in it."""
    shutil.copy(export_taken_in, sqlite_database.url.removeprefix("sqlite:///"))
    return sqlite_database


def _reconcile(app: Flask, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=["accounts", "reconcile", *args])


def _change_a_cent(database: Database, line_ref: str) -> None:
    """What only somebody with the database in hand can do."""
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_line_no_update")
        connection.exec_driver_sql(
            "UPDATE ledger_line SET interest_minor = interest_minor + 1 WHERE line_ref = ?", (line_ref,)
        )


def _ledgers(database: Database) -> list[LoanLedger]:
    with database.read() as connection:
        return list(core_ledgers(connection))


def test_every_line_the_bank_posted_follows_from_the_terms(
    sqlite_app: Flask, harbour: Database, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"

    run = _reconcile(sqlite_app, "--csv", str(file))

    assert run.exit_code == 0, run.output
    assert run.output.splitlines()[-1] == WHOLE
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6_316
    assert {row["difference"] for row in rows} == {"0.00"}
    assert rows[0] == {
        "loan_ref": "L241200000",
        "posted_on": "2025-01-05",
        "component": "interest",
        "line_refs": "T00000002",
        "since": "2024-12-07",
        "balance_days": "5713000.00 x 0.0880 / 360",
        "exact_minor": "1256860/9",
        "expected": "1396.51",
        "posted": "1396.51",
        "difference": "0.00",
    }


def test_a_changed_cent_is_named_with_its_day_and_line(sqlite_app: Flask, harbour: Database) -> None:
    _change_a_cent(harbour, "T00000004")

    run = _reconcile(sqlite_app)

    assert run.exit_code == 1
    assert (
        "L241200000 2025-02-05 T00000004 interest: posted 1409.90, expected 1409.89, difference 0.01"
        in run.output.splitlines()
    )
    assert "equal 6,315, different 1 on 1 loans" in run.output
    only = _reconcile(sqlite_app, "--loan", "L241200000")
    other = _reconcile(sqlite_app, "--loan", "L260600010")
    assert (only.exit_code, other.exit_code) == (1, 0)
    assert "loans 1, lines" in only.output
    assert _reconcile(sqlite_app, "--loan", "L241200000", "--as-of", "2025-02-04").exit_code == 0


def test_any_line_changed_by_a_cent_either_way_is_the_first_difference(harbour: Database) -> None:
    tried = 0
    for ledger in _ledgers(harbour):
        at = [n for n, one in enumerate(ledger.entries) if one.line.kind in BEARING and not one.reversed]
        for place, by in ((at[len(at) // 2], 1), (at[-1], -1)):
            entries = list(ledger.entries)
            line = entries[place].line
            amounts = {**line.amounts, line.kind: line.amounts[line.kind] + by}
            entries[place] = replace(entries[place], line=replace(line, amounts=amounts))
            first = reproduce(ledger.terms, entries, as_of=ledger.as_of).first_difference
            assert first is not None
            assert (first.posted_on, first.line_refs) == (line.posted_on, (entries[place].line_ref,))
            assert first.difference_minor == by
            tried += 1
    assert tried == 548


def test_another_convention_does_not_reproduce_this_bank(sqlite_app: Flask, harbour: Database) -> None:
    for args in (["--rounding", "floor"], ["--unit", "whole"], ["--compounding", "compound"]):
        run = _reconcile(sqlite_app, *args)
        assert run.exit_code == 1
        assert "... and " in run.output
    # exact half cents are what tells half-even from half-up
    assert _reconcile(sqlite_app, "--rounding", "half_even").exit_code == 1


def test_an_unknown_loan_and_an_empty_portal_are_said(sqlite_app: Flask) -> None:
    nobody = _reconcile(sqlite_app, "--loan", "L0")
    empty = _reconcile(sqlite_app)

    assert (nobody.exit_code, empty.exit_code) == (2, 2)
    assert "no such loan" in nobody.output
    assert "There are no loans" in empty.output


def test_each_loans_own_knobs_are_used_unless_one_is_overruled(sqlite_app: Flask, harbour: Database) -> None:
    with harbour.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE loan SET rounding = 'floor', unit_minor = 100 WHERE id <= 3")

    own = _reconcile(sqlite_app)
    overruled = _reconcile(sqlite_app, "--rounding", "half_up", "--unit", "cent")

    assert own.exit_code == 1
    assert "on 3 loans" in own.output.splitlines()[-1]
    assert overruled.exit_code == 0, overruled.output
    assert overruled.output.splitlines()[-1] == WHOLE


def test_a_stored_change_of_rate_is_used_from_its_day(sqlite_app: Flask, harbour: Database) -> None:
    ledger = next(one for one in _ledgers(harbour) if one.entries)
    with harbour.writer.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO loan_rate (loan_id, created_at, from_on, annual_rate, batch_sequence)"
            " VALUES (?, ?, ?, '0.5', 1)",
            (ledger.loan_id, "2026-11-20 01:00:00", ledger.terms.opened_on.isoformat()),
        )

    run = _reconcile(sqlite_app, "--loan", ledger.loan_ref)

    assert run.exit_code == 1
    assert f"{ledger.loan_ref} " in run.output
