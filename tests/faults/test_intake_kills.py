"""An intake's process is killed at each of ten points (I1 to I10), and after any statement: the book is as it was
before, or the whole batch is in; and the same call again gives the answer that the first one would have given.

The process that dies is a fork of this one. What strikes it down hangs on the outside of the product: on the
progress that it tells, on the database's events and on the drivers' own traces.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine
from portal.bank_files.mapping import load_mapping
from portal.db import Database
from portal.intake.models import IntakeRun
from portal.intake.operations import Applied, take_in, undo
from portal.intake.undo import Undone
from portal.keys import Keys
from portal.staging.drift import Limits
from tests.conftest import BANK_MORNING
from tests.intake.book import small_book, write_book
from tests.intake.conftest import contents, proved
from tests.intake.test_undo import book_of, second

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)
HARBOUR = load_mapping("harbour")
SOAK = os.environ.get("PORTAL_TEST_PROFILE") == "soak"
#: Every so many statements one is the last, up to the end of the intake: each on a soak.
STEP = 1 if SOAK else 157
#: The point -> whether the batch is in once the process is dead.
POINTS = {
    "manifest_read": False,
    "first_file_staged": False,
    "everything_checked": False,
    "batch_row_inserted": False,
    "people_merged": False,
    "ledger_lines_inserted": False,
    "balances_written": False,
    "about_to_commit": False,
    "committed": True,
    "try_noted": True,
}
#: The statements after which the process dies.
STATEMENTS = {
    "batch_row_inserted": "INSERT INTO intake_batch",
    "people_merged": "INSERT INTO borrower",
    "ledger_lines_inserted": "INSERT INTO ledger_line",
    "balances_written": "INSERT INTO loan_balance",
    "lines_withdrawn": "INSERT INTO withdrawn_line",
    "rows_removed": "DELETE FROM borrower",
}
#: What the progress says at the point.
STEPS = {"first_file_staged": "check ", "everything_checked": "apply "}
#: Session event, and which of its occurrences is the point: the batch's, or that of the note about the try.
COMMITS = {
    "about_to_commit": ("before_commit", 1),
    "committed": ("after_commit", 1),
    "try_noted": ("after_commit", 2),
}


class Scene:
    """A book with yesterday's batch in it, and today's on disk."""

    def __init__(self, database: Database, keys: Keys, folder: Path) -> None:
        self.database, self.keys, self.folder = database, keys, folder
        self.take(write_book(small_book(), HARBOUR, folder / "one"))
        self.today = write_book(second(), HARBOUR, folder / "two")
        self.before, self.lines = contents(database), self.line_count()

    def take(self, directory: Path, progress: Callable[[str, int, int], None] = lambda *_: None) -> Applied:
        """Take a folder in, as an operator does."""
        answer = take_in(
            self.database,
            directory=directory,
            mapping=HARBOUR,
            keys=self.keys,
            now=TOMORROW,
            progress=progress,
            limits=Limits(),
            asked_by="P1",
            reports=self.folder,
        )
        assert isinstance(answer, Applied)
        return answer

    def line_count(self) -> int:
        """Lines in the ledger."""
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(LedgerLine)) or 0

    def again(self, *, is_in: bool) -> None:
        """The same call once more: the answer of the first, the whole file once, one note of it."""
        answer = self.take(self.today)

        assert (answer.sequence, answer.repeated) == (2, is_in)
        assert answer.rows["ledger"] == len(second().rows["ledger"])
        assert self.line_count() == self.lines + 3
        proved(self.database)
        with self.database.read() as connection:
            noted = connection.execute(
                select(IntakeRun.sequence, IntakeRun.state).order_by(IntakeRun.id)
            ).all()
        # one that died between the batch and its note is the only one without
        assert [tuple(one) for one in noted] in ([(1, "applied"), (2, "applied")], [(1, "applied")])

    def die(self, arm: Callable[[Database], Callable[..., None]], call: Callable[..., Any]) -> bool:
        """Make `call` in a process of its own, which what `arm` hangs up strikes down; False where the call came
        to its end."""
        self.database.dispose()
        child = os.fork()
        if child == 0:  # pragma: no cover - the process dies
            try:
                call(arm(self.database))
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return True
        return False


def _die(*args: object, **named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(point: str) -> Callable[[Database], Callable[..., None]]:
    """Hang the blow on the place that `point` names; gives the progress to tell."""

    def arm(database: Database) -> Callable[..., None]:
        if point in STATEMENTS:
            _after_each_statement(database, _when(lambda text: text.lstrip().startswith(STATEMENTS[point])))
        elif point in COMMITS:
            name, number = COMMITS[point]
            event.listen(Session, name, _on_number(number))
        begins = STEPS.get(point, "nothing" if point != "manifest_read" else "")
        return lambda step, done, total: _die() if step.startswith(begins) and done else None

    return arm


def _after(number: int) -> Callable[[Database], Callable[..., None]]:
    """Hang the blow behind the statement of this number."""

    def arm(database: Database) -> Callable[..., None]:
        _after_each_statement(database, _on_number(number))
        return lambda *_: None

    return arm


def _when(is_the_one: Callable[[str], bool]) -> Callable[[str], None]:
    return lambda text: _die() if is_the_one(text) else None


def _on_number(number: int) -> Callable[..., None]:
    left = itertools.count(number, -1)
    return lambda *rest: None if next(left) > 1 else _die()


def _after_each_statement(database: Database, done: Callable[[str], None]) -> None:
    """Have `done` called with every statement that a writing connection has executed, whoever sent it."""
    event.listen(database.writer, "connect", lambda connection, _: _trace(connection, done))


def _trace(connection: Any, done: Callable[[str], None]) -> None:
    if not isinstance(connection, psycopg.Connection):
        last: list[str] = []

        def begins(text: str) -> None:
            # the trace tells when a statement begins: then the one before it has been executed
            if last:
                done(last.pop())
            last.append(text)

        connection.set_trace_callback(begins)
        return

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **named: Any) -> Cursor:
            super().execute(query, *args, **named)
            done(str(query))
            return self

    connection.cursor_factory = Cursor


@pytest.fixture
def scene(database: Database, keys: Keys, tmp_path: Path) -> Scene:
    """Yesterday's batch is in, on each database."""
    return Scene(database, keys, tmp_path)


