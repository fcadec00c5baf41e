"""The database keeps what it promises: durable SQLite, immediate writes, append-only tables, aware instants."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError
from sqlalchemy.orm import Session

from portal.access.models import Counter
from portal.audit import SYSTEM, AuditEntry, AuditSeal, chain_hash, record, seal, verify
from portal.db import Database
from portal.keys import Keys

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def entries(session: Session, count: int) -> None:
    for index in range(count):
        record(
            session,
            actor=SYSTEM,
            event="test.happened",
            subject_kind="test",
            subject_ref=index,
            now=NOW,
            facts={"n": index},
        )


def test_sqlite_is_durable(sqlite_database: Database) -> None:
    sqlite_database.check()
    with sqlite_database.read() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("DELETE FROM counter"))


def test_a_thread_keeps_its_connection_for_reads_until_a_statement_fails(database: Database) -> None:
    with database.read() as first:
        pass
    with database.read() as second:
        assert second is first
    with contextlib.suppress(DBAPIError), database.read() as failing:
        failing.execute(text("SELECT nothing_of_the_kind"))
    with database.read() as third:
        assert third is not first
        assert third.execute(text("SELECT 1")).scalar() == 1


def test_reads_see_what_was_written_in_between(database: Database) -> None:
    count = select(func.count()).select_from(AuditEntry)
    with database.read() as connection:
        assert connection.execute(count).scalar_one() == 0
    database.write(lambda session: entries(session, 2))
    with database.read() as connection:
        assert connection.execute(count).scalar_one() == 2


def test_a_thread_keeps_its_connection_for_units_until_one_fails(database: Database) -> None:
    def driver(session: Session) -> Any:
        return session.connection().connection.driver_connection

    first = database.write(driver)
    assert database.write(driver) is first
    with contextlib.suppress(DBAPIError):
        database.write(lambda session: session.execute(text("SELECT nothing_of_the_kind")))
    database.write(lambda session: entries(session, 1))
    with database.read() as connection:
        assert len(connection.execute(select(AuditEntry.id)).all()) == 1


def test_a_unit_inside_a_unit_is_another_transaction(postgres_database: Database) -> None:
    def outer(session: Session) -> None:
        entries(session, 1)
        postgres_database.write(lambda inner: entries(inner, 2))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        postgres_database.write(outer)
    with postgres_database.read() as connection:
        assert len(connection.execute(select(AuditEntry.id)).all()) == 2


def test_append_only_tables_refuse_change(database: Database) -> None:
    database.write(lambda session: entries(session, 1))

    for statement in ("UPDATE audit_entry SET event = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(DBAPIError, match="append-only"):
            database.write(lambda session, statement=statement: session.execute(text(statement)))


def test_instants_come_back_aware(database: Database) -> None:
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    database.write(
        lambda session: session.add(Counter(scope="t", key_digest="k", window_start=shanghai, count=1))
    )

    with database.read() as connection:
        found = connection.execute(select(Counter.window_start)).scalar_one()
    assert found == NOW
    assert found.tzinfo is not None


def test_naive_instants_are_refused(sqlite_database: Database) -> None:
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(StatementError, match="needs a zone"):
        sqlite_database.write(
            lambda session: session.add(Counter(scope="t", key_digest="k", window_start=naive, count=1))
        )


def test_writers_at_once_all_get_through(database: Database) -> None:
    barrier = threading.Barrier(8)

    def one(index: int) -> None:
        barrier.wait()
        database.write(lambda session: entries(session, 3))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert len(connection.execute(select(AuditEntry.id)).all()) == 24


def test_a_failed_unit_leaves_nothing(database: Database) -> None:
    def unit(session: Session) -> None:
        entries(session, 2)
        session.flush()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.write(unit)

    with database.read() as connection:
        assert connection.execute(select(AuditEntry.id)).all() == []


def test_the_chain_is_whole_and_shows_a_changed_row(database: Database, keys: Keys) -> None:
    database.write(lambda session: entries(session, 5))
    assert database.write(lambda session: seal(session, keys=keys)) == 5
    assert database.write(lambda session: seal(session, keys=keys)) == 0
    assert database.write(lambda session: verify(session, keys=keys)) is None

    def forge(session: Session) -> None:
        if database.is_sqlite:
            session.execute(text("DROP TRIGGER audit_entry_no_update"))
        else:
            session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
        session.execute(
            text("UPDATE audit_entry SET event = 'forged' WHERE id = (SELECT min(id) + 2 FROM audit_entry)")
        )

    database.write(forge)

    assert database.write(lambda session: verify(session, keys=keys)) == 3


def test_the_chain_covers_every_column_and_the_entry_before(keys: Keys) -> None:
    plain = {
        "id": 1,
        "created_at": NOW,
        "actor_kind": "staff",
        "actor_ref": "B2107",
        "event": "reviews.decided",
        "subject_kind": "proposal",
        "subject_ref": "F-1",
        "facts": {"kind": "approve"},
    }
    forged = [
        {**plain, name: value}
        for name, value in {
            "id": 2,
            "created_at": NOW.replace(year=2027),
            **dict.fromkeys(("actor_kind", "actor_ref", "event", "subject_kind", "subject_ref"), "x"),
            "facts": {"kind": "decline"},
        }.items()
    ]

    hashes = {chain_hash(keys, "", AuditEntry(**columns)) for columns in (plain, *forged)}

    assert {column.name for column in AuditEntry.__table__.columns} == set(plain)
    assert len(hashes) == len(forged) + 1
    assert chain_hash(keys, "before", AuditEntry(**plain)) not in hashes


def test_an_entry_committed_late_is_sealed_by_the_search_of_the_whole_record(
    database: Database, keys: Keys
) -> None:
    def add(first: int, last: int) -> None:
        facts = {"actor_kind": "system", "actor_ref": "portal", "event": "e", "subject_kind": "s"}
        rows = [
            AuditEntry(id=number, created_at=NOW, subject_ref=str(number), facts={}, **facts)
            for number in range(first, last)
        ]
        database.write(lambda session: session.add_all(rows))

    def sealed(look_back: int | None) -> int:
        return database.write(lambda session: seal(session, keys=keys, look_back=look_back))

    add(10, 15)
    assert sealed(3) == 5
    add(2, 3)
    add(15, 16)

    assert [sealed(3), sealed(3), sealed(None)] == [1, 0, 1]
    assert database.write(lambda session: verify(session, keys=keys)) is None


def test_two_sealers_make_one_chain(database: Database, keys: Keys) -> None:
    database.write(lambda session: entries(session, 40))
    barrier = threading.Barrier(2)

    def one() -> None:
        barrier.wait()
        with contextlib.suppress(DBAPIError):  # the other sealer was first: its chain stands
            database.write(lambda session: seal(session, keys=keys))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        numbers = list(connection.execute(select(AuditSeal.number).order_by(AuditSeal.number)).scalars())
    assert numbers == list(range(1, 41))
    assert database.write(lambda session: verify(session, keys=keys)) is None
