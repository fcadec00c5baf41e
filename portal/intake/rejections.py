"""What was refused and why: one rejection per row or file, and the report an operator takes to the bank."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.intake.reasons import TEXTS

#: A report keeps this many; the count goes on.
KEPT = 100_000
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
    """Collects rejections; knows how many rows of which files they touch."""

    def __init__(self) -> None:
        self.kept: list[Rejection] = []
        self.count = 0
        self._rows: set[tuple[str, int]] = set()

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
        if line is not None:
            self._rows.add((file, line))
        if self.count <= KEPT:
            self.kept.append(Rejection(file, line, column, excerpt, reason, facts))

    def __bool__(self) -> bool:
        return self.count > 0

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self.kept)

    @property
    def rows(self) -> int:
        """Rows refused, each counted once."""
        return len(self._rows)


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
