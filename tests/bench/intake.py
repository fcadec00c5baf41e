"""Intake at the size of a bank: `python -m tests.bench.intake --loans N --lines M`, and a small size in
`make bench`.

G7: the whole intake (row report, references, balances, one transaction) against the database's own bulk
load of the same four files, every row and every column, in the same run: PostgreSQL's COPY and SQLite's
`.import`, once into tables of text with keys, indexes and foreign keys as the portal's tables have them, once into bare
ones. The reference writes each row once and does nothing else: it checks nothing, seals no name, works no balance out,
and its index of phone numbers is filled in order, where the portal's holds their digests. Peak memory is that
of the intake's process, the interpreter and all imports included. G6: the balance of one loan, at this size and in a small book.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from sqlalchemy import select

from portal.accounts.models import Loan
from portal.accounts.queries import balances_for
from portal.bank_files.mapping import Mapping, load_mapping
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.keys import Keys
from portal.schema import metadata
from tests import postgres
from tests.conftest import MASTER, PEPPER, postgres_url
from tests.intake.big_book import BigBook

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
#: The files that hold the rows.
FILES = ("customers", "loans", "ledger", "balances")
#: A book as small as the other figure of G6 asks for.
SMALL = 10_000


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, seconds of processor of the one process that did the work, peak kilobytes."""

    seconds: float
    processor: float
    kilobytes: int = 0


def take_in(url: str, directory: Path) -> Cost:
    """One intake in a process of its own."""
    code = "import sys; from tests.bench import intake; intake.one(sys.argv[1], sys.argv[2])"
    answer = subprocess.run(
        [sys.executable, "-c", code, url, str(directory)], check=True, capture_output=True, text=True
    )
    seconds, processor, kilobytes = answer.stdout.split()[-3:]
    return Cost(float(seconds), float(processor), int(kilobytes))


def one(url: str, directory: str) -> None:
    """What that process does."""
    database, keys = Database(url), Keys(pepper=PEPPER, master=MASTER)
    started, processor = time.perf_counter(), time.process_time()
    answer = apply_batch(database, directory=Path(directory), mapping="portal", keys=keys, now=NOW)
    seconds = time.perf_counter() - started
    assert isinstance(answer, Applied), [fault.en for fault in answer.rejections][:5]  # type: ignore[union-attr]
    processor = time.process_time() - processor
    print(seconds, processor, most_memory())


def most_memory() -> int:
    """The most memory that this process ever had, kilobytes. Not getrusage: its figure outlives exec, and
    begins with what the process that started this one had."""
    (line,) = (
        text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM")
    )
    return int(line.split()[1])


def like_the_portals(kind: str, mapping: Mapping, *, serial: str) -> list[str]:
    """A table with the file's columns, and keys and indexes as the portal's table has them."""
    columns = ", ".join(f"{name} text NOT NULL" for name in mapping.files[kind].columns.values())
    extra = {
        "customers": [
            "CREATE UNIQUE INDEX c1 ON b_customers (customer_ref)",
            "CREATE INDEX c2 ON b_customers (phone)",
        ],
        "loans": [
            "CREATE UNIQUE INDEX l1 ON b_loans (loan_ref)",
            "CREATE INDEX l2 ON b_loans (customer_ref)",
        ],
        "ledger": [
            "CREATE UNIQUE INDEX g1 ON b_ledger (line_ref)",
            "CREATE INDEX g2 ON b_ledger (loan_ref, posted_on, line_ref)",
        ],
        "balances": ["CREATE UNIQUE INDEX h1 ON b_balances (loan_ref)"],
    }
    keys = {
        "loans": ", FOREIGN KEY (customer_ref) REFERENCES b_customers (customer_ref)",
        "ledger": ", FOREIGN KEY (loan_ref) REFERENCES b_loans (loan_ref)",
        "balances": ", FOREIGN KEY (loan_ref) REFERENCES b_loans (loan_ref)",
    }
    columns = columns.replace(" NOT NULL", "") if kind in ("ledger", "loans") else columns
    made = f"CREATE TABLE b_{kind} ({serial}{columns}{keys.get(kind, '')})"
    return [made, *extra[kind]]


def copy(folder: str, directory: Path, mapping: Mapping, *, bare: bool) -> Cost:
    """COPY of the four files in one transaction."""
    with psycopg.connect(f"host={folder} user=portal dbname=postgres") as connection:
        for kind in reversed(FILES):
            connection.execute(f"DROP TABLE IF EXISTS b_{kind}")
        for kind in FILES:
            for statement in _tables(kind, mapping, bare, "id bigserial PRIMARY KEY, "):
                connection.execute(statement)
        connection.commit()
        started = time.perf_counter()
        for kind in FILES:
            names = ", ".join(mapping.files[kind].columns.values())
            into = f"COPY b_{kind} ({names}) FROM STDIN (FORMAT csv, HEADER true)"
            path = directory / mapping.files[kind].file
            with path.open("rb") as file, connection.cursor() as cursor, cursor.copy(into) as stream:
                shutil.copyfileobj(file, stream, 1 << 18)
        connection.commit()
        return Cost(time.perf_counter() - started, 0)


def _tables(kind: str, mapping: Mapping, bare: bool, serial: str) -> list[str]:
    if bare:
        columns = ", ".join(f"{name} text" for name in mapping.files[kind].columns.values())
        return [f"CREATE TABLE b_{kind} ({columns})"]
    return like_the_portals(kind, mapping, serial=serial)


