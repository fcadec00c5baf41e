"""A wrong manifest changes nothing, whatever is wrong with it, and says what is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portal.bank_files.mapping import Mapping
from portal.db import Database
from portal.intake.operations import Applied, Refused
from tests.intake.book import Book, read_manifest_of, small_book, write_book, write_manifest
from tests.intake.conftest import Take, contents, row_counts

pytestmark = pytest.mark.slow

Change = Callable[[dict[str, Any]], object]


def _without(*path: str) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        del manifest[path[-1]]

    return change


def _with(value: object, *path: str) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = value

    return change


LEDGER = ("files", "ledger.csv")
WRONG: list[tuple[str, Change, str]] = [
    ("no bank", _without("bank"), "manifest_entry"),
    ("another bank", _with("SEASIDE", "bank"), "bank_other"),
    ("bank is a number", _with(7, "bank"), "manifest_entry"),
    ("bank with a space", _with("HARBOUR ", "bank"), "manifest_entry"),
    ("no batch", _without("batch"), "manifest_entry"),
    ("empty batch", _with("", "batch"), "manifest_entry"),
    ("no sequence", _without("sequence"), "manifest_entry"),
    ("sequence nought", _with(0, "sequence"), "manifest_entry"),
    ("sequence below nought", _with(-1, "sequence"), "manifest_entry"),
    ("sequence as text", _with("1", "sequence"), "manifest_entry"),
    ("sequence with a point", _with(1.0, "sequence"), "manifest_entry"),
    ("sequence true", _with(True, "sequence"), "manifest_entry"),
    ("no business date", _without("business_date"), "manifest_entry"),
    ("another date form", _with("20261120", "business_date"), "manifest_entry"),
    ("a date that is none", _with("2026-02-29", "business_date"), "manifest_entry"),
    ("tomorrow", _with("2026-11-21", "business_date"), "date_future"),
    ("another day than the balances", _with("2026-11-19", "business_date"), "as_of"),
    ("another encoding", _with("utf-8", "encoding"), "manifest_encoding"),
    ("no encoding", _without("encoding"), "manifest_entry"),
    ("unknown mode", _with("partial", "mode"), "manifest_entry"),
    ("first batch is a delta", _with("delta", "mode"), "mode_first"),
    ("demonstration as text", _with("true", "demonstration"), "manifest_entry"),
    ("no demonstration flag", _without("demonstration"), "manifest_entry"),
    ("no files", _with({}, "files"), "manifest_entry"),
    ("files as a list", _with([], "files"), "manifest_entry"),
    ("a file it does not list", _without("files", "visits.csv"), "file_unlisted"),
    (
        "a file nobody knows",
        _with({"rows": 1, "sha256": "0" * 64, "totals": {}}, "files", "x.csv"),
        "file_unknown",
    ),
    ("a file entry as a number", _with(3, *LEDGER), "manifest_entry"),
    ("rows missing", _without(*LEDGER, "rows"), "manifest_entry"),
    ("rows below nought", _with(-1, *LEDGER, "rows"), "manifest_entry"),
    ("one row too many", _with(12, *LEDGER, "rows"), "row_count"),
    ("one row too few", _with(10, *LEDGER, "rows"), "row_count"),
    ("hash of another file", _with("0" * 64, *LEDGER, "sha256"), "sha256"),
    ("hash cut short", _with("0" * 63, *LEDGER, "sha256"), "manifest_entry"),
    ("hash in capitals", _with("A" * 64, *LEDGER, "sha256"), "manifest_entry"),
    ("no totals", _without(*LEDGER, "totals"), "manifest_entry"),
    ("a total missing", _without(*LEDGER, "totals", "本金"), "total_missing"),
    ("a total one cent off", _with("160000.01", *LEDGER, "totals", "本金"), "total"),
    ("a total as a number", _with(1600.0, *LEDGER, "totals", "本金"), "manifest_entry"),
    ("a total with separators", _with("160,000.00", *LEDGER, "totals", "本金"), "manifest_entry"),
    ("a total of no column", _with("1.00", *LEDGER, "totals", "本"), "total_unknown"),
]


@pytest.mark.parametrize(("change", "reason"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_wrong_manifest_is_named_and_changes_no_row(
    sqlite_database: Database, take: Take, batch: Path, change: Change, reason: str
) -> None:
    manifest = read_manifest_of(batch)
    change(manifest)
    write_manifest(batch, manifest)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert reason in {one.reason for one in answer.rejections}
    assert all(one.en and one.zh for one in answer.rejections)
    assert sum(row_counts(sqlite_database).values()) == 0


def test_there_are_at_least_thirty_wrong_manifests() -> None:
    assert len(WRONG) >= 30


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"bank": "A", "bank": "B"}', b"\xff\xfe{}", b"null", b"[" * 200_000],
    ids=["empty", "a list", "cut off", "an entry twice", "no text", "null", "deep"],
)
def test_a_manifest_that_is_no_manifest_is_refused(
    sqlite_database: Database, take: Take, batch: Path, raw: bytes
) -> None:
    (batch / "manifest.json").write_bytes(raw)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["manifest_unreadable"]
    assert sum(row_counts(sqlite_database).values()) == 0


def test_a_missing_manifest_and_a_missing_file_are_named(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    (batch / "visits.csv").unlink()
    no_visits = take(sqlite_database, batch)
    (batch / "manifest.json").unlink()
    no_manifest = take(sqlite_database, batch)

    assert isinstance(no_visits, Refused)
    assert [(one.file, one.reason) for one in no_visits.rejections] == [("visits.csv", "file_missing")]
    assert isinstance(no_manifest, Refused)
    assert [one.reason for one in no_manifest.rejections] == ["manifest_missing"]


@pytest.mark.parametrize(
    ("sequence", "reason"), [(3, "sequence_gap"), (1, "sequence_repeat"), (100, "sequence_gap")]
)
def test_batches_come_in_order(
    database: Database,
    take: Take,
    batch: Path,
    harbour_mapping: Mapping,
    tmp_path: Path,
    sequence: int,
    reason: str,
) -> None:
    take(database, batch)
    before = contents(database)
    later = small_book()
    later.sequence = sequence
    later.rows["customers"][0]["address"] = "临港市新路1号"

    answer = take(database, write_book(later, harbour_mapping, tmp_path / "later"))

    assert isinstance(answer, Refused)
    assert {one.reason for one in answer.rejections} == {reason}
    assert contents(database) == before


def test_an_older_batch_and_an_older_business_date_are_refused(
    sqlite_database: Database, take: Take, harbour_mapping: Mapping, book: Book, tmp_path: Path
) -> None:
    book.sequence = 7
    assert isinstance(take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "seven")), Applied)
    book.sequence = 5
    older = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "five"))
    yesterday = small_book()
    yesterday.sequence, yesterday.business_date = 8, datetime(2026, 11, 19, tzinfo=UTC).date()
    yesterday.settle()
    late = take(sqlite_database, write_book(yesterday, harbour_mapping, tmp_path / "eight"))

    assert isinstance(older, Refused)
    assert [one.reason for one in older.rejections] == ["sequence_old"]
    assert isinstance(late, Refused)
    assert [one.reason for one in late.rejections] == ["date_old"]


def test_the_same_content_in_another_layout_is_the_same_batch(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    take(sqlite_database, batch)
    manifest = read_manifest_of(batch)
    (batch / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Applied)
    assert answer.repeated


def test_a_known_manifest_beside_changed_files_is_not_taken_for_a_repeat(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    take(sqlite_database, batch)
    (batch / "loans.csv").write_bytes((batch / "loans.csv").read_bytes() + b"\r\n")

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["sha256"]
