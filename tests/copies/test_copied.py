"""A code that is used in more networks than one person has is never plainly genuine again, and the bank is told
once; who checks a list of real codes is stopped. Opening a link counts for nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from portal.access.limits import NETWORKS_CODE, RIGHT_CODES_NETWORK
from portal.audit import AuditEntry
from portal.copies import queries as copy_queries
from portal.db import Database
from portal.keys import Keys
from portal.notices import faces
from portal.notices.faces import NoticeFace, Tried
from portal.notices.verification import Asked, asked_for, verdict_on
from tests.conftest import BANK_MORNING
from tests.notices.made import minted, notice
from tests.people import lin

TODAY = date(2026, 11, 20)


@pytest.fixture
def asked(database: Database, keys: Keys) -> Asked:
    borrower_id = database.write(lambda session: lin(session, keys))
    made = minted(database, keys, database.write(lambda s: notice(s, borrower_id=borrower_id)))
    return asked_for(keys, made.code)


def post(database: Database, keys: Keys, asked: Asked, network: str, hours: float = 0) -> Tried:
    at = BANK_MORNING + timedelta(hours=hours)
    return database.write(lambda s: faces.try_code(s, asked, keys=keys, network=network, real_now=at))


def said(database: Database, keys: Keys, asked: Asked, network: str, hours: float = 0) -> str:
    return verdict_on(asked, post(database, keys, asked, network, hours).face, today=TODAY).value


def get(database: Database, keys: Keys, asked: Asked, network: str) -> str:
    where = keys.digest("network", network)
    with database.read() as connection:
        looked = faces.look_up(connection, asked, network_digest=where, way="link", real_now=BANK_MORNING)
    database.write(
        lambda s: faces.record_seen(s, asked, network_digest=where, way="link", real_now=BANK_MORNING)
    )
    return verdict_on(asked, looked.face, today=TODAY).value


def alarms(database: Database, event: str) -> int:
    with database.read() as connection:
        found = (
            select(func.count()).select_from(AuditEntry).where(AuditEntry.event == f"notices.{event}_alarm")
        )
        return connection.scalar(found) or 0


def test_one_code_from_200_networks_warns_from_the_sixth_on_and_tells_the_bank_once(
    database: Database, keys: Keys, asked: Asked
) -> None:
    answers = [said(database, keys, asked, f"net {n}") for n in range(200)]

    assert answers == ["genuine"] * NETWORKS_CODE.most + ["copied"] * (200 - NETWORKS_CODE.most)
    assert alarms(database, "copied") == 1
    with database.read() as connection:
        assert [row.notice_ref for row in copy_queries.copied_rows(connection, keys)] == ["N1"]
    assert said(database, keys, asked, "net 0") == "copied"
    assert get(database, keys, asked, "one more") == "copied"
    assert said(database, keys, asked, "days later", hours=72) == "copied"


def test_sign_ins_count_and_opened_links_do_not(database: Database, keys: Keys, asked: Asked) -> None:
    assert {get(database, keys, asked, f"prefetch {n}") for n in range(20)} == {"genuine"}
    for n in range(NETWORKS_CODE.most):
        database.write(
            lambda s, n=n: faces.note_sign_in(s, asked, keys=keys, network=f"net {n}", real_now=BANK_MORNING)
        )

    assert alarms(database, "copied") == 0
    assert said(database, keys, asked, "net 0") == "genuine"
    assert said(database, keys, asked, "one more") == "copied"


def test_ordinary_borrowers_are_never_warned(sqlite_database: Database, keys: Keys) -> None:
    """A thousand codes, each from three networks, many times over the days."""
    with sqlite_database.writer.begin() as connection:
        connection.execute(
            NoticeFace.__table__.insert(),
            [
                {
                    "notice_id": n,
                    "code_digest": f"c{n}",
                    "token_digest": f"t{n}",
                    "issued_on": TODAY,
                    "expires_on": TODAY,
                    "status": "live",
                    "mobile_tail": "34",
                }
                for n in range(1_000)
            ],
        )

    def all_of_them(session: object) -> set[str]:
        found = set()
        for n in range(1_000):
            asked = Asked("x", "code", f"c{n}")
            for place in ("home", "work", "mobile"):
                tried = faces.try_code(
                    session,  # type: ignore[arg-type]
                    asked,
                    keys=keys,
                    network=f"{place} {n}",
                    real_now=BANK_MORNING,
                )
                found.add(verdict_on(asked, tried.face, today=TODAY).value)
        return found

    assert sqlite_database.write(all_of_them) == {"genuine"}
    assert alarms(sqlite_database, "copied") == 0


def test_a_list_of_real_codes_is_stopped_after_ten_and_tells_nothing_more(
    database: Database, keys: Keys
) -> None:
    borrower_id = database.write(lambda session: lin(session, keys))
    numbers = [
        database.write(lambda s, n=n: notice(s, borrower_id=borrower_id, notice_ref=f"N{n}"))
        for n in range(50)
    ]
    real = [asked_for(keys, minted(database, keys, number).code) for number in numbers]

    tried = [post(database, keys, asked, "a thief") for asked in real]

    answered = [one for one in tried if one.face is not None]
    assert len(answered) == RIGHT_CODES_NETWORK.most
    assert all(one == Tried(None, asks_tail=True) for one in tried[RIGHT_CODES_NETWORK.most :])
    assert alarms(database, "many_codes") == 1
    assert post(database, keys, asked_for(keys, "0" * 13), "a thief") == tried[-1]
    assert post(database, keys, real[0], "a thief").face is not None
    assert post(database, keys, real[20], "somebody else").face is not None
    assert post(database, keys, real[30], "a thief", hours=1).face is not None