@pytest.mark.parametrize("point", POINTS)
def test_a_batch_is_in_whole_or_not_at_all(scene: Scene, point: str) -> None:
    assert scene.die(_at(point), lambda progress: scene.take(scene.today, progress)), "was never reached"

    if POINTS[point]:
        assert scene.line_count() == scene.lines + 3
        proved(scene.database)
    else:
        assert contents(scene.database) == scene.before
    scene.again(is_in=POINTS[point])


def test_a_death_after_any_statement_leaves_all_or_nothing(scene: Scene) -> None:
    for number in itertools.count(1, STEP):
        died = scene.die(_after(number), lambda progress: scene.take(scene.today, progress))
        if not died or contents(scene.database) != scene.before:
            break

    assert number > STEP
    assert scene.line_count() == scene.lines + 3
    proved(scene.database)
    scene.again(is_in=True)


@pytest.mark.parametrize("point", ["lines_withdrawn", "rows_removed", "about_to_commit", "committed"])
def test_a_batch_is_taken_back_whole_or_not_at_all(scene: Scene, point: str) -> None:
    yesterday = book_of(scene.database)
    scene.take(scene.today)
    applied = contents(scene.database)

    assert scene.die(_at(point), lambda _: undo(scene.database, by="P1", now=TOMORROW)), "was never reached"

    if point != "committed":
        assert contents(scene.database) == applied
        assert isinstance(undo(scene.database, by="P1", now=TOMORROW), Undone)
    assert {**book_of(scene.database), "intake_run": []} == {**yesterday, "intake_run": []}
    proved(scene.database)
    again = scene.take(scene.today)
    assert (again.sequence, again.repeated) == (2, False)
