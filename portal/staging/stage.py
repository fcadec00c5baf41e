"""A place beside the book where a batch's rows wait, checked, until they are applied: temporary tables of
one connection.

Rows go in as text, a block at a time (COPY on PostgreSQL, bound rows on SQLite), amounts without their
point, and the columns' types make values of them as they arrive. Nobody else sees the tables, they hold no person in clear, and they
are gone with the connection.
"""

from __future__ import annotations

import functools
import itertools
import re
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from typing import Any, cast

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection

from portal.bank_files.blocks import Block, cut

#: Kilobytes of pages that SQLite keeps in memory while a batch is taken in, per file.
_CACHE = 24_000
#: Rows fetched from a server at a time.
_FETCH = 2_000
#: Rows that SQLite takes with one statement.
_TOGETHER = 8
_POURED = 10_000
_PARAMETER = re.compile(r"%\((\w+)\)s")


class Stage:
    """Statements over the driver of one connection; `%(name)s` marks a parameter on both databases."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver = cast(Any, connection.connection.driver_connection)
        self.is_sqlite = connection.dialect.name == "sqlite"
        self.jumps: dict[str, tuple[list[int], list[int]]] = {}
        self._names = 0
        if self.is_sqlite:
            self.driver.execute(f"PRAGMA main.cache_size = -{_CACHE}")
            self.driver.execute(f"PRAGMA temp.cache_size = -{_CACHE}")
            self.driver.execute("PRAGMA temp_store = FILE")
            # another intake may hold the book for minutes: this one waits for it
            self.driver.execute("PRAGMA busy_timeout = 3600000")
        else:
            self.driver.execute("SET work_mem = '64MB'")

    def begin(self) -> None:
        """Begin a transaction that changes nothing but the tables here; it takes no lock on the book."""
        if self.is_sqlite:
            self.driver.execute("BEGIN DEFERRED")

    def end(self) -> None:
        """End it; the tables stay."""
        self.driver.commit()

    def run(self, sql: str, **parameters: Any) -> int:
        """One statement; how many rows it touched."""
        with closing(self.driver.cursor()) as cursor:
            cursor.execute(self._text(sql), parameters or ({} if self.is_sqlite else None))
            return int(cursor.rowcount)

    def rows(self, sql: str, **parameters: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, a few thousand in memory at a time."""
        if self.is_sqlite:
            with closing(self.driver.cursor()) as cursor:
                yield from cursor.execute(self._text(sql), parameters)
            return
        self._names += 1
        with self.driver.cursor(name=f"intake_{self._names}") as cursor:
            cursor.itersize = _FETCH
            cursor.execute(sql, parameters or None)
            yield from cursor

    def one(self, sql: str, **parameters: Any) -> tuple[Any, ...]:
        """The only row of a SELECT."""
        with closing(self.driver.cursor()) as cursor:
            cursor.execute(self._text(sql), parameters or ({} if self.is_sqlite else None))
            found: tuple[Any, ...] = cursor.fetchone()
            return found

    def all(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a SELECT that gives few."""
        with closing(self.driver.cursor()) as cursor:
            cursor.execute(self._text(sql), parameters or ({} if self.is_sqlite else None))
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def value(self, sql: str, **parameters: Any) -> Any:
        """The only value of a SELECT."""
        return self.one(sql, **parameters)[0]

    def day(self, value: Any) -> date:
        """A date that the database gave."""
        return _day(value) if self.is_sqlite else value

    def analyze(self, table: str) -> None:
        """Tell PostgreSQL's planner how large the table is; SQLite needs no telling."""
        if not self.is_sqlite:
            self.run(f"ANALYZE {table}")

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Put rows of values into a table."""
        named = ", ".join(columns)
        if self.is_sqlite:
            marks = ", ".join("?" * len(columns))
            self.driver.executemany(f"INSERT INTO {table} ({named}) VALUES ({marks})", rows)  # noqa: S608
            return
        with self.driver.cursor() as cursor, cursor.copy(f"COPY {table} ({named}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def pour(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Put rows into a table that are themselves drawn from the database, some thousand at a time."""
        drawn = iter(rows)
        while chunk := list(itertools.islice(drawn, _POURED)):
            self.fill(table, columns, chunk)

    def unique(self, table: str, columns: str) -> bool:
        """Index columns of a table as unique; False, and nothing done, where a value stands twice."""
        self.run("SAVEPOINT once")
        try:
            self.run(f"CREATE UNIQUE INDEX {table}_once ON {table} ({columns})")
        except (sqlite3.IntegrityError, UniqueViolation):
            self.run("ROLLBACK TO once")
            return False
        finally:
            self.run("RELEASE once")
        return True

    def line_of(self, kind: str, number: int) -> int:
        """The line of the file in which the staged row of this number stands."""
        if kind not in self.jumps:
            return number
        numbers, lines = self.jumps[kind]
        place = bisect_right(numbers, number) - 1
        return lines[place] + number - numbers[place]

    @contextmanager
    def loading(self, kind: str, table: Loaded) -> Iterator[Loader]:
        """Take blocks of cells in; the block of `with` puts each."""
        self.jumps[kind] = ([], [])
        loader = Loader(self, kind, table)
        if self.is_sqlite:
            yield loader
            return
        copy = f"COPY {table.name} ({', '.join(table.raw)}) FROM STDIN (FORMAT csv, DELIMITER '{table.delimiter}')"
        with self.driver.cursor() as cursor, cursor.copy(copy) as stream:
            loader.stream = stream
            yield loader

    def _text(self, sql: str) -> str:
        return _PARAMETER.sub(r":\1", sql) if self.is_sqlite else sql


@functools.lru_cache(4096)
def _day(text: str) -> date:
    return date.fromisoformat(text)


class Loaded:
    """A temporary table that cells are loaded into.

    `fields` are the cells in the order of the file; `amounts` those that lose their decimal point on the way
    in; `made` the columns, as (name, type, expression) with `{field}` for a cell: a cell as it is, or what
    the database makes of some.
    """

    def __init__(
        self,
        name: str,
        fields: Sequence[str],
        made: Sequence[tuple[str, str, str]],
        *,
        delimiter: str,
        amounts: Sequence[str],
        optional: Sequence[str] = (),
    ) -> None:
        self.name, self.fields, self.made, self.delimiter = name, list(fields), list(made), delimiter
        self.amounts = [self.fields.index(field) for field in amounts]
        self.optional = frozenset(optional)
        self.as_it_is = {column for column, _, expression in made if expression == f"{{{column}}}"}
        self.raw = [field if field in self.as_it_is else f"cell_{field}" for field in fields]

    def create(self, stage: Stage) -> None:
        """Make the table, empty."""
        if stage.is_sqlite:
            columns = ["line INTEGER PRIMARY KEY", *(f"{name} {type_}" for name, type_, _ in self.made)]
        else:
            cells = {field: raw for field, raw in zip(self.fields, self.raw, strict=True)}
            columns = ["line bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000)"]
            columns += [f"{raw} text" for raw in self.raw if raw.startswith("cell_")]
            for name, type_, expression in self.made:
                typed = 'text COLLATE "C"' if type_ == "text" else type_
                made = f" GENERATED ALWAYS AS ({expression.format(**cells)}) STORED"
                columns.append(f"{name} {typed}{'' if name in self.as_it_is else made}")
        stage.run(f"CREATE TEMPORARY TABLE {self.name} ({', '.join(columns)})")

    def insert(self, rows: int) -> str:
        """The INSERT that takes the cells of so many rows on SQLite."""
        names = ", ".join(name for name, _, _ in self.made)
        values = ", ".join(self._values(row * len(self.fields)) for row in range(rows))
        return f"INSERT INTO {self.name} ({names}) VALUES {values}"  # noqa: S608 - names of ours

    def _values(self, before: int) -> str:
        cells = {field: f"?{before + place}" for place, field in enumerate(self.fields, start=1)}
        cells |= {field: f"NULLIF({cells[field]}, '')" for field in self.optional}
        return "(" + ", ".join(expression.format(**cells) for _, _, expression in self.made) + ")"


class Loader:
    """Puts blocks into a table and remembers which line each row came from."""

    def __init__(self, stage: Stage, kind: str, table: Loaded) -> None:
        self.stage, self.table, self.width = stage, table, len(table.fields)
        self.numbers, self.lines = stage.jumps[kind]
        self.stream: Any = None
        if stage.is_sqlite:
            self.insert_some, self.insert_one = table.insert(_TOGETHER), table.insert(1)
        self.next_number, self.next_line = 1, -1

    def put(self, block: Block) -> None:
        """Take one block of good rows in."""
        if block.line != self.next_line:
            self.numbers.append(self.next_number)
            self.lines.append(block.line)
        self.next_number += block.count
        self.next_line = block.line + block.count
        text = self._without_points(block)
        if self.stage.is_sqlite:
            self._bind(self._cells(block) if text is None else cut(text, block.delimiter))
        else:
            self.stream.write((self._quoted(self._cells(block)) if text is None else text).encode())

    def _without_points(self, block: Block) -> str | None:
        """The block's text with its amounts in minor units; None where a cell may have a point of another
        meaning. Every plain amount has one, so that where there are no more, each is an amount's."""
        if block.text is None or block.text.count(".") != len(self.table.amounts) * block.count:
            return None
        return block.text.replace(".", "")

    def _cells(self, block: Block) -> Sequence[str]:
        """The cells of the block, amounts in minor units."""
        cells = list(block.cells())
        for place in self.table.amounts:
            cells[place :: self.width] = [cell.replace(".", "") for cell in cells[place :: self.width]]
        return cells

    def _bind(self, cells: Sequence[str]) -> None:
        step, run = _TOGETHER * self.width, self.stage.driver.executemany
        whole = len(cells) - len(cells) % step
        run(self.insert_some, (cells[place : place + step] for place in range(0, whole, step)))
        run(
            self.insert_one,
            (cells[place : place + self.width] for place in range(whole, len(cells), self.width)),
        )

    def _quoted(self, cells: Sequence[str]) -> str:
        """The cells as CSV, for COPY; an empty one without quotation marks, which makes it NULL."""
        safe = ['"' + cell.replace('"', '""') + '"' if cell else "" for cell in cells]
        rows = zip(*[iter(safe)] * self.width, strict=True)
        return "".join([self.table.delimiter.join(row) + "\n" for row in rows])
