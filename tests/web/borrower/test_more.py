"""More: the access number, the language, the sign-ins, and out for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from portal.access import operations
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.conftest import StandingClock


@pytest.fixture
def lin(database: Database, keys: Keys, clock: StandingClock) -> int:
    """Lin, who has signed in before."""

    def unit(session) -> int:  # type: ignore[no-untyped-def]
        borrower_id = people.lin(session, keys)
        operations.access_number_of(session, keys=keys, borrower_id=borrower_id, real_now=clock.real_now())
        return borrower_id

    return database.write(unit)


def language_of(database: Database) -> str:
    with database.read() as connection:
        return connection.execute(select(Borrower.language)).scalar_one()


def test_the_page_takes_three_statements(client: FlaskClient, database: Database, lin: int) -> None:
    people.sign_in(client, lin)
    statements: list[str] = []
    event.listen(database.reader, "before_cursor_execute", lambda *a: statements.append(a[2]))

    assert client.get("/my/more").status_code == 200
    assert len(statements) == 3


def test_signing_out_ends_the_session_for_good(client: FlaskClient, lin: int, clock: StandingClock) -> None:
    token = people.sign_in(client, lin)
    kept = client.get_cookie("portal_session")
    assert kept is not None

    out = client.post("/my/more/sign-out", data={"csrf_token": token})
    client.set_cookie("portal_session", kept.value)

    assert out.location == "/sign-in/out"
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get("/my/more").location == "/sign-in"
    clock.advance(seconds=1)
    assert client.post("/my/more/stay", data={"csrf_token": token}).location == "/sign-in"


def test_signing_out_elsewhere_leaves_this_browser_in(
    portal_app: Flask, client: FlaskClient, lin: int, clock: StandingClock
) -> None:
    from portal.access import sessions

    p = portal_app.extensions["portal"]
    other = portal_app.test_client()
    opened = p.db.write(
        lambda s: sessions.open_session(s, keys=p.keys, borrower_id=lin, real_now=clock.real_now())
    )
    other.set_cookie("portal_session", opened.cookie)
    token = people.sign_in(client, lin)
    assert other.get("/my/more").status_code == 200

    client.post("/my/more/sign-out-elsewhere", data={"csrf_token": token})

    assert client.get("/my/more").status_code == 200
    assert other.get("/my/more").location == "/sign-in"


def test_the_language_is_kept_in_the_account_from_here_and_from_any_page(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)

    client.post("/my/more/language", data={"csrf_token": token, "language": "zh_Hant"})
    assert language_of(database) == "zh_Hant"
    assert 'lang="zh-Hant"' in client.get("/my/more").get_data(as_text=True)

    client.post("/preferences", data={"language": "en", "back": "/my/more"})
    assert language_of(database) == "en"
    assert '<html lang="en"' in client.get("/my/more").get_data(as_text=True)


def test_an_unknown_language_changes_nothing(client: FlaskClient, database: Database, lin: int) -> None:
    token = people.sign_in(client, lin)

    client.post("/my/more/language", data={"csrf_token": token, "language": "fr"})

    assert language_of(database) == "zh"


def test_the_session_says_what_is_left_and_asking_does_not_prolong_it(
    client: FlaskClient, lin: int, clock: StandingClock
) -> None:
    token = people.sign_in(client, lin)
    clock.advance(minutes=18)

    first = client.get("/my/more/session").get_json()
    clock.advance(minutes=1)
    second = client.get("/my/more/session").get_json()

    assert (first["left"], second["left"], first["warn"]) == (120, 60, 120)
    stayed = client.post("/my/more/stay", headers={"X-CSRF-Token": token}).get_json()
    assert stayed["left"] == timedelta(minutes=20).total_seconds()


def test_a_page_is_use_and_idleness_ends_the_session(
    client: FlaskClient, lin: int, clock: StandingClock
) -> None:
    people.sign_in(client, lin)
    for _ in range(3):
        clock.advance(minutes=19)
        assert client.get("/my/more").status_code == 200

    clock.advance(minutes=20)
    assert client.get("/my/more").location == "/sign-in"


def test_the_first_number_page_sends_who_has_none_to_more(
    client: FlaskClient, database: Database, keys: Keys
) -> None:
    people.sign_in(client, database.write(lambda s: people.zhao(s, keys)))

    assert client.get("/my/more/number").location == "/my/more"


def test_a_figure_can_be_objected_to_and_the_balance_says_how(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    assert "/my/more/figures" in client.get("/my/balance").text
    page = client.get("/my/more/figures")
    assert page.status_code == 200
    assert "12378" in page.text
