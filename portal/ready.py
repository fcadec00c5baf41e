"""Statements that pages run all day: compiled once per database, then run by the driver itself.

SQLAlchemy writes the SQL and says how values go in and come out; what is left out is the work it does
around each execution, which costs several times what a row by key costs. Where somebody listens to the
engine's statements (a test that counts them, say), they go SQLAlchemy's own way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from psycopg import RawCursor
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

_Put = Callable[[Any], Any] | None
_Step = tuple[str, _Put, Any]
_PLACE = re.compile(r"%\((\w+)\)s|%%")


class _Written:
    """One statement in one dialect: its text, what to hand in, and what to do with which column."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        made: SQLCompiler = statement.compile(dialect=dialect)
        if made.literal_execute_params or made.post_compile_params:
            raise ValueError("a list of values is written anew for each execution: not for a ready statement")
        self.text = str(made)
        names = made.positiontup if made.positional else list(made.bind_names.values())
        self.order = list(names or ())
        self.given: list[_Step] = [
            (name, cast(_Put, made._bind_processors.get(name)), made.params[name])
            for name in dict.fromkeys(self.order)
        ]
        if not made.positional:
            self.order = list(dict.fromkeys(self.order))
            self.text = _numbered(self.text, self.order)
        self.taken = [
            (place, take)
            for place, column in enumerate(made._result_columns)
            if (take := column.type._cached_result_processor(dialect, None)) is not None
        ]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """`given` as the driver takes it."""
        ready = {}
        for name, put, usual in self.given:
            value = given.get(name, usual)
            ready[name] = value if put is None else put(value)
        return [ready[name] for name in self.order]


def _numbered(text: str, names: Sequence[str]) -> str:
    """PostgreSQL's own `$1` for psycopg's `%(name)s`: a text that long it would take apart at every execution."""
    places = {name: f"${number}" for number, name in enumerate(names, 1)}
    return _PLACE.sub(lambda found: places[found[1]] if found[1] else "%", text)


class Ready:
    """A statement that is run often, by its name in the code and nothing else.

    It is given a connection, or the session of a unit of work, whose transaction it is then part of.
    """

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._written: dict[str, _Written] = {}

    def rows(self, connection: Connection | Session, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row, with values as the columns' types have them; raises what SQLAlchemy would."""
        connection = _connection(connection)
        if _is_heard(connection):
            return [tuple(row) for row in connection.execute(self.statement, given)]
        written = self._in(connection.dialect)
        found: list[tuple[Any, ...]] = self._run(connection, written, given).fetchall()
        taken = written.taken
        if not taken:
            return found
        made = []
        for row in found:
            values = list(row)
            for place, take in taken:
                if values[place] is not None:  # nothing is nothing in every type there is
                    values[place] = take(values[place])
            made.append(tuple(values))
        return made

    def run(self, connection: Connection | Session, given: Mapping[str, Any]) -> None:
        """Run a statement that has no rows to give."""
        connection = _connection(connection)
        if _is_heard(connection):
            connection.execute(self.statement, given)
        else:
            self._run(connection, self._in(connection.dialect), given)

    def _in(self, dialect: Dialect) -> _Written:
        written = self._written.get(dialect.name)
        if written is None:
            written = self._written[dialect.name] = _Written(self.statement, dialect)
        return written

    def _run(self, connection: Connection, written: _Written, given: Mapping[str, Any]) -> Any:
        """The driver's cursor; its faults as SQLAlchemy's."""
        driver: Any = connection.connection.driver_connection
        dialect = connection.dialect
        error: type[Exception] = dialect.loaded_dbapi.Error
        try:
            cursor = driver.cursor() if dialect.driver == "pysqlite" else RawCursor(driver)
            return cursor.execute(written.text, written.values(given))
        except error as fault:
            if dialect.is_disconnect(fault, driver, None):  # type: ignore[arg-type]
                connection.invalidate(fault)
            raise DBAPIError.instance(
                written.text, None, fault, error, hide_parameters=True, dialect=dialect
            ) from fault


def _connection(of: Connection | Session) -> Connection:
    return of.connection() if isinstance(of, Session) else of


def _is_heard(connection: Connection) -> bool:
    """Whether somebody listens to the statements of this engine."""
    listeners = connection.engine.dispatch
    return bool(listeners.before_cursor_execute or listeners.after_cursor_execute)
