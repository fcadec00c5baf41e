"""The desk's queues of wrong numbers, copied codes and networks: seen, answered once, refused kindly."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.borrowers.models import Borrower
from portal.contacts.models import Hold, WrongNumber
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.notices import faces
from portal.notices.operations import MintedCode
from portal.notices.verification import asked_for
from tests import people
from tests.conftest import BANK_MORNING, StandingClock
from tests.notices.made import minted, notice
from tests.web.borrower.test_balance import text_of


@dataclass
class Desk:
    """Lin's text message, seven readers of it, and Mei at the desk."""

    client: FlaskClient
    database: Database
    keys: Keys
    lin: int
    made: MintedCode
    csrf: str

    def check(self, code: str, network: str) -> None:
        asked = asked_for(self.keys, code)
        self.database.write(
            lambda s: faces.try_code(s, asked, keys=self.keys, network=network, real_now=BANK_MORNING)
        )

    def not_me(self) -> None:
        self.client.post("/not-me", data={"reference": self.made.code})

    def post(self, path: str, **data: str):  # type: ignore[no-untyped-def]
        return self.client.post(path, data={"csrf_token": self.csrf, "note": "asked by letter", **data})


@pytest.fixture
def desk(client: FlaskClient, database: Database, keys: Keys) -> Desk:
    client.set_cookie("language", "en")
    lin = database.write(lambda s: people.lin(s, keys))
    made = minted(database, keys, database.write(lambda s: notice(s, borrower_id=lin)))
    csrf = people.sign_in_staff(client, database.write(lambda s: people.mei(s, keys)))
    return Desk(client, database, keys, lin, made, csrf)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found[1]


def test_a_wrong_number_is_seen_answered_once_and_opened_again(desk: Desk, clock: StandingClock) -> None:
    assert "Nothing waits" in text_of(desk.client, "/desk/wrong-numbers")
    desk.not_me()
    listed = text_of(desk.client, "/desk/wrong-numbers")
    assert "ends in 0034" in listed
    assert "25 November 2026" in listed  # three working days: a Friday, so Wednesday
    page = desk.client.get("/desk/wrong-numbers/1")
    for words in ("林晓", "Still this number", "Rest until you answer", "N1", "Never"):
        assert words in page.text
    assert "13900000034" not in page.text

    same = desk.post("/desk/wrong-numbers/1", action="correct", version="1")
    assert same.status_code == 422
    assert "The core still has this number" in same.text
    assert "asked by letter" in same.text
    assert desk.post("/desk/wrong-numbers/1", action="keep", version="1", note=" ").status_code == 422
    assert desk.post("/desk/wrong-numbers/1", action="keep", version="1").status_code == 303
    assert desk.post("/desk/wrong-numbers/1", action="bar", version="1").status_code == 409
    with desk.database.read() as connection:
        assert connection.scalar(select(Hold.lifted_at)) is not None
    done = desk.client.get("/desk/wrong-numbers?show=answered").text
    assert "The number is right" in done
    clock.advance(minutes=1)
    desk.not_me()
    assert "ends in 0034" in text_of(desk.client, "/desk/wrong-numbers")
    assert desk.post("/desk/wrong-numbers/1", action="bar", version="3").status_code == 303
    assert "Stopped for good" in text_of(desk.client, "/desk/wrong-numbers/1")
    assert "B2107" in text_of(desk.client, "/desk/wrong-numbers/1")


def test_a_number_the_core_has_corrected_can_be_answered_so(desk: Desk) -> None:
    desk.not_me()
    digest = desk.keys.digest("phone", "13900000099")
    desk.database.write(lambda s: s.execute(update(Borrower).values(phone_digest=digest)))

    assert "the core has another number" in text_of(desk.client, "/desk/wrong-numbers")
    assert desk.post("/desk/wrong-numbers/1", action="correct", version="1").status_code == 303
    with desk.database.read() as connection:
        assert connection.scalar(select(WrongNumber.state)) == "corrected"


def test_what_waits_too_long_says_so(desk: Desk, clock: StandingClock) -> None:
    desk.not_me()
    clock.advance(days=6)
    people.sign_in_staff(desk.client, 1)

    assert "Late" in text_of(desk.client, "/desk/wrong-numbers")


def test_a_copied_code_is_replaced_from_the_desk(desk: Desk) -> None:
    for n in range(7):
        desk.check(desk.made.code, f"net {n}")
    assert "Codes that may have been copied 1" in text_of(desk.client, "/desk/fakes")
    assert "N1" in text_of(desk.client, "/desk/copied")
    page = desk.client.get("/desk/copied/1").text
    seen = hidden(page, "seen_at")

    assert desk.post("/desk/copied/1", action="reissue", seen_at=seen, note="").status_code == 422
    assert desk.post("/desk/copied/1", action="reissue", seen_at="x").status_code == 400
    done = desk.post("/desk/copied/1", action="reissue", seen_at=seen)
    assert done.status_code == 303
    assert "The code is replaced" in text_of(desk.client, done.location)
    late = desk.post("/desk/copied/1", action="clear", seen_at=seen)
    assert "answered meanwhile" in text_of(desk.client, late.location)
    assert desk.client.get("/desk/copied/1").status_code == 404
    assert "We sent this message and have taken it back" in desk.client.get(f"/n/{desk.made.token}").text
    with desk.database.read() as connection:
        kinds = list(connection.scalars(select(Message.kind).order_by(Message.id)))
        assert kinds == ["code_replaced", "notice"]


def test_a_copied_code_is_cleared_from_the_desk(desk: Desk) -> None:
    for n in range(7):
        desk.check(desk.made.code, f"net {n}")
    page = desk.client.get("/desk/copied/1").text
    assert "until it is used in 5 networks more" in page
    assert desk.post("/desk/copied/1", action="clear", seen_at=hidden(page, "seen_at")).status_code == 303
    assert "This message is from us" in desk.client.get(f"/n/{desk.made.token}").text


def test_a_network_with_a_list_is_answered_from_the_desk(desk: Desk) -> None:
    for n in range(12):
        number = desk.database.write(
            lambda s, n=n: notice(s, borrower_id=desk.lin, notice_ref=f"T{n}", channel="letter")
        )
        desk.check(minted(desk.database, desk.keys, number).code, "a thief")
    assert "Networks with many codes 1" in text_of(desk.client, "/desk/fakes")
    page = text_of(desk.client, "/desk/networks/1")
    assert "T11" in page
    assert "asked for the mobile's end" in page.replace("&#39;", "'")

    assert desk.post("/desk/networks/1", action="distrust", version="1").status_code == 303
    assert desk.post("/desk/networks/1", action="share", version="1").status_code == 409
    assert "Codes that may have been copied 12" in text_of(desk.client, "/desk/copied")
    assert "A list of codes" in text_of(desk.client, "/desk/networks?show=answered")


@pytest.mark.parametrize("path", ["/desk/wrong-numbers", "/desk/copied", "/desk/networks"])
def test_only_reviewers_and_supervisors_see_the_queues(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys, path: str
) -> None:
    operator = sqlite_database.write(
        lambda s: people.staff(s, keys, staff_ref="B9001", name="周", role="operator")
    )
    people.sign_in_staff(sqlite_client, operator)
    assert sqlite_client.get(path).status_code == 403
    assert sqlite_client.get(f"{path}/99").status_code == 403
    supervisor = sqlite_database.write(lambda s: people.guo(s, keys))
    people.sign_in_staff(sqlite_client, supervisor)
    assert sqlite_client.get(path).status_code == 200
    assert sqlite_client.get(f"{path}/99").status_code == 404
