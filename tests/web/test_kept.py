"""Kept pages: quick again, never old, never somebody else's."""

from __future__ import annotations

import gzip
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.models import Loan
from portal.accounts.operations import post_payment
from portal.db import Database
from portal.keys import Keys
from portal.web.borrower import balance
from tests import people
from tests.conftest import StandingClock

PACKED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def lin(database: Database, keys: Keys, client: FlaskClient) -> int:
    borrower_id = database.write(lambda session: people.lin(session, keys))
    people.sign_in(client, borrower_id)
    return borrower_id


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates rendered by the balance door."""
    names: list[str] = []
    render = balance.render_template

    def noted(name: str, **facts: object) -> str:
        names.append(name)
        return render(name, **facts)

    monkeypatch.setattr(balance, "render_template", noted)
    return names


def csrf_of(page: str) -> str:
    """The token in the forms of a page."""
    return re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)  # type: ignore[union-attr]


def loan_of(database: Database, borrower_id: int) -> int:
    """One loan of this borrower."""
    with database.read() as connection:
        found = connection.execute(select(Loan.id).where(Loan.borrower_id == borrower_id).limit(1))
        return int(found.scalar_one())


def test_the_same_page_again_is_not_made_again(client: FlaskClient, lin: int, made: list[str]) -> None:
    first = client.get("/my/balance", headers=PACKED)
    again = client.get("/my/balance", headers=PACKED)
    plain = client.get("/my/balance")
    assert made == ["borrower/balance/page.html"]
    assert first.data == again.data
    assert gzip.decompress(again.data) == plain.data


def test_a_payment_shows_at_once(
    client: FlaskClient, lin: int, database: Database, clock: StandingClock
) -> None:
    before = client.get("/my/balance").text
    loan = loan_of(database, lin)
    database.write(
        lambda session: post_payment(
            session,
            loan_id=loan,
            parts={"principal": 12345},
            suspense_minor=0,
            posted_on=clock.today(),
            payment_id=None,
            line_ref="T1",
            memo="",
            now=clock.now(),
        )
    )
    after = client.get("/my/balance").text
    assert after != before


def test_language_and_the_minute_make_another_page(
    client: FlaskClient, lin: int, made: list[str], clock: StandingClock
) -> None:
    client.get("/my/balance")
    client.set_cookie("language", "en")
    assert 'lang="en' in client.get("/my/balance").text
    clock.advance(minutes=1)
    client.get("/my/balance")
    assert len(made) == 3


def test_another_session_of_the_same_person_has_its_own_page(
    portal_app: Flask, client: FlaskClient, lin: int, made: list[str]
) -> None:
    other = portal_app.test_client()
    people.sign_in(other, lin, device="tablet")
    for reader in (client, other, client, other):
        assert reader.get("/my/balance").status_code == 200
    assert len(made) == 2


def test_after_signing_out_nothing_is_shown(client: FlaskClient, lin: int) -> None:
    page = client.get("/my/balance").text
    client.post("/my/more/sign-out", data={"csrf_token": csrf_of(page)})
    assert client.get("/my/balance").status_code == 303
