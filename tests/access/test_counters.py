"""Counters: exact under concurrency, one window at a time, and without a key in clear."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from portal.access.counters import (
    count_towards,
    counted,
    forget_counters,
    give_back,
    raise_counter,
    seconds_left,
)
from portal.access.limits import CODES_DAY, STAFF_LOGIN
from portal.access.models import Counter
from portal.db import Database
from portal.keys import Keys
from tests.access.doors import at_once

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def raised(database: Database, keys: Keys, *, key: str = "a", at: datetime = NOON) -> int:
    return database.write(
        lambda s: raise_counter(s, keys=keys, scope="test", key=key, window_seconds=3600, real_now=at)
    )


def test_each_raise_answers_the_next_number(database: Database, keys: Keys) -> None:
    assert [raised(database, keys) for _ in range(3)] == [1, 2, 3]
    assert raised(database, keys, key="b") == 1


def test_a_new_window_starts_at_one(database: Database, keys: Keys) -> None:
    raised(database, keys, at=NOON + timedelta(minutes=59, seconds=59))

    assert raised(database, keys, at=NOON + timedelta(minutes=60)) == 1


def test_twenty_raises_at_once_give_twenty_different_numbers(database: Database, keys: Keys) -> None:
    answers = at_once(20, lambda _: raised(database, keys))

    assert sorted(answers) == list(range(1, 21))


def test_the_key_is_stored_as_a_digest_only(database: Database, keys: Keys) -> None:
    raised(database, keys, key="203.0.113.7")

    with database.read() as connection:
        row = connection.execute(select(Counter.__table__)).one()
    assert "203.0.113.7" not in repr(row)


def test_what_is_given_back_never_goes_below_zero(database: Database, keys: Keys) -> None:
    def unit(session) -> list[int]:  # type: ignore[no-untyped-def]
        seen = []
        count_towards(session, keys=keys, limit=STAFF_LOGIN, key="x", real_now=NOON)
        for _ in range(3):
            give_back(session, keys=keys, limit=STAFF_LOGIN, key="x", real_now=NOON)
            seen.append(counted(session, keys=keys, limit=STAFF_LOGIN, key="x", real_now=NOON))
        return seen

    assert database.write(unit) == [0, 0, 0]


def test_old_windows_are_forgotten_and_the_present_kept(database: Database, keys: Keys) -> None:
    raised(database, keys, at=NOON - timedelta(days=3))
    raised(database, keys, at=NOON)

    database.write(lambda s: forget_counters(s, real_now=NOON))

    with database.read() as connection:
        assert [row.window_start for row in connection.execute(select(Counter.window_start))] == [NOON]


def test_a_refused_caller_is_told_when_the_window_ends() -> None:
    assert seconds_left(CODES_DAY, NOON) == 12 * 3600
