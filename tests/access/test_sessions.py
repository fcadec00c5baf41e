"""Sessions: they end by idleness, by age and by hand, and nothing brings one back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from portal.access import queries, sessions
from portal.access.limits import BORROWER_SESSION, STAFF_SESSION
from portal.access.models import PortalSession
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.access.doors import at_once

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    return database.write(lambda s: people.lin(s, keys))


def opened(database: Database, keys: Keys, borrower_id: int, now: datetime = NOW) -> str:
    made = database.write(
        lambda s: sessions.open_session(s, keys=keys, borrower_id=borrower_id, real_now=now)
    )
    return sessions.session_digest(keys, made.cookie)


def lives(database: Database, digest: str, now: datetime) -> bool:
    with database.read() as connection:
        return queries.borrower_session(connection, digest, real_now=now) is not None


def touch(database: Database, digest: str, now: datetime) -> bool:
    return database.write(lambda s: sessions.touch_session(s, digest=digest, real_now=now))


def end(database: Database, digest: str, now: datetime = NOW) -> bool:
    return database.write(lambda s: sessions.end_session(s, digest=digest, real_now=now))


def test_a_session_names_its_person_and_language(database: Database, keys: Keys, lin: int) -> None:
    digest = opened(database, keys, lin)

    with database.read() as connection:
        found = queries.borrower_session(connection, digest, real_now=NOW)
    assert found is not None
    assert (found.borrower_id, found.language, found.session_digest) == (lin, "zh", digest)


def test_it_ends_after_twenty_idle_minutes_and_use_prolongs_it(
    database: Database, keys: Keys, lin: int
) -> None:
    digest = opened(database, keys, lin)
    almost = NOW + BORROWER_SESSION.idle - timedelta(seconds=1)

    assert lives(database, digest, almost)
    assert not lives(database, digest, NOW + BORROWER_SESSION.idle)

    touch(database, digest, almost)
    assert lives(database, digest, almost + BORROWER_SESSION.idle - timedelta(seconds=1))


def test_it_ends_after_eight_hours_of_constant_use(database: Database, keys: Keys, lin: int) -> None:
    digest = opened(database, keys, lin)
    now = NOW
    while now < NOW + BORROWER_SESSION.absolute - timedelta(minutes=10):
        now += timedelta(minutes=10)
        touch(database, digest, now)

    assert lives(database, digest, NOW + BORROWER_SESSION.absolute - timedelta(seconds=1))
    assert not lives(database, digest, NOW + BORROWER_SESSION.absolute)
    assert not touch(database, digest, NOW + BORROWER_SESSION.absolute)


def test_a_late_touch_does_not_revive_an_ended_session(database: Database, keys: Keys, lin: int) -> None:
    digest = opened(database, keys, lin)

    assert end(database, digest)
    assert not touch(database, digest, NOW + timedelta(minutes=1))
    assert not lives(database, digest, NOW + timedelta(minutes=1))
    assert not end(database, digest)


def test_ending_while_twenty_requests_touch_it_leaves_it_ended(
    database: Database, keys: Keys, lin: int
) -> None:
    digest = opened(database, keys, lin)

    def act(number: int) -> bool:
        if number == 10:
            return end(database, digest)
        return touch(database, digest, NOW + timedelta(seconds=number + 1))

    at_once(20, act)

    assert not lives(database, digest, NOW + timedelta(minutes=1))


def test_signing_out_elsewhere_keeps_this_session_and_other_people(
    database: Database, keys: Keys, lin: int
) -> None:
    zhao = database.write(lambda s: people.zhao(s, keys))
    here, there, zhaos = (
        opened(database, keys, lin),
        opened(database, keys, lin),
        opened(database, keys, zhao),
    )

    ended = database.write(lambda s: sessions.end_other_sessions(s, borrower_id=lin, keep=here, real_now=NOW))

    assert ended == 1
    assert [lives(database, digest, NOW) for digest in (here, there, zhaos)] == [True, False, True]


def test_a_borrower_sees_which_sign_ins_are_open_and_which_is_this_one(
    database: Database, keys: Keys, lin: int
) -> None:
    opened(database, keys, lin, NOW - timedelta(hours=5))
    there = opened(database, keys, lin, NOW - timedelta(minutes=5))
    here = opened(database, keys, lin)

    with database.read() as connection:
        seen = queries.sign_ins_for(connection, lin, here=here, real_now=NOW)
    assert [(one.is_here, one.is_open) for one in seen] == [(True, True), (False, True), (False, False)]
    end(database, there)
    with database.read() as connection:
        assert not queries.sign_ins_for(connection, lin, here=here, real_now=NOW)[1].is_open


def test_a_borrowers_session_opens_no_desk_and_the_other_way_round(
    database: Database, keys: Keys, lin: int
) -> None:
    mei = database.write(lambda s: people.mei(s, keys))
    borrower = opened(database, keys, lin)
    made = database.write(lambda s: sessions.open_session(s, keys=keys, staff_id=mei, real_now=NOW))
    staff = sessions.session_digest(keys, made.cookie)

    with database.read() as connection:
        assert queries.staff_session(connection, borrower, real_now=NOW) is None
        assert queries.borrower_session(connection, staff, real_now=NOW) is None
        assert queries.staff_session(connection, staff, real_now=NOW) is not None
        late = NOW + STAFF_SESSION.idle
        assert queries.staff_session(connection, staff, real_now=late) is None


def test_the_cookie_is_not_in_the_database(database: Database, keys: Keys, lin: int) -> None:
    made = database.write(lambda s: sessions.open_session(s, keys=keys, borrower_id=lin, real_now=NOW))

    with database.read() as connection:
        assert made.cookie not in repr(connection.execute(select(PortalSession.__table__)).all())