def sqlite_import(directory: Path, mapping: Mapping, path: Path, *, bare: bool) -> tuple[Cost, str]:
    """`.import` of the four files by the sqlite3 program, or of executemany where there is
    none; and which of the two it was."""
    path.unlink(missing_ok=True)
    tables = [one for kind in FILES for one in _tables(kind, mapping, bare, "")]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in tables:
            connection.execute(statement)
    program = shutil.which("sqlite3")
    started, processor = time.perf_counter(), _of_children() + time.process_time()
    if program is None:
        _executemany(directory, mapping, path)
        return _since(started, processor), "executemany (no sqlite3 program here)"
    lines = [
        "PRAGMA synchronous = FULL;",
        "PRAGMA foreign_keys = ON;",
        "PRAGMA cache_size = -24000;",
        "BEGIN;",
    ]
    lines += [f".import --csv --skip 1 {directory / mapping.files[kind].file} b_{kind}" for kind in FILES]
    subprocess.run([program, str(path)], input="\n".join([*lines, "COMMIT;", ""]), text=True, check=True)
    return _since(started, processor), ".import"


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _since(started: float, processor: float) -> Cost:
    return Cost(time.perf_counter() - started, _of_children() + time.process_time() - processor)


def _executemany(directory: Path, mapping: Mapping, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        for kind in FILES:
            form = mapping.files[kind]
            with (directory / form.file).open(encoding=mapping.encoding, newline="") as stream:
                rows = csv.reader(stream)
                next(rows)
                marks = ", ".join("?" * len(form.columns))
                connection.executemany(f"INSERT INTO b_{kind} VALUES ({marks})", rows)


def sealing(customers: int = 5_000) -> float:
    """Seconds of processor that one customer's five sealed fields and one digest take."""
    keys, texts = Keys(pepper=PEPPER, master=MASTER), ["临港市海湾路2号24幢"] * 1000
    started = time.process_time()
    for _ in range(customers // len(texts)):
        for _ in range(5):
            keys.seal_all("borrower.name", texts)
        keys.digest_all("phone", texts)
    return (time.process_time() - started) / customers


def balance_of_one(url: str, times: int = 300) -> float:
    """Median seconds of the queries behind one borrower's balance."""
    database = Database(url)
    with database.read() as connection:
        owners = connection.scalars(select(Loan.borrower_id).order_by(Loan.id.desc()).limit(times)).all()
        found = []
        for owner in (*owners[:20], *owners):
            started = time.perf_counter()
            balances_for(connection, owner)
            found.append(time.perf_counter() - started)
    database.dispose()
    return statistics.median(found[20:])


@contextmanager
def empty(kind: str, folder: Path, name: str, socket: str | None) -> Iterator[str]:
    """The address of an empty portal database."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / name}.sqlite"
    else:
        assert socket is not None
        with psycopg.connect(f"host={socket} user=portal dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = postgres_url(socket, name)
    database = Database(url)
    metadata.create_all(database.writer)
    database.dispose()
    yield url


def measure(kind: str, folder: Path, directory: Path, small: Path, socket: str | None, rows: int) -> None:
    """All figures on one database."""
    mapping = load_mapping("portal")
    with empty(kind, folder, "intake_small", socket) as url:
        take_in(url, small)
        few = balance_of_one(url)
    with empty(kind, folder, "intake_big", socket) as url:
        cost = take_in(url, directory)
        many = balance_of_one(url)
    references: dict[str, Callable[[bool], tuple[Cost, str]]] = {
        "sqlite": lambda bare: sqlite_import(directory, mapping, folder / "reference.sqlite", bare=bare),
        "postgresql": lambda bare: (copy(socket or "", directory, mapping, bare=bare), "COPY"),
    }
    goal = {"sqlite": "0.43 (0.60)", "postgresql": "0.35 (0.80)"}[kind]
    for bare in (False, True):
        load, how = references[kind](bare)
        what = "bare tables of text" if bare else "tables with the portal's keys and indexes"
        # two processes share the work with a server, one does it alone: there the processor's time is fairer
        also = f" ({load.processor / cost.processor:.2f} by processor time)" if load.processor else ""
        print(
            f"G7  intake of {rows:,} rows  {kind:11} {load.seconds / cost.seconds:.2f}{also} of {how} into {what}  goal {goal}",
            flush=True,
        )
    print(
        f"G7  intake of {rows:,} rows  {kind:11} {cost.kilobytes / 1024:.0f} MB peak,"
        f" {rows / cost.seconds:,.0f} rows a second, {cost.processor:.0f} s of processor  goal 200 MB (100)"
    )
    customers = len((directory / mapping.files["customers"].file).read_bytes().splitlines()) - 1
    share = sealing() * customers / cost.processor
    print(f"G7  of the intake's processor time, sealing what is personal  {kind:11} {share:.0%}")
    print(
        f"G6  balance of one loan, this book / {SMALL:,} loans  {kind:11} {many / few:.2f}  goal 1.5 (1.1)",
        flush=True,
    )


def main() -> None:
    """Write the books, then both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=50_000)
    parser.add_argument("--lines", type=int, default=None, help="ledger lines in all (default: five a loan)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--book", type=Path, help="where the book lies, or is to be written")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        each = max(1, (asked.lines or 5 * asked.loans) // asked.loans)
        big = asked.book or folder / "big"
        if not (big / "manifest.json").exists():
            BigBook(asked.loans, each).write(big)
        small = BigBook(min(SMALL, asked.loans), each).write(folder / "small")
        rows = asked.loans * (3 + each)
        if asked.only != "postgresql":
            measure("sqlite", folder, big, small, None, rows)
        if asked.only != "sqlite":
            with postgres.server() as socket:
                measure("postgresql", folder, big, small, socket, rows)


if __name__ == "__main__":
    main()
