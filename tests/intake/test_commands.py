"""`flask intake`: what an operator types and reads, in Chinese and English."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from flask import Flask

from portal.db import Database
from tests.intake.book import edit
from tests.intake.conftest import row_counts


@pytest.fixture
def broken(batch: Path) -> Path:
    """The small batch with one cent changed in one line of the ledger, and its hash made right."""
    edit(batch, "ledger.csv", lambda data: data.replace(b",-100.00,-8.50,", b",-100.01,-8.50,", 1))
    return batch


def test_a_sound_batch_is_applied_and_said_in_both_languages(
    sqlite_app: Flask, sqlite_database: Database, batch: Path
) -> None:
    runner = sqlite_app.test_cli_runner()

    applied = runner.invoke(args=["intake", "apply", str(batch), "--mapping", "harbour"])
    again = runner.invoke(args=["intake", "apply", str(batch), "--mapping", "harbour"])

    assert (applied.exit_code, again.exit_code) == (0, 0)
    assert "已导入 HARBOUR 1 (2026-11-20)：23 行，新增流水 11 条。" in applied.stdout
    assert "Applied HARBOUR 1 (2026-11-20): 23 rows, 11 new ledger lines." in applied.stdout
    assert "check ledger.csv" in applied.stderr
    assert "apply ledger.csv" in applied.stderr
    assert "未作任何改动" in again.stdout
    assert "nothing was changed" in again.stdout
    assert row_counts(sqlite_database)["intake_batch"] == 1


def test_a_check_changes_nothing(sqlite_app: Flask, sqlite_database: Database, batch: Path) -> None:
    answer = sqlite_app.test_cli_runner().invoke(args=["intake", "check", str(batch), "--mapping", "harbour"])

    assert answer.exit_code == 0
    assert "In order: 23 rows; nothing was changed." in answer.stdout
    assert sum(row_counts(sqlite_database).values()) == 0


@pytest.mark.parametrize("command", ["apply", "check"])
def test_a_refused_batch_is_explained_on_the_terminal_and_in_the_report(
    sqlite_app: Flask, sqlite_database: Database, broken: Path, tmp_path: Path, command: str
) -> None:
    report = tmp_path / "out" / "errors.csv"

    answer = sqlite_app.test_cli_runner().invoke(
        args=["intake", command, str(broken), "--mapping", "harbour", "--errors", str(report)]
    )

    assert answer.exit_code == 1
    assert "ledger.csv:本金" in answer.stderr
    assert "11 行合计" in answer.stderr
    assert "The 11 rows sum to" in answer.stderr
    assert "(difference -0.01)" in answer.stderr
    assert "未导入，数据未作任何改动" in answer.stderr
    with report.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["reason"] for row in rows} == {"total", "balance"}
    assert all(row["原因"] and row["reason (English)"] for row in rows)
    assert sum(row_counts(sqlite_database).values()) == 0


def test_without_a_place_named_the_report_lies_in_the_data_folder(
    sqlite_app: Flask, broken: Path, tmp_path: Path
) -> None:
    sqlite_app.test_cli_runner().invoke(args=["intake", "apply", str(broken), "--mapping", "harbour"])

    assert (tmp_path / "intake-errors.csv").is_file()


def test_an_unknown_mapping_is_named_with_those_that_are_shipped(sqlite_app: Flask, batch: Path) -> None:
    answer = sqlite_app.test_cli_runner().invoke(args=["intake", "apply", str(batch), "--mapping", "seaside"])

    assert answer.exit_code == 2
    assert "shipped: harbour, portal" in answer.stderr
