"""The desk's pages of daily money and of money without a place: read, worked, and refused where that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.payments.models import Payment, ReconciliationDifference, SuspenseMove, UnplacedMoney
from portal.reconciliation import comparison as reconciliation
from portal.reconciliation import operations as reconciling
from tests import people
from tests.payments.telling import NOW, begin, lin, said, tell

DAY = people.BUSINESS_DATE.isoformat()


@dataclass
class Desk:
    client: FlaskClient
    csrf: str
    database: Database
    keys: Keys
    source_id: int
    reference: str

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **data: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.csrf, **data})

    def as_guo(self) -> None:
        staff_id = self.database.write(lambda session: people.guo(session, self.keys))
        self.csrf = people.sign_in_staff(self.client, staff_id)

    def move(self, **changes: Any) -> TestResponse:
        data = {"kind": "place", "target": "L-LIN-1", "note": "按客户来电", "form_key": "k1"} | changes
        return self.post(f"/desk/suspense/unplaced-{self.source_id}", **data)

    def work(self, **changes: Any) -> TestResponse:
        data = {"action": "explain", "note": "渠道测试款", "version": "1"} | changes
        return self.post(f"/desk/reconciliation/differences/{self.reference}", **data)


@pytest.fixture
def desk(client: FlaskClient, database: Database, keys: Keys) -> Desk:
    """Lin was asked for 300.00 and 12,000.00 came; the day has one difference."""
    borrower_id = lin(database, keys)
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID, amount_minor=1_200_000))
    staff_id = database.write(lambda session: people.mei(session, keys))
    found = reconciliation.reconcile(
        [reconciliation.Movement("txn_1", "charge", "pi_9", 500, 3, 497)], [], [], []
    )
    moment = reconciling.Moment(NOW, people.BUSINESS_DATE, "Asia/Shanghai")

    def keep(session: Session) -> str:
        reconciling.keep(session, people.BUSINESS_DATE, "CNY", found, (0, 0), moment)
        return session.scalars(select(ReconciliationDifference.reference)).one()

    reference = database.write(keep)
    with database.read() as connection:
        source_id = connection.scalar(select(UnplacedMoney.id)) or 0
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    csrf = people.sign_in_staff(client, staff_id)
    client.set_cookie("language", "en")
    return Desk(client, csrf, database, keys, source_id, reference)


def test_the_days_one_day_and_one_difference_are_read(desk: Desk) -> None:
    days = desk.get("/desk/reconciliation").text
    day = desk.get(f"/desk/reconciliation/{DAY}/CNY").text
    one = desk.get(f"/desk/reconciliation/differences/{desk.reference}").text

    assert "20 November 2026" in days
    assert "1 amount without a place" in days
    assert "Only at the provider" in day
    assert "+ 5.00" in day
    assert "Keep the money apart" in one
    assert desk.get("/desk/reconciliation/2026-11-19/CNY").status_code == 404
    assert desk.get("/desk/reconciliation/yesterday/CNY").status_code == 404
    assert desk.get("/desk/reconciliation/differences/D-0000-00000").status_code == 404


def test_a_difference_is_explained_and_the_note_is_read(desk: Desk) -> None:
    assert desk.work().status_code == 303

    page = desk.get(f"/desk/reconciliation/differences/{desk.reference}").text
    assert "渠道测试款" in page
    assert "何敏" in page


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"version": "7"}, 409, "Somebody changed this difference a moment ago"),
        ({"note": ""}, 422, "Write down why"),
        ({"note": "4111 1111 1111 1111"}, 422, "card number must not"),
        ({"action": "lose"}, 422, "Choose what to do"),
        ({"action": "match", "other": "D-0000-00000"}, 422, "do not cancel out"),
    ],
)
def test_what_stands_against_it_is_said_and_the_note_is_kept(
    desk: Desk, changes: dict[str, str], status: int, words: str
) -> None:
    answer = desk.work(**changes)

    assert answer.status_code == status
    assert words in answer.text
    assert "4111" not in answer.text
    if "note" not in changes:
        assert "渠道测试款" in answer.text


def test_money_without_a_place_is_listed_and_above_the_limit_placed_by_two(desk: Desk) -> None:
    listed = desk.get("/desk/suspense").text
    assert "林晓" in listed
    assert "¥12,000.00" in listed

    assert desk.move().status_code == 303
    waiting = desk.get(f"/desk/suspense/unplaced-{desk.source_id}").text
    assert "Somebody else has to agree." in waiting
    with desk.database.read() as connection:
        reference = connection.scalar(select(SuspenseMove.reference))
    desk.as_guo()
    money = f"unplaced-{desk.source_id}"
    agreed = desk.post(f"/desk/suspense/moves/{reference}", word="confirm", money=money)

    assert agreed.status_code == 303
    page = desk.get(f"/desk/suspense/{money}").text
    assert "Done" in page
    assert "second: 郭立" in page
    with desk.database.read() as connection:
        assert connection.scalar(select(Payment.state)) == "posted"


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"note": ""}, 422, "Write down why"),
        ({"note": "6222 0212 3456 7890 128 4111111111111111"}, 422, "card number must not"),
        ({"target": "L-NOBODY"}, 422, "There is no such loan account"),
        ({"amount": "abc"}, 422, "Enter the amount as digits"),
    ],
)
def test_a_move_that_cannot_be_is_answered_on_the_page(
    desk: Desk, changes: dict[str, str], status: int, words: str
) -> None:
    answer = desk.move(**changes)

    assert answer.status_code == status
    assert words in answer.text
    assert "4111" not in answer.text


def test_the_desk_asks_for_a_day_that_is_one(desk: Desk) -> None:
    assert desk.post("/desk/reconciliation/run", day="soon").status_code == 400
    assert desk.post("/desk/reconciliation/run", day="2027-01-01").status_code == 400
    assert desk.get("/desk/suspense/unplaced-999").status_code == 404
    assert desk.get("/desk/suspense/elsewhere-1").status_code == 404


def test_without_an_answer_of_the_provider_nothing_changes_and_it_is_said(desk: Desk) -> None:
    asked = desk.post("/desk/reconciliation/run", day=DAY)

    assert "does not answer" in desk.get(asked.headers["Location"]).text
