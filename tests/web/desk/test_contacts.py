"""The supervisor's list of contacts against the rules: filters, the breach, the note, and who may see it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from portal.db import Database
from portal.keys import Keys
from tests.contacts.logged import agency, log
from tests.people import guo, lin, mei, sign_in_staff

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def csrf(sqlite_database: Database, sqlite_client: FlaskClient, keys: Keys) -> str:
    """Guo, a supervisor, signed in, with a call at night by an agency and one by the bank too early."""
    lin_id = sqlite_database.write(lambda session: lin(session, keys))
    agency_id = sqlite_database.write(agency)
    log(sqlite_database, keys, lin_id, "night", -11, agency_id=agency_id, officer_ref="G10354")
    log(sqlite_database, keys, lin_id, "early", -1.5)
    sqlite_client.set_cookie("language", "en")
    return sign_in_staff(sqlite_client, sqlite_database.write(lambda session: guo(session, keys)))


def test_the_list_has_filters(sqlite_client: FlaskClient, csrf: str) -> None:
    everything = sqlite_client.get("/desk/contacts").text
    agencys = sqlite_client.get("/desk/contacts?agency=A17&kind=hours").text
    noted = sqlite_client.get("/desk/contacts?state=noted").text

    assert everything.count("/desk/contacts/") >= 2
    assert 'href="/desk/contacts/1"' in agencys
    assert 'href="/desk/contacts/2"' not in agencys
    assert 'href="/desk/contacts/1"' not in noted


def test_a_breach_is_noted_and_then_the_agency_told_and_never_twice(
    sqlite_client: FlaskClient, csrf: str
) -> None:
    def work(action: str, note: str) -> int:
        data = {"csrf_token": csrf, "action": action, "note": note}
        return sqlite_client.post("/desk/contacts/1", data=data).status_code

    assert work("note", "  ") == 422
    assert work("note", "4111 1111 1111 1111") == 422
    assert work("gone", "x") == 400
    assert work("note", "=cmd looked into") == 303
    assert work("note", "again") == 409
    assert work("tell", "told them by phone") == 303
    assert work("tell", "again") == 409
    assert "told them by phone" in sqlite_client.get("/desk/contacts/1").text
    assert sqlite_client.get("/desk/contacts/99").status_code == 404


def test_the_dashboard_counts_what_nobody_worked(sqlite_client: FlaskClient, csrf: str) -> None:
    page = sqlite_client.get("/desk/dashboard", headers=ENGLISH).text

    assert 'href="/desk/contacts"' in page


def test_a_reviewer_does_not_see_the_list(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    sign_in_staff(sqlite_client, sqlite_database.write(lambda session: mei(session, keys)))

    assert sqlite_client.get("/desk/contacts").status_code == 403
