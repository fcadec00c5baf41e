"""Statements that pages run all day: compiled once per database, then run by the driver itself.

SQLAlchemy writes the SQL and says how values go in and come out; what is left out is the work it does
around each execution, which costs several times what a row by key costs. Where somebody listens to the
engine's statements (a test that counts them, say), they go SQLAlchemy's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

_Put = Callable[[Any], Any] | None
_Step = tuple[str, _Put, Any]


class _Written:
    """One statement in one dialect: its text, what to hand in, and what to do with which column."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        made: SQLCompiler = statement.compile(dialect=dialect)
        if made.literal_execute_params or made.post_compile_params:
            raise ValueError("a list of values is written anew for each execution: not for a ready statement")
        self.text = str(made)
        names = made.positiontup if made.positional else list(made.bind_names.values())
        self.is_positional = made.positional
        self.given: list[_Step] = [
            (name, cast(_Put, made._bind_processors.get(name)), made.params[name])
            for name in dict.fromkeys(names or ())
        ]
        self.order = names or []
        self.taken = [
            (place, take)
            for place, column in enumerate(made._result_columns)
            if (take := column.type._cached_result_processor(dialect, None)) is not None
        ]

    def values(self, given: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """`given` as the driver takes it."""
        ready = {}
        for name, put, usual in self.given:
            value = given.get(name, usual)
            ready[name] = value if put is None else put(value)
        return [ready[name] for name in self.order] if self.is_positional else ready


class Ready:
    """A SELECT that is run often, by its name in the code and nothing else."""

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._written: dict[str, _Written] = {}

    def rows(self, connection: Connection, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row, with values as the columns' types have them; raises what SQLAlchemy would."""
        engine = connection.engine
        if engine.dispatch.before_cursor_execute:
            return [tuple(row) for row in connection.execute(self.statement, given)]
        written = self._written.get(engine.dialect.name)
        if written is None:
            written = self._written[engine.dialect.name] = _Written(self.statement, engine.dialect)
        driver: Any = connection.connection.driver_connection
        error: type[Exception] = engine.dialect.loaded_dbapi.Error
        try:
            found: list[tuple[Any, ...]] = driver.execute(written.text, written.values(given)).fetchall()
        except error as fault:
            if engine.dialect.is_disconnect(fault, driver, None):  # type: ignore[arg-type]
                connection.invalidate(fault)
            raise DBAPIError.instance(
                written.text, None, fault, error, hide_parameters=True, dialect=engine.dialect
            ) from fault
        taken = written.taken
        if not taken:
            return found
        made = []
        for row in found:
            values = list(row)
            for place, take in taken:
                values[place] = take(values[place])
            made.append(tuple(values))
        return made
