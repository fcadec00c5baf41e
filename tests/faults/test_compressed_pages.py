"""No page holds a secret and a stranger's text in one compressed answer: its length would tell the secret."""

from __future__ import annotations

import gzip

import pytest
from flask.testing import FlaskClient

from portal.db import Database
from portal.keys import Keys
from tests import people

GZIP = {"Accept-Encoding": "gzip"}
CHOSEN = "QQQQQQQQQQQQQQQQQQQQQQQQQQ"


@pytest.fixture
def lin(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> FlaskClient:
    people.sign_in(sqlite_client, sqlite_database.write(lambda session: people.lin(session, keys)))
    return sqlite_client


@pytest.mark.parametrize(
    "address", [f"/n/{CHOSEN}", f"/my/loans/{CHOSEN}", f"/my/{CHOSEN}", f"/my/pay/{CHOSEN}"]
)
def test_a_link_of_a_stranger_is_not_compressed_with_the_token(lin: FlaskClient, address: str) -> None:
    answer = lin.get(address, headers=GZIP)
    is_compressed = answer.headers.get("Content-Encoding") == "gzip"
    page = (gzip.decompress(answer.data) if is_compressed else answer.data).decode()

    assert CHOSEN in page
    assert not (is_compressed and 'name="csrf_token" value="csrf-' in page)


def test_pages_of_ones_own_and_public_ones_are_compressed(lin: FlaskClient) -> None:
    assert lin.get("/my/balance", headers=GZIP).headers["Content-Encoding"] == "gzip"

    stranger = lin.application.test_client()
    assert stranger.get(f"/n/{CHOSEN}", headers=GZIP).headers["Content-Encoding"] == "gzip"
