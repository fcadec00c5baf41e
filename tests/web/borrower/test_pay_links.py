"""Paying by others, by transfer, and on paper: the borrower's pages of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.payments.models import PayLink, Payment
from portal.payments.references import transfer_reference
from tests import people
from tests.payments.telling import begin, lin, said, tell


class Lin:
    """Lin, signed in."""

    def __init__(self, client: FlaskClient, database: Database, keys: Keys) -> None:
        self.client, self.database, self.keys = client, database, keys
        self.borrower_id = lin(database, keys, language="en")
        self.csrf = people.sign_in(client, self.borrower_id)

    def make(self, **changes: Any) -> TestResponse:
        data = {"loan": "L-LIN-1", "kind": "fixed", "amount": "300", "days": "14", "label": "my sister"}
        return self.post("/my/pay/someone-else", form_key="k1", **(data | changes))

    def post(self, path: str, **data: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.csrf, **data})

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)


@pytest.fixture
def person(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Lin:
    return Lin(sqlite_client, sqlite_database, keys)


def test_a_link_is_made_shown_with_its_code_and_taken_back(person: Lin) -> None:
    made = person.make()
    page = person.get(made.headers["Location"]).text
    token = re.search(r"/pay/([0-9A-Z]{26})", page)

    assert token
    assert "<svg" in page
    assert "my sister" in person.get("/my/pay/someone-else").text
    assert person.client.get(f"/pay/{token[1]}").status_code == 200
    assert person.post(made.headers["Location"] + "/revoke").status_code == 303
    assert "Taken back" in person.get(made.headers["Location"]).text


def test_the_days_are_read_as_people_type_them(person: Lin) -> None:
    made = person.make(days=" ７ ")

    assert made.status_code == 303
    assert "27 November 2026" in person.get(made.headers["Location"]).text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "13000"}, "At most ¥12,120.00 is left to pay there."),
        ({"amount": ""}, "Enter an amount."),
        ({"loan": "L-ZHAO-1"}, "Choose the loan account the money is for."),
        ({"days": "900"}, "Enter a whole number from 1 to 60."),
        ({"label": "x" * 41}, "Please write at most 40 characters."),
        ({"kind": "all"}, "Choose what can be paid with it."),
        ({"label": "4111111111111111"}, "A card number must not be written here"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_no_link_is_made(
    person: Lin, changes: dict[str, str], words: str
) -> None:
    answer = person.make(**changes)

    assert answer.status_code == 422
    assert words in answer.text
    with person.database.read() as connection:
        assert connection.scalars(select(PayLink.id)).all() == []


def test_nobody_sees_or_takes_back_anothers_link(person: Lin) -> None:
    address = person.make().headers["Location"]
    zhao = person.database.write(lambda session: people.zhao(session, person.keys))
    person.csrf = people.sign_in(person.client, zhao)

    assert person.get(address).status_code == 404
    assert person.post(f"{address}/revoke").status_code == 404


def test_the_transfer_has_every_part_to_copy_and_a_code_for_the_amount(person: Lin) -> None:
    page = person.get("/my/pay/transfer/L-LIN-1").text

    reference = transfer_reference(person.keys, "L-LIN-1")
    assert f'data-copy="{reference}"' in page
    assert 'data-copy="12120.00"' in page
    assert "<svg" in page
    assert f"amount=12120.00&amp;note={reference}" in page
    assert "amount=50.00&amp;note" in person.get("/my/pay/transfer/L-LIN-1?amount=50").text
    wrong = person.get("/my/pay/transfer/L-LIN-1?amount=abc")
    assert (wrong.status_code, "harbourbank://" in wrong.text) == (422, False)
    assert person.get("/my/pay/transfer/L-ZHAO-1").status_code == 404
    assert "/my/pay/transfer/L-LIN-1" in person.get("/my/pay").text


def test_the_receipt_shows_each_step_once_the_money_is_credited(person: Lin) -> None:
    attempt = begin(person.database, person.borrower_id)
    address = f"/my/pay/{attempt.reference}/receipt"
    assert person.get(address).status_code == 404

    tell(person.database, person.keys, said(attempt, Report.PAID))
    page = person.get(address).text

    assert attempt.reference in page
    assert "180.00" in page  # the last step: principal
    assert "Civil Code, article 561" in page
    assert f'href="{address}"' in person.get(f"/my/pay/{attempt.reference}").text


def test_a_payment_by_somebody_else_says_so(person: Lin) -> None:
    person.make()
    attempt = begin(person.database, person.borrower_id)
    with person.database.read() as connection:
        link_id = connection.scalar(select(PayLink.id))
    person.database.write(lambda session: session.execute(update(Payment).values(pay_link_id=link_id)))
    tell(person.database, person.keys, said(attempt, Report.PAID))

    assert "Somebody else, through your link" in person.get(f"/my/pay/{attempt.reference}").text
    assert "paid by somebody else" in person.get("/my/pay/history").text
