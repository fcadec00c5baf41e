"""Signing in at the door: the whole way, and one shape of answer whether or not somebody is behind the code."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.access import codes
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from tests import people
from tests.access.doors import ID_TAIL, notice
from tests.conftest import StandingClock

STRANGER = "7KQF-3MWD-2H4N7"


@pytest.fixture
def lin_code(database: Database, keys: Keys) -> str:
    """The code of a live notice of Lin's."""
    return database.write(lambda s: notice(s, keys, people.lin(s, keys))[1])


def sent_codes(database: Database, keys: Keys) -> list[str]:
    """The one-time codes in the outbox, oldest first."""
    with database.read() as connection:
        sealed = connection.execute(select(Message.text_sealed).order_by(Message.id)).scalars().all()
    texts = [keys.unseal("message.text", one) for one in sealed if one]
    return [match.group(1) for text in texts if (match := re.search(r"#([0-9]{6})", text))]


def ask(client: FlaskClient, reference: str) -> TestResponse:
    return client.post("/sign-in", data={"reference": reference})


def answer(client: FlaskClient, code: str, id_tail: str = ID_TAIL) -> TestResponse:
    return client.post("/sign-in/code", data={"code": code, "id_tail": id_tail})


def test_a_code_an_sms_and_the_id_tail_lead_to_the_access_number_and_on(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    asked = ask(client, codes.grouped(lin_code).lower())
    assert (asked.status_code, asked.location) == (303, "/sign-in/code")

    entered = answer(client, sent_codes(database, keys)[0])
    assert (entered.status_code, entered.location) == (303, "/my/more/number")
    page = client.get("/my/more/number").get_data(as_text=True)
    shown = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", page)
    assert shown is not None
    assert shown.group() in client.get("/my/more").get_data(as_text=True)


def test_the_access_number_signs_in_and_leads_straight_to_the_balance(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str, clock: StandingClock
) -> None:
    ask(client, lin_code)
    answer(client, sent_codes(database, keys)[0])
    number = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", client.get("/my/more").get_data(as_text=True))
    assert number is not None
    clock.advance(hours=9)

    ask(client, number.group())
    entered = answer(client, sent_codes(database, keys)[-1])

    assert (entered.status_code, entered.location) == (303, "/my/balance")


def test_known_and_unknown_references_are_answered_in_one_shape(
    portal_app: Flask, database: Database, keys: Keys, lin_code: str
) -> None:
    shapes = []
    for reference in (lin_code, STRANGER):
        client = portal_app.test_client()
        asked = ask(client, reference)
        page = client.get("/sign-in/code")
        wrong = answer(client, "000000" if sent_codes(database, keys)[:1] != ["000000"] else "000001")
        again = client.post("/sign-in/again")
        shapes.append(
            [
                (
                    response.status_code,
                    sorted(set(response.headers.keys())),
                    response.location,
                    response.get_data(),
                    re.sub("(portal_browser|Expires)=[^;]*", "", response.headers.get("Set-Cookie", "")),
                )
                for response in (asked, page, wrong, again)
            ]
        )

    assert shapes[0] == shapes[1]
    assert len(sent_codes(database, keys)) == 2


def test_a_reference_of_the_wrong_form_is_said_so_and_counts_as_no_guess(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    other = "0" if lin_code[-1] != "0" else "1"
    for _ in range(40):
        mistyped = ask(client, lin_code[:-1] + other)
    assert mistyped.status_code == 422
    assert lin_code[:-1] + other in mistyped.get_data(as_text=True)

    assert ask(client, lin_code).status_code == 303
    assert len(sent_codes(database, keys)) == 1


def test_a_guesser_is_told_to_wait(sqlite_client: FlaskClient) -> None:
    for _ in range(30):
        assert ask(sqlite_client, codes.new_code()).status_code == 303

    refused = ask(sqlite_client, codes.new_code())

    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600


def test_an_incomplete_answer_uses_no_try(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    ask(client, lin_code)
    for _ in range(8):
        assert answer(client, "12345").status_code == 422
        assert answer(client, "123456", "1").status_code == 422

    assert answer(client, sent_codes(database, keys)[0]).status_code == 303


def test_five_wrong_answers_close_the_code_and_the_sixth_reads_the_same(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    ask(client, lin_code)
    right = sent_codes(database, keys)[0]
    wrong = f"{(int(right) + 1) % 10**6:06d}"

    bodies = {answer(client, wrong).get_data(as_text=True) for _ in range(5)}
    sixth = answer(client, right)

    assert len(bodies) == 1
    assert sixth.status_code == 422
    assert sixth.get_data(as_text=True).replace(right, wrong) in bodies


def test_the_code_of_one_browser_is_no_good_in_another(
    portal_app: Flask, client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    ask(client, lin_code)
    other = portal_app.test_client()

    assert answer(other, sent_codes(database, keys)[0]).location == "/sign-in"
    ask(other, STRANGER)
    assert answer(other, sent_codes(database, keys)[0]).status_code == 422


def test_who_is_signed_in_goes_on_to_the_balance(client: FlaskClient, database: Database, keys: Keys) -> None:
    people.sign_in(client, database.write(lambda s: people.lin(s, keys)))

    assert client.get("/sign-in").location == "/my/balance"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/lost", "/sign-in/out"])
def test_pages_before_signing_in_set_no_cookie(sqlite_client: FlaskClient, path: str) -> None:
    response = sqlite_client.get(path)

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


def test_the_cookies_cannot_be_read_by_scripts_and_are_bound_to_the_host_over_tls(
    client: FlaskClient, database: Database, keys: Keys, lin_code: str
) -> None:
    asked = ask(client, lin_code).headers["Set-Cookie"]
    entered = answer(client, sent_codes(database, keys)[0]).headers.getlist("Set-Cookie")

    for header in (asked, *entered):
        assert "HttpOnly" in header
        assert "SameSite=Lax" in header
        assert "Path=/" in header
        assert "Domain" not in header
