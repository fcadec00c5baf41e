"""A book of any size goes in with the same memory, and one bad row in it is named by its line.

The normal run takes a book of 32,000 rows; `make soak` (PORTAL_TEST_PROFILE=soak) one of five million.
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from portal.bank_files.rejections import write_report
from portal.db import Database
from portal.intake.operations import Applied, Refused, apply_batch
from portal.keys import Keys
from portal.schema import metadata
from tests.conftest import BANK_MORNING
from tests.intake.big_book import BigBook
from tests.intake.book import edit
from tests.intake.conftest import proved, row_counts

pytestmark = pytest.mark.slow

SOAK = os.environ.get("PORTAL_TEST_PROFILE") == "soak"
#: Eight rows a loan: 32,000 rows, or five million.
LOANS = 625_000 if SOAK else 4_000
#: The most memory of a process that takes such a book in, kilobytes (D71).
MOST = 200 * 1024
#: What a book twenty times as large may take beside a small one: pages of the database's own cache.
GROWTH = 64 * 1024


def _take_in_a_process_of_its_own(database: Database, directory: Path) -> int:
    """Its peak memory in kilobytes."""
    code = "import sys; from tests.bench import intake; intake.one(sys.argv[1], sys.argv[2])"
    answer = subprocess.run(
        [sys.executable, "-c", code, database.url, str(directory)], check=True, capture_output=True, text=True
    )
    return int(answer.stdout.split()[-1])


def test_memory_does_not_grow_with_the_book(database: Database, tmp_path: Path) -> None:
    small = Database(f"sqlite:///{tmp_path / 'small.sqlite'}")
    metadata.create_all(small.writer)
    few = _take_in_a_process_of_its_own(small, BigBook(LOANS // 20).write(tmp_path / "small"))

    many = _take_in_a_process_of_its_own(database, BigBook(LOANS).write(tmp_path / "big"))

    assert many <= MOST
    assert many - few <= GROWTH
    counts = row_counts(database)
    assert (counts["loan"], counts["ledger_line"], counts["loan_balance"]) == (LOANS, 5 * LOANS, LOANS)
    if not SOAK:
        proved(database)
    small.dispose()


def test_a_bad_row_in_a_large_book_is_named_and_nothing_changes(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    directory = BigBook(2_000).write(tmp_path / "book")
    rows = (directory / "ledger.csv").read_bytes().split(b"\n")
    rows[7_654] = rows[7_654].replace(b"0.00", b"O.00", 1)
    edit(directory, "ledger.csv", lambda data: b"\n".join(rows))

    answer = apply_batch(database, directory=directory, mapping="portal", keys=keys, now=BANK_MORNING)

    assert isinstance(answer, Refused)
    named = {(one.file, one.line, one.reason) for one in answer.rejections}
    assert ("ledger.csv", 7_655, "amount_form") in named
    assert sum(row_counts(database).values()) == 0


def test_a_file_of_nothing_but_faults_is_reported_whole_in_little_memory(
    sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    directory = BigBook(2_000).write(tmp_path / "book")
    edit(
        directory,
        "ledger.csv",
        lambda data: data.replace(b",interest,0", b",Interest,0").replace(b",payment,", b",,"),
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = apply_batch(sqlite_database, directory=directory, mapping="portal", keys=keys, now=BANK_MORNING)

    assert isinstance(answer, Refused)
    of_ledger = [one for one in answer.rejections if one.file == "ledger.csv" and one.column == "kind"]
    assert len(of_ledger) == 8_000
    assert answer.rejections.rows >= 8_000
    report = tmp_path / "errors.csv"
    write_report(report, answer.rejections)
    with report.open(encoding="utf-8-sig", newline="") as stream:
        assert sum(1 for _ in csv.reader(stream)) == 1 + answer.rejections.count
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH


def test_a_daily_delta_touches_what_is_new_and_moves_every_loan(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    def take(book: BigBook, name: str) -> Applied | Refused:
        now = BANK_MORNING.replace(day=21)
        return apply_batch(
            database, directory=book.write(tmp_path / name), mapping="portal", keys=keys, now=now
        )  # type: ignore[return-value]

    first = take(BigBook(1_000), "one")
    day = BANK_MORNING.date().replace(day=21)
    delta = BigBook(1_000, sequence=2, business_date=day, mode="delta", only=range(100, 150))

    answer = take(delta, "two")

    assert isinstance(first, Applied)
    assert isinstance(answer, Applied), [one.en for one in answer.rejections][:5]
    assert answer.new_lines == 50
    proved(database)


def test_a_file_cut_off_is_refused_and_the_whole_one_goes_in_afterwards(
    sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    directory = BigBook(500).write(tmp_path / "book")
    whole = (directory / "ledger.csv").read_bytes()
    (directory / "ledger.csv").write_bytes(whole[: len(whole) * 99 // 100])

    cut = apply_batch(sqlite_database, directory=directory, mapping="portal", keys=keys, now=BANK_MORNING)
    (directory / "ledger.csv").write_bytes(whole)
    again = apply_batch(sqlite_database, directory=directory, mapping="portal", keys=keys, now=BANK_MORNING)

    assert isinstance(cut, Refused)
    assert [one.reason for one in cut.rejections] == ["sha256"]
    assert isinstance(again, Applied)
