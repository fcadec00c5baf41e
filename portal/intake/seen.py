"""Which references a file has named so far, and in which line: on disk, so that a ledger of millions of
lines is checked for duplicates in little memory."""

from __future__ import annotations

import sqlite3


class SeenRefs:
    """A private temporary table; it is gone when the object is."""

    def __init__(self) -> None:
        # an empty name is a temporary file that SQLite deletes itself
        self._table = sqlite3.connect("", isolation_level=None)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("PRAGMA cache_size = -8000")
        self._table.execute("CREATE TABLE seen (ref TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")
        self._table.execute("BEGIN")

    def first_line(self, ref: str, line: int) -> int | None:
        """Note `ref`; the line in which it stood already, None when it is new.

        >>> seen = SeenRefs()
        >>> seen.first_line("T1", 2), seen.first_line("T1", 7), "T1" in seen, "T2" in seen
        (None, 2, True, False)
        """
        added = self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (ref, line)).rowcount
        return None if added else self._line_of(ref)

    def __contains__(self, ref: str) -> bool:
        return self._line_of(ref) is not None

    def _line_of(self, ref: str) -> int | None:
        row = self._table.execute("SELECT line FROM seen WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Give the temporary file back."""
        self._table.close()
