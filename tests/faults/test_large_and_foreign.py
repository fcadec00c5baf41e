"""Requests too large to read, and Host names that are not ours: refused early, repeated nowhere."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.db import Database
from portal.keys import Keys
from portal.web.security import LARGEST_FORM
from tests import people

FOREIGN = "evil.example"


@pytest.mark.parametrize(
    "address", ["/check", "/not-me", "/sign-in", "/preferences", "/desk/sign-in", "/my/documents"]
)
def test_a_stranger_cannot_make_us_read_a_large_form(sqlite_client: FlaskClient, address: str) -> None:
    as_form = sqlite_client.post(address, data={"code": "x" * LARGEST_FORM})
    as_file = sqlite_client.post(address, data={"files": (io.BytesIO(b"x" * LARGEST_FORM), "a.jpg")})

    assert (as_form.status_code, as_file.status_code) == (413, 413)


def test_a_borrower_sends_files_but_no_large_form(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    token = people.sign_in(sqlite_client, sqlite_database.write(lambda session: people.lin(session, keys)))
    fields = {"csrf_token": token, "kind": "other"}

    as_form = sqlite_client.post("/my/documents", data={**fields, "x": "x" * LARGEST_FORM})
    as_file = sqlite_client.post(
        "/my/documents", data={**fields, "files": (io.BytesIO(b"GIF8" + b"x" * LARGEST_FORM), "a.gif")}
    )
    elsewhere = sqlite_client.post(
        "/my/more/language", data={**fields, "files": (io.BytesIO(b"x" * LARGEST_FORM), "a.gif")}
    )

    assert (as_form.status_code, as_file.status_code, elsewhere.status_code) == (413, 422, 413)


@pytest.mark.parametrize(
    "address", ["/my", "//my/balance", "/static//portal.css", "/my/balance", "/check", "/nope"]
)
def test_no_answer_repeats_a_foreign_host(sqlite_client: FlaskClient, address: str) -> None:
    answer = sqlite_client.get(
        f"http://{FOREIGN}{address}", headers={"X-Forwarded-Host": FOREIGN, "Forwarded": f"host={FOREIGN}"}
    )

    assert FOREIGN not in answer.get_data(as_text=True)
    assert FOREIGN not in str(answer.headers)


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "//[",
        "/\r\nX-Evil: 1",
        "/" + "a" * 600,
    ],
)
def test_the_way_back_is_a_path_of_ours(sqlite_client: FlaskClient, back: str) -> None:
    answer = sqlite_client.post("/preferences", data={"back": back, "language": "en"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("back", ["/", "/my/loans/L-LIN-1", "/n/7KQF 3MWD", "/help"])
def test_the_way_back_leads_where_the_choice_was_made(sqlite_client: FlaskClient, back: str) -> None:
    answer = sqlite_client.post("/preferences", data={"back": back, "language": "en"})

    assert answer.headers["Location"] == back.replace(" ", "%20")


def test_static_files_carry_the_policy_too(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()

    for address in ("/static/portal.css", "/static/favicon.svg", "/static/nope"):
        answer = client.get(address)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/desk/\r\nX-Evil: 1", "/desk/\\evil.example", "/desk/" + "a" * 600]
)
def test_the_way_on_after_signing_in_is_a_page_of_the_desk(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys, wanted: str
) -> None:
    people.sign_in_staff(sqlite_client, sqlite_database.write(lambda session: people.mei(session, keys)))

    answer = sqlite_client.get("/desk/sign-in", query_string={"next": wanted})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk")
