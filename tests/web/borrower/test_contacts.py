"""The borrower's contacts page: every contact, what is used up, a breach in kind words, and the wishes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from portal.contacts.operations import place_hold
from portal.db import Database
from portal.keys import Keys
from tests.contacts.logged import MORNING, agency, log
from tests.people import lin, sign_in, zhao

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def lin_id(sqlite_database: Database, keys: Keys) -> int:
    return sqlite_database.write(lambda session: lin(session, keys, language="en"))


def text_of(client: FlaskClient, path: str = "/my/contacts") -> str:
    answer = client.get(path, headers=ENGLISH)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_every_contact_stands_there_with_who_when_and_how(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys, lin_id: int
) -> None:
    sign_in(sqlite_client, lin_id)
    agency_id = sqlite_database.write(agency)
    log(sqlite_database, keys, lin_id, "1", -1, agency_id=agency_id, officer_ref="G10354")
    log(sqlite_database, keys, lin_id, "2", -0.5, outcome="no_answer")
    other = sqlite_database.write(lambda session: zhao(session, keys))
    log(sqlite_database, keys, other, "3", -0.5, number="13911117777")

    page = text_of(sqlite_client)

    assert "汇信资产服务有限公司" in page
    assert "G10354" in page
    assert "number ending in 0034" in page
    assert 'Calls that reached you today</dt><dd class="num">1 of 3' in page
    assert 'Unanswered calls today</dt><dd class="num">1 of 6' in page
    assert "08:00 – 22:00" in page
    assert "7777" not in page


def test_a_breach_is_told_kindly_with_the_ways_to_complain(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys, lin_id: int
) -> None:
    sign_in(sqlite_client, lin_id)
    log(sqlite_database, keys, lin_id, "1", -3)

    page = text_of(sqlite_client)

    assert "This was outside the hours that the law allows." in page
    assert "We are sorry." in page
    assert "12378" in page


def test_wishes_are_kept_and_shown_again(sqlite_client: FlaskClient, lin_id: int) -> None:
    csrf = sign_in(sqlite_client, lin_id)

    answer = sqlite_client.post(
        "/my/contacts/wishes",
        data={"csrf_token": csrf, "no_calls": "y", "opens": "18:00", "closes": "21:00"},
    )

    assert answer.status_code == 303
    page = text_of(sqlite_client)
    assert 'name="no_calls" value="y" checked' in page
    assert 'name="no_visits" value="y" checked' not in page
    assert "<option selected>18:00</option>" in page


@pytest.mark.parametrize(
    ("opens", "closes"), [("18:00", ""), ("18:00", "19:00"), ("x", "y"), ("06:00", "20:00")]
)
def test_hours_that_cannot_be_kept_are_said_and_what_was_chosen_stays(
    sqlite_client: FlaskClient, lin_id: int, opens: str, closes: str
) -> None:
    csrf = sign_in(sqlite_client, lin_id)

    answer = sqlite_client.post(
        "/my/contacts/wishes",
        data={"csrf_token": csrf, "no_visits": "y", "opens": opens, "closes": closes},
        headers=ENGLISH,
    )

    assert answer.status_code == 422
    assert "Choose both hours" in answer.text
    assert 'name="no_visits" value="y" checked' in answer.text


def test_the_balance_page_says_what_stops_the_next_step(
    sqlite_client: FlaskClient, sqlite_database: Database, lin_id: int
) -> None:
    sign_in(sqlite_client, lin_id)
    before = text_of(sqlite_client, "/my/balance")
    hold = {"borrower_id": lin_id, "kind": "stop", "reason": "plan_in_force", "source": "plan:1"}
    sqlite_database.write(lambda session: place_hold(session, now=MORNING, **hold))

    after = text_of(sqlite_client, "/my/balance")

    assert "The next step could be a reminder." in before
    assert "The next step would be a reminder. It is stopped. A plan is in force." in after
    assert "/my/contacts" in after
