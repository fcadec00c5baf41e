"""*This is not me*: one tap stops messages to that number, and says nothing about anybody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.access import codes
from portal.access.limits import WRONG_CODES_NETWORK
from portal.contacts.queries import holds_in_force
from portal.db import Database
from portal.keys import Keys
from portal.notices.faces import WrongPerson
from portal.notices.operations import MintedCode
from tests.notices.made import minted, notice, typed
from tests.people import lin

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return database.write(lambda session: lin(session, keys))


@pytest.fixture
def held(client: FlaskClient, database: Database, keys: Keys, borrower_id: int) -> MintedCode:
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return minted(database, keys, database.write(lambda s: notice(s, borrower_id=borrower_id)))


def reports(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(WrongPerson)) or 0


@pytest.mark.parametrize("way", ["code", "token"])
def test_one_tap_keeps_the_report_and_stops_messages(
    client: FlaskClient, database: Database, borrower_id: int, held: MintedCode, way: str
) -> None:
    for _ in range(2):
        page = client.post("/not-me", data={"reference": typed(getattr(held, way))})
        assert page.status_code == 200
        assert "We stop writing to this number" in page.text
        assert "ending in 34" in page.text

    assert reports(database) == 1
    with database.read() as connection:
        (hold,) = holds_in_force(connection, borrower_id, now=NOW)
    assert (hold.kind, hold.reason, hold.ends_at) == ("pause", "wrong_number", None)


def test_opening_the_page_reports_nothing(
    client: FlaskClient, database: Database, borrower_id: int, held: MintedCode
) -> None:
    assert client.get("/not-me", query_string={"reference": held.code}).status_code == 200

    assert reports(database) == 0


def test_a_code_that_is_not_ours_is_answered_kindly_and_counted(
    client: FlaskClient, database: Database, held: MintedCode
) -> None:
    wrong = codes.with_check("000000000000")
    for _ in range(WRONG_CODES_NETWORK.most):
        page = client.post("/not-me", data={"reference": wrong})
        assert page.status_code == 200
        assert "We have no message with this code" in page.text

    assert client.post("/not-me", data={"reference": held.code}).status_code == 429
    assert reports(database) == 0
