"""Staff: password and TOTP together, each TOTP step once, a wait after failures, and gone means gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from portal.access import limits, passwords, queries, sessions, staff
from portal.access.models import Staff
from portal.access.operations import TryLater
from portal.audit import Actor, AuditEntry
from portal.db import Database
from portal.keys import Keys
from tests.access.doors import at_once

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PASSWORD = "many small harbours"
OPERATOR = Actor("operator", "test")


@pytest.fixture
def mei(database: Database, keys: Keys) -> staff.NewStaff:
    return add(database, keys)


def add(database: Database, keys: Keys, login: str = "mei", role: str = "reviewer") -> staff.NewStaff:
    return database.write(
        lambda s: staff.add_staff(
            s,
            keys=keys,
            login=login,
            name="何敏",
            human_ref="H-1",
            role=role,
            language="zh",
            password=PASSWORD,
            actor=OPERATOR,
            real_now=NOW,
        )
    )


def knock(
    database: Database, keys: Keys, *, login: str = "mei", network: str = "a", now: datetime = NOW
) -> staff.Knock | TryLater:
    return database.write(lambda s: staff.knock(s, keys=keys, login=login, network=network, real_now=now))


def enter(
    database: Database,
    keys: Keys,
    totp: str,
    *,
    password: str = PASSWORD,
    login: str = "mei",
    network: str = "a",
    now: datetime = NOW,
) -> sessions.OpenedSession | TryLater | None:
    knocked = knock(database, keys, login=login, network=network, now=now)
    if isinstance(knocked, TryLater):
        return knocked
    if not passwords.matches(knocked.password_hash, password):
        return None
    return database.write(lambda s: staff.enter(s, keys=keys, knocked=knocked, totp=totp, real_now=now))


def code(mei: staff.NewStaff, now: datetime = NOW) -> str:
    return passwords.totp_at(mei.totp_secret, now)


def lives(database: Database, keys: Keys, opened: object) -> queries.StaffSession | None:
    assert isinstance(opened, sessions.OpenedSession)
    with database.read() as connection:
        return queries.staff_session(connection, sessions.session_digest(keys, opened.cookie), real_now=NOW)


def test_password_and_code_open_a_session(database: Database, keys: Keys, mei: staff.NewStaff) -> None:
    found = lives(database, keys, enter(database, keys, code(mei), login=" MEI "))

    assert found is not None
    assert (found.staff_id, found.role, found.human_ref) == (mei.staff_id, "reviewer", "H-1")


@pytest.mark.parametrize("drift", [-30, 0, 30])
def test_a_phone_one_step_off_is_let_in(
    database: Database, keys: Keys, mei: staff.NewStaff, drift: int
) -> None:
    assert enter(database, keys, code(mei, NOW + timedelta(seconds=drift))) is not None


@pytest.mark.parametrize("drift", [-90, -60, 60, 90])
def test_two_steps_off_is_refused(database: Database, keys: Keys, mei: staff.NewStaff, drift: int) -> None:
    assert enter(database, keys, code(mei, NOW + timedelta(seconds=drift))) is None


def test_wrong_password_wrong_code_and_unknown_login_read_the_same(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    wrong_code = f"{(int(code(mei)) + 500_000) % 10**6:06d}"

    assert enter(database, keys, code(mei), password="wrong wrong wrong") is None
    assert enter(database, keys, wrong_code) is None
    assert enter(database, keys, code(mei), login="nobody") is None


def test_a_code_works_once_also_twenty_times_at_once(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    knocked = knock(database, keys)
    assert isinstance(knocked, staff.Knock)

    answers = at_once(
        20,
        lambda _: database.write(
            lambda s: staff.enter(s, keys=keys, knocked=knocked, totp=code(mei), real_now=NOW)
        ),
    )

    assert sum(answer is not None for answer in answers) == 1
    assert enter(database, keys, code(mei)) is None
    assert enter(database, keys, code(mei, NOW + timedelta(seconds=30))) is not None


def test_an_earlier_step_is_not_taken_after_a_later_one(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    assert enter(database, keys, code(mei)) is not None
    assert enter(database, keys, code(mei, NOW - timedelta(seconds=30))) is None


def test_failures_mean_a_wait_here_and_none_elsewhere(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    for _ in range(limits.STAFF_LOGIN.most):
        assert enter(database, keys, code(mei), password="wrong wrong wrong") is None

    assert enter(database, keys, code(mei)) == TryLater(300)
    assert enter(database, keys, code(mei), network="b") is not None
    after = NOW + timedelta(seconds=300)
    assert enter(database, keys, code(mei, after), now=after) is not None


def test_forty_guesses_at_once_from_one_network_reach_the_password_five_times(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    answers = at_once(40, lambda _: knock(database, keys))

    assert sum(isinstance(answer, staff.Knock) for answer in answers) == limits.STAFF_LOGIN.most


def test_successes_are_no_failures(database: Database, keys: Keys, mei: staff.NewStaff) -> None:
    for step in range(limits.STAFF_LOGIN.most + 3):
        now = NOW + timedelta(seconds=30 * step)
        assert isinstance(enter(database, keys, code(mei, now), now=now), sessions.OpenedSession)


def test_who_has_left_is_out_at_the_next_request(database: Database, keys: Keys, mei: staff.NewStaff) -> None:
    opened = enter(database, keys, code(mei))

    database.write(lambda s: staff.staff_left(s, login="mei", actor=OPERATOR, real_now=NOW))

    assert lives(database, keys, opened) is None
    later = NOW + timedelta(seconds=30)
    assert enter(database, keys, code(mei, later), now=later) is None


def test_a_changed_role_counts_at_the_next_request(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    opened = enter(database, keys, code(mei))

    database.write(lambda s: staff.set_role(s, login="mei", role="operator", actor=OPERATOR, real_now=NOW))

    found = lives(database, keys, opened)
    assert found is not None
    assert found.role == "operator"


def test_a_reset_ends_the_sessions_and_the_old_secret(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    opened = enter(database, keys, code(mei))

    new = database.write(
        lambda s: staff.reset_staff(
            s, keys=keys, login="mei", password="another fine harbour", actor=OPERATOR, real_now=NOW
        )
    )

    later = NOW + timedelta(seconds=30)
    assert lives(database, keys, opened) is None
    assert new.totp_secret != mei.totp_secret
    assert enter(database, keys, code(new, later), now=later) is None
    assert enter(database, keys, code(new, later), password="another fine harbour", now=later) is not None


def test_a_login_is_given_once(database: Database, keys: Keys, mei: staff.NewStaff) -> None:
    with pytest.raises(staff.LoginTaken):
        add(database, keys, login="Mei ")


def test_a_short_password_and_an_unknown_role_are_refused(database: Database, keys: Keys) -> None:
    with pytest.raises(passwords.TooShort):
        passwords.hash_password("eleven char")
    with pytest.raises(ValueError, match="role"):
        add(database, keys, role="director")


def test_neither_password_nor_secret_is_stored_or_recorded(
    database: Database, keys: Keys, mei: staff.NewStaff
) -> None:
    with database.read() as connection:
        stored = repr(connection.execute(select(Staff.__table__)).all())
        recorded = repr(connection.execute(select(AuditEntry.facts, AuditEntry.event)).all())
    assert mei.totp_secret not in stored + recorded
    assert PASSWORD not in stored + recorded
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert "access.staff_added" in recorded


def test_an_unknown_login_costs_a_password_check_too() -> None:
    assert passwords.matches(None, PASSWORD) is False
    assert passwords.NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
