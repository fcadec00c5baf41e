"""The page of what accrued since the last posting: an estimate, its sum, whose it is, and an agreed plan."""

from __future__ import annotations

import re
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts.queries import balances_for
from portal.db import Database
from portal.interest.accrual import Stop, accrued_for
from portal.keys import Keys
from portal.plans.queries import latest_plan_for
from portal.plans.terms import TermsRequest
from tests import people
from tests.web.borrower.plan_story import signed_in, story_of
from tests.web.borrower.test_balance import statements

ADDRESS = "/my/loans/L-LIN-1/accrued"


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    """Lin, who reads English."""
    return database.write(lambda session: people.lin(session, keys, language="en"))


def _text(client: FlaskClient, address: str = ADDRESS) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"</?(?:a|span)[^>]*>", "", answer.text)))


def test_it_shows_the_days_the_sum_and_that_it_is_an_estimate(
    client: FlaskClient, database: Database, lin: int
) -> None:
    people.sign_in(client, lin)

    with statements(database) as seen:
        text = _text(client)

    assert re.search(r"Estimate, not posted yet ¥ ?216 ?\.00", text)
    assert "36 days from 15 October 2026 on" in text
    assert "balance-days 372,000.00 × 18.00% ÷ 360" in text
    assert "balance-days 60,000.00 × 18.00% ÷ 360" in text
    assert "not part of what is due now" in text
    assert len(seen) <= 6, "\n\n".join(seen)
    assert f'href="{ADDRESS}"' in client.get("/my/loans/L-LIN-1").text


def test_a_card_names_no_penalty_interest(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)

    text = _text(client, "/my/loans/C-LIN-1/accrued")

    assert "72.00" in text
    assert "enalty" not in text


def test_what_is_due_now_does_not_contain_it(client: FlaskClient, database: Database, lin: int) -> None:
    with database.read() as connection:
        loan = balances_for(connection, lin).loan("L-LIN-1")
    assert loan is not None
    assert loan.due_now.minor == 1_212_000


def test_others_loans_do_not_exist(client: FlaskClient, database: Database, keys: Keys, lin: int) -> None:
    zhao = database.write(lambda session: people.zhao(session, keys))
    people.sign_in(client, zhao)

    assert client.get(ADDRESS).status_code == 404


@pytest.mark.parametrize(
    ("interest", "loan_minor", "card_minor"), [(False, 6_000, 7_200), (True, 6_000, 2_000)]
)
def test_from_the_day_of_a_plan_penalty_interest_stops(
    database: Database, lin: int, interest: bool, loan_minor: int, card_minor: int
) -> None:
    with database.read() as connection:
        loans = {one.loan_ref: one.loan_id for one in balances_for(connection, lin).loans}
        stops = dict.fromkeys(loans.values(), Stop(date(2026, 10, 25), interest=interest))

        found = accrued_for(connection, lin, as_of=date(2026, 11, 20), stops=stops)

    assert found[loans["L-LIN-1"]].total.minor == loan_minor
    assert found[loans["C-LIN-1"]].total.minor == card_minor
    assert all(line.rate for one in found.values() for line in one.lines)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (TermsRequest(count=24), "no penalty interest is counted"),
        (TermsRequest(count=24, freeze_interest=True), "neither interest nor penalty interest is counted"),
    ],
)
def test_a_plan_in_force_is_named_with_its_day(sqlite_app: Flask, request_: TermsRequest, words: str) -> None:
    lin_story = story_of(sqlite_app)
    client, _ = signed_in(sqlite_app, lin_story)
    client.set_cookie("language", "en")

    lin_story.plan(request_)

    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
    assert plan is not None
    assert plan.loans
    for ref in plan.loans:
        text = _text(client, f"/my/loans/{ref}/accrued")
        assert f"A plan is agreed: from 20 November 2026 {words}" in text


def test_in_chinese_it_is_an_estimate_too(client: FlaskClient, database: Database, keys: Keys) -> None:
    zhao = database.write(lambda session: people.zhao(session, keys))
    people.sign_in(client, zhao)

    assert "预估，尚未入账" in client.get("/my/loans/L-ZHAO-1/accrued").text
