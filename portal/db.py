"""The database: engines, units of work, column types and the naming of constraints.

Reads are Core statements on a read connection. Writes are one unit, `Database.write(unit)`, that
commits once and is run again as a whole when the database asks for it. SQLite writes begin
IMMEDIATE; every SQLite connection has WAL, synchronous=FULL and foreign keys on, asserted at start.
"""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from sqlalchemy import (
    DDL,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from portal.ready import Ready

T = TypeVar("T")

#: INSERT with ON CONFLICT, for both databases: SQLite has taken the clause over from PostgreSQL, and its
#: compiler writes it from the same statement.
upsert = insert

#: How often a unit is tried before the caller sees the conflict.
TRIES = 6
_RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}


_BEGIN = Ready(text("BEGIN IMMEDIATE"))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant; stored in UTC, read back aware on both databases. Naive ones are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a zone")
        return value if value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A rate as its exact decimal text; SQLite has no decimals and must not round."""

    impl = String(24)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


#: A 64-bit key on PostgreSQL, the rowid on SQLite.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Every table: named constraints, and `created_at` as the instant the caller passed in."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        int: BigInteger,
        Decimal: ExactDecimal,
    }


class Row(Base):
    """A table with a numeric key."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(BigId, primary_key=True, sort_order=-2)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, sort_order=-1)


def append_only(table: Table, *, leaves: str = "") -> None:
    """Let `table` take new rows only: the database itself refuses UPDATE and DELETE. `leaves` is the
    condition, over `OLD`, under which a row may go all the same."""
    triggers(table, append_only_sql(table.name, leaves=leaves))


def triggers(table: Table, statements: Iterable[dict[str, str]]) -> None:
    """Create triggers with `table`: SQL texts, each for its dialect."""
    for statement in statements:
        event.listen(
            table,
            "after_create",
            DDL(statement["sql"].replace("%", "%%")).execute_if(  # type: ignore[no-untyped-call]
                dialect=statement["dialect"]
            ),
        )


def append_only_sql(name: str, *, leaves: str = "") -> list[dict[str, str]]:
    """The triggers that make a table append-only, per dialect; migrations use the same text."""
    goes = f"IF TG_OP = 'DELETE' AND {leaves} THEN RETURN OLD; END IF; " if leaves else ""
    made: list[dict[str, str]] = []
    for verb in ("UPDATE", "DELETE"):
        made.append(
            {
                "dialect": "sqlite",
                "sql": f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                f"{f'WHEN NOT {leaves} ' if leaves and verb == 'DELETE' else ''}BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END",
            }
        )
    made.append(
        {
            "dialect": "postgresql",
            "sql": f"CREATE FUNCTION {name}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {goes}RAISE EXCEPTION '{name} is append-only'; END $$",
        }
    )
    made.append(
        {
            "dialect": "postgresql",
            "sql": f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}_append_only()",
        }
    )
    return made


class Database:
    """One database behind two doors: `read()` for pages and `write(unit)` for changes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.writer: Engine = self._engine(read_only=False)
        self.reader: Engine = self._engine(read_only=True)
        self._of_thread = threading.local()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()

    def _engine(self, *, read_only: bool) -> Engine:
        if not self.is_sqlite:
            options: dict[str, Any] = {"pool_pre_ping": False, "pool_size": 10, "max_overflow": 20}
            if read_only:
                options["isolation_level"] = "AUTOCOMMIT"
            return create_engine(self.url, **options)
        engine = create_engine(
            self.url, connect_args={"timeout": 5, "check_same_thread": False}, pool_size=20, max_overflow=40
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, record: object) -> None:
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
                connection.execute(f"PRAGMA {pragma}")
            if read_only:
                connection.execute("PRAGMA query_only=ON")

        if not read_only:

            @event.listens_for(engine, "begin")
            def begin(connection: Connection) -> None:
                _BEGIN.run(connection, {})

        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for statements that change nothing.

        Each statement stands alone (autocommit), so a thread keeps its connection from read to read:
        fetching one from the pool and giving it back costs as much as the statement. After a failed
        statement the connection is given up and the next read asks the pool for another.
        """
        connection = self._kept("reading", self.reader)
        try:
            yield connection
        except SQLAlchemyError:
            self._give_up("reading")
            raise

    def write(self, unit: Callable[[Session], T]) -> T:
        """Run `unit` in one transaction and commit; the whole of it again on a conflict.

        A thread keeps its connection for this too; a unit inside a unit has one of its own.
        """
        if getattr(self._of_thread, "is_writing", False):
            return self._tried(self.writer, unit)
        self._of_thread.is_writing = True
        try:
            return self._tried(self._kept("writing", self.writer), unit)
        except BaseException:
            self._give_up("writing")
            raise
        finally:
            self._of_thread.is_writing = False

    def _tried(self, bind: Engine | Connection, unit: Callable[[Session], T]) -> T:
        for attempt in range(TRIES):
            with Session(bind, expire_on_commit=False) as session:
                try:
                    answer = unit(session)
                    session.commit()
                    return answer
                except DBAPIError as error:
                    session.rollback()
                    if attempt == TRIES - 1 or not is_retryable(error):
                        raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def _kept(self, name: str, engine: Engine) -> Connection:
        """This thread's own connection of that name."""
        connection: Connection | None = getattr(self._of_thread, name, None)
        if connection is None:
            connection = engine.connect()
            setattr(self._of_thread, name, connection)
            self._open.add(connection)
        return connection

    def _give_up(self, name: str) -> None:
        connection: Connection | None = self._of_thread.__dict__.pop(name, None)
        if connection is not None:
            connection.close()

    def check(self) -> None:
        """Refuse to serve from a SQLite file that would not keep what it promised (RuntimeError)."""
        if not self.is_sqlite:
            return
        with self.writer.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        if found != {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}:
            raise RuntimeError(f"SQLite settings are not durable: {found}")

    def dispose(self) -> None:
        """Close every connection; the next read or write opens new ones."""
        for connection in list(self._open):
            connection.close()
        self._of_thread = threading.local()
        self.reader.dispose()
        self.writer.dispose()


def is_retryable(error: DBAPIError) -> bool:
    """Whether the database asked for the whole unit to be run again."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _RETRYABLE_SQLSTATES
    return isinstance(error, OperationalError) and "locked" in str(error.orig)
