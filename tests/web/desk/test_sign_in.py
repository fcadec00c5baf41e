"""The desk's door: all three or nothing, one answer for every failure, and out when one has left."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from portal.access import passwords, staff
from portal.access.models import Staff
from portal.audit import Actor
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.conftest import StandingClock

PASSWORD = "many small harbours"
OPERATOR = Actor("operator", "test")


@pytest.fixture
def mei(database: Database, keys: Keys, clock: StandingClock) -> staff.NewStaff:
    """Mei, with a password and a phone."""
    return database.write(
        lambda s: staff.add_staff(
            s,
            keys=keys,
            login="mei",
            name="何敏",
            human_ref="H-1",
            role="reviewer",
            language="zh",
            password=PASSWORD,
            actor=OPERATOR,
            real_now=clock.real_now(),
        )
    )


def enter(client: FlaskClient, totp: str, *, login: str = "mei", password: str = PASSWORD) -> TestResponse:
    return client.post("/desk/sign-in", data={"login": login, "password": password, "totp": totp})


def test_all_three_lead_to_the_queue(client: FlaskClient, mei: staff.NewStaff, clock: StandingClock) -> None:
    entered = enter(client, passwords.totp_at(mei.totp_secret, clock.real_now()))

    assert (entered.status_code, entered.location) == (303, "/desk")
    assert "HttpOnly" in entered.headers["Set-Cookie"]
    assert client.get("/desk/sign-in").location == "/desk"


@pytest.mark.parametrize(
    ("method", "asked", "then"),
    [
        ("GET", "/desk/dashboard", "/desk/dashboard"),
        ("GET", "/desk?state=ours&sort=-due", "/desk?state=ours&sort=-due"),
        ("POST", "/desk/cases/K-0000-0000/decide", "/desk/cases/K-0000-0000"),
        ("POST", "/desk/claim", "/desk"),
    ],
)
def test_signing_in_leads_back_to_where_one_was(
    client: FlaskClient, mei: staff.NewStaff, clock: StandingClock, method: str, asked: str, then: str
) -> None:
    sent = client.open(asked, method=method)

    assert sent.status_code == 303
    page = client.get(sent.location).get_data(as_text=True)
    hidden = dict(re.findall(r'<input type="hidden" name="(next)" value="([^"]*)">', page))
    login = {
        "login": "mei",
        "password": PASSWORD,
        "totp": passwords.totp_at(mei.totp_secret, clock.real_now()),
    }
    entered = client.post(
        "/desk/sign-in", data=login | {name: unescape(value) for name, value in hidden.items()}
    )
    assert (entered.status_code, entered.location) == (303, then)


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/desk.evil", "/my", "/desk/sign-in"]
)
def test_signing_in_leads_nowhere_else(
    client: FlaskClient, mei: staff.NewStaff, clock: StandingClock, wanted: str
) -> None:
    totp = passwords.totp_at(mei.totp_secret, clock.real_now())

    entered = client.post(
        "/desk/sign-in", data={"login": "mei", "password": PASSWORD, "totp": totp, "next": wanted}
    )

    assert entered.location == "/desk"


def test_an_operator_starts_with_the_figures(
    client: FlaskClient, mei: staff.NewStaff, database: Database, clock: StandingClock
) -> None:
    database.write(lambda s: s.execute(update(Staff).values(role="operator")))

    entered = enter(client, passwords.totp_at(mei.totp_secret, clock.real_now()))

    assert entered.location == "/desk/dashboard"
    assert 'href="/desk"' not in client.get("/desk/dashboard").get_data(as_text=True).split("<nav")[1]


def test_every_failure_reads_the_same(client: FlaskClient, mei: staff.NewStaff, clock: StandingClock) -> None:
    right = passwords.totp_at(mei.totp_secret, clock.real_now())
    wrong = f"{(int(right) + 500_000) % 10**6:06d}"

    answers = [
        enter(client, right, password="wrong wrong wrong"),
        enter(client, wrong),
        enter(client, right, login="who"),
    ]

    assert {answer.status_code for answer in answers} == {422}
    bodies = {
        answer.get_data(as_text=True).replace(wrong, right).replace('value="who"', 'value="mei"')
        for answer in answers
    }
    assert len(bodies) == 1
    assert PASSWORD not in bodies.pop()


def test_a_code_works_once(client: FlaskClient, mei: staff.NewStaff, clock: StandingClock) -> None:
    code = passwords.totp_at(mei.totp_secret, clock.real_now())

    assert enter(client, code).status_code == 303
    assert enter(client, code).status_code == 422


def test_after_five_failures_there_is_a_wait(client: FlaskClient, mei: staff.NewStaff) -> None:
    for _ in range(5):
        assert enter(client, "000000", password="wrong wrong wrong").status_code == 422

    refused = enter(client, "000000")

    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 300


def test_signing_out_ends_the_session_whatever_the_cookie_does(
    client: FlaskClient, database: Database, keys: Keys
) -> None:
    token = people.sign_in_staff(client, database.write(lambda s: people.mei(s, keys)))
    kept = client.get_cookie("portal_desk")
    assert kept is not None

    out = client.post("/desk/sign-out", data={"csrf_token": token})
    client.set_cookie("portal_desk", kept.value)

    assert out.location == "/desk/sign-in"
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get("/desk").location == "/desk/sign-in"


def test_who_has_left_or_lost_the_role_is_refused_at_the_next_request(
    client: FlaskClient, database: Database, keys: Keys, clock: StandingClock
) -> None:
    mei = database.write(lambda s: people.mei(s, keys))
    people.sign_in_staff(client, mei)
    assert client.get("/desk").status_code == 200

    database.write(lambda s: s.execute(update(Staff).values(role="operator")))
    assert client.get("/desk").status_code == 403

    database.write(lambda s: s.execute(update(Staff).values(role="reviewer", left_at=clock.real_now())))
    assert client.get("/desk").location == "/desk/sign-in"
