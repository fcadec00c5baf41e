"""What was refused and why: one rejection per row or file, and the report an operator takes to the bank."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.bank_files.reasons import TEXTS

#: A report keeps this many; the count goes on.
KEPT = 1_000_000
#: Of them in memory.
IN_MEMORY = 1_000
_EXCERPT = 40
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refusal. `line` counts from 1 with the header, None where the whole file is meant; `excerpt` is
    safe to show: control characters are written out and personal values are never in it."""

    file: str
    line: int | None
    column: str
    excerpt: str
    reason: str
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def en(self) -> str:
        """The reason in English."""
        return TEXTS[self.reason][0].format(**self.facts)

    @property
    def zh(self) -> str:
        """The reason in Chinese."""
        return TEXTS[self.reason][1].format(**self.facts)


class Rejections:
    """Collects rejections; knows how many rows of which files they touch. The first thousand are held in
    memory, the others in a private temporary file, so that a file of nothing but faults is reported in
    as little memory as a good one."""

    def __init__(self) -> None:
        self.kept: list[Rejection] = []
        self.count = 0
        self._spool: sqlite3.Connection | None = None

    def add(
        self,
        reason: str,
        file: str,
        *,
        line: int | None = None,
        column: str = "",
        excerpt: str = "",
        **facts: object,
    ) -> None:
        """Refuse a row (`line`) or a file."""
        self.count += 1
        one = Rejection(file, line, column, excerpt, reason, facts)
        if self.count <= IN_MEMORY:
            self.kept.append(one)
        elif self.count <= KEPT:
            self._put(one)

    def take(self, others: Rejections) -> None:
        """Add all of `others`."""
        for one in others:
            self.add(one.reason, one.file, line=one.line, column=one.column, excerpt=one.excerpt, **one.facts)

    def __bool__(self) -> bool:
        return self.count > 0

    def __iter__(self) -> Iterator[Rejection]:
        yield from self.kept
        if self._spool is not None:
            for file, line, column, excerpt, reason, facts in self._spool.execute("SELECT * FROM rejection"):
                yield Rejection(file, line, column, excerpt, reason, json.loads(facts))

    @property
    def rows(self) -> int:
        """Rows refused, each counted once."""
        if self._spool is None:
            return len({(one.file, one.line) for one in self.kept if one.line is not None})
        for one in self.kept:
            self._put(one, "row")
        count: int = self._spool.execute(
            "SELECT count(*) FROM (SELECT file, line FROM rejection WHERE line IS NOT NULL"
            " UNION SELECT file, line FROM row)"
        ).fetchone()[0]
        return count

    def _put(self, one: Rejection, table: str = "rejection") -> None:
        if self._spool is None:
            # an empty name is a temporary file that SQLite deletes itself
            self._spool = sqlite3.connect("", isolation_level=None)
            self._spool.execute("PRAGMA journal_mode = OFF")
            for name in ("rejection", "row"):
                self._spool.execute(
                    f"CREATE TABLE {name} (file TEXT, line INTEGER, column TEXT, excerpt TEXT, reason TEXT, facts TEXT)"
                )
            self._spool.execute("BEGIN")
        if table == "rejection" or one.line is not None:
            values = (
                one.file,
                one.line,
                one.column,
                one.excerpt,
                one.reason,
                json.dumps(one.facts, default=str),
            )
            self._spool.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?)", values)  # noqa: S608


def excerpt_of(text: str, *, personal: bool) -> str:
    """What a report may show of a cell: its start, control characters written out; of a personal value
    only its length."""
    if personal:
        return f"[{len(text)}]"
    shown = text[: _EXCERPT + 1].encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return shown if len(shown) <= _EXCERPT else shown[:_EXCERPT] + "…"


def write_report(path: Path, rejections: Rejections) -> None:
    """The rejections as CSV (UTF-8 with a byte-order mark, so that spreadsheets read the Chinese), with
    cells that a spreadsheet would run as a formula made harmless."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "line", "column", "excerpt", "reason", "原因", "reason (English)"))
        for one in rejections:
            cells = (one.file, one.line or "", one.column, one.excerpt, one.reason, one.zh, one.en)
            writer.writerow([_harmless(str(cell)) for cell in cells])


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
