"""Somebody at the door: confirmed only when everything fits; a name is told of nobody else."""

from __future__ import annotations

import html
import random
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.access import codes
from portal.access.limits import VISIT_SHOWN
from portal.contacts.models import Agency
from portal.db import Database
from portal.fakes.models import FakeReport
from portal.keys import Keys
from portal.notices.models import Notice
from portal.notices.operations import MintedCode
from portal.notices.verification import asked_for
from portal.visits import verifying
from portal.visits.models import Officer, Visit
from portal.visits.verifying import Claimed, Said
from tests.conftest import BANK_MORNING, StandingClock
from tests.notices.made import minted, notice
from tests.people import lin, officer
from tests.web.public.test_check import UNKNOWN, verdict_in

TODAY = date(2026, 11, 20)


@dataclass
class Door:
    """Han of A17 comes to Lin today, Shen has left, and neither comes to anybody else."""

    client: FlaskClient
    database: Database
    keys: Keys
    code: MintedCode
    other: MintedCode

    def ask(self, staff: str = "G10354", *, agency: str = "", code: str | None = None) -> TestResponse:
        given = {"staff": staff, "agency": agency, "code": self.code.code if code is None else code}
        return self.client.post("/check/visitor", data=given)

    def change(self, model: type, **values: object) -> None:
        self.database.write(lambda session: session.execute(update(model).values(**values)) and None)

    def said(self, staff: str, code: str, *, agency: str = "", network: str = "192.0.2.1") -> Said:
        clock = StandingClock()
        claimed = Claimed(staff, agency, asked_for(self.keys, code))
        return self.database.write(
            lambda session: verifying.ask(
                session,
                claimed,
                keys=self.keys,
                network=network,
                local=clock.local,
                now=clock.now(),
                real_now=clock.real_now(),
            )
        ).said


@pytest.fixture
def door(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Door:
    def unit(session: Session) -> list[int]:
        borrower_id, officer_id = lin(session, keys), officer(session, keys)
        officer(session, keys, officer_ref="G10058", status="left")
        made = [
            notice(session, borrower_id=borrower_id, notice_ref=ref, channel=channel)
            for ref, channel in (("N-V", "visit"), ("N-L", "letter"))
        ]
        session.add(
            Visit(
                created_at=BANK_MORNING,
                visit_ref="V1",
                notice_id=made[0],
                borrower_id=borrower_id,
                starts_at=datetime(2026, 11, 20, 7, 0, tzinfo=UTC),
                ends_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
                address_sealed=keys.seal("visit.address", "临港市海湾路1号"),
                lead_officer_id=officer_id,
                purpose="了解情况",
                state="planned",
                batch_sequence=1,
            )
        )
        return made

    made = [minted(sqlite_database, keys, notice_id) for notice_id in sqlite_database.write(unit)]
    sqlite_client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return Door(sqlite_client, sqlite_database, keys, *made)


@pytest.mark.parametrize("staff", ["G10354", " g10354 ", "Ｇ１０３５４", "G 10-354"])
@pytest.mark.parametrize("agency", ["", "汇信资产服务有限公司", "汇信"])
def test_who_is_announced_is_confirmed_with_the_card_s_name(door: Door, staff: str, agency: str) -> None:
    page = door.ask(staff, agency=agency)

    assert (page.status_code, verdict_in(page)) == (200, "Announced")
    for shown in ("韩晨敏", "G10354", "汇信资产服务有限公司"):
        assert shown in page.text
    assert "林晓" not in page.text
    assert "海湾路" not in page.text


def test_the_eight_states_at_the_door(door: Door) -> None:
    """Each with the number announced for the notice, changed in the one way named; then a name is nowhere."""
    yesterday = TODAY - timedelta(days=1)
    cases: list[tuple[str, type, dict[str, object]]] = [
        ("left", Officer, {"status": "left"}),
        ("revoked", Officer, {"revoked_at": BANK_MORNING}),
        ("card", Officer, {"card_valid_until": yesterday}),
        ("agency ended", Agency, {"engaged_until": yesterday}),
        ("agency revoked", Agency, {"revoked_at": BANK_MORNING}),
        (
            "another day",
            Visit,
            {
                "starts_at": BANK_MORNING + timedelta(days=1),
                "ends_at": BANK_MORNING + timedelta(days=1, hours=1),
            },
        ),
        ("called off", Visit, {"state": "cancelled"}),
        (
            "over",
            Visit,
            {"starts_at": BANK_MORNING - timedelta(hours=2), "ends_at": BANK_MORNING - timedelta(hours=1)},
        ),
    ]
    for name, model, change in cases:
        before = {column: getattr(_first(door, model), column) for column in change}
        door.change(model, **change)
        door.client.environ_base["REMOTE_ADDR"] = (
            f"203.0.113.{len(name) % 3}"  # from more, the code would be a copied one
        )
        _new_day(door)
        page = door.ask()
        assert verdict_in(page) == "Not confirmed", name
        assert "韩晨敏" not in page.text, name
        door.change(model, **before)

    _new_day(door)
    assert verdict_in(door.ask()) == "Announced"


@pytest.mark.parametrize(
    ("staff", "agency", "which"),
    [
        ("G99999", "", "code"),  # nobody has it
        ("G10058", "", "code"),  # somebody who left, and was not announced
        ("G10354", "信达资产", "code"),  # another company
        ("G10354", "", "other"),  # a live code, of no visit
    ],
)
def test_nobody_else_is_confirmed_and_all_in_the_same_words(
    door: Door, staff: str, agency: str, which: str
) -> None:
    pages = [door.ask(staff, agency=agency, code=getattr(door, which).code), door.ask("G00000")]

    assert {verdict_in(page) for page in pages} == {"Not confirmed"}
    assert all("We did not announce this visitor" in page.text for page in pages)
    assert not any(name in page.text for page in pages for name in ("韩晨敏", "汇信资产服务有限公司"))


def test_without_a_live_code_nobody_is_confirmed(door: Door) -> None:
    known, unknown = door.ask(code=UNKNOWN), door.ask("G00000", code=UNKNOWN)
    door.change(Notice, expires_on=TODAY - timedelta(days=1))
    with_words = [page.text.replace("G10354", "G00000") for page in (known, unknown)]

    assert verdict_in(known) == verdict_in(unknown) == "Cannot tell"
    assert with_words[0] == with_words[1]


def test_one_code_answers_five_times_a_day(door: Door) -> None:
    answers = [door.ask() for _ in range(VISIT_SHOWN.most + 1)]

    assert [verdict_in(page) for page in answers[:-1]] == ["Announced"] * VISIT_SHOWN.most
    assert verdict_in(answers[-1]) == "Cannot tell"
    assert "韩晨敏" not in answers[-1].text


def test_guesses_without_a_code_confirm_nobody(door: Door) -> None:
    """A thousand here, of the hundred thousand; half of them with the number of somebody who does come."""
    chance = random.Random(15)
    said = [
        door.said(
            "G10354" if number % 2 else f"G{chance.randrange(10**5):05}",
            codes.with_check("".join(chance.choices(codes.ALPHABET, k=codes.CODE_LENGTH - 1))),
            network=f"198.51.{number // 250}.{number % 250}",
        )
        for number in range(1_000)
    ]

    assert set(said) == {Said.NO_CODE}


@pytest.mark.parametrize(("staff", "code"), [("", UNKNOWN), ("G10354", "")])
def test_what_is_missing_is_asked_for_and_the_rest_stays(door: Door, staff: str, code: str) -> None:
    page = door.ask(staff, agency="汇信", code=code)

    assert page.status_code == 422
    assert 'value="汇信"' in page.text
    assert "field-error" in page.text


def _first(door: Door, model: type) -> object:
    return door.database.write(lambda session: _loaded(session, model))


def _loaded(session: Session, model: type) -> object:
    row = session.query(model).order_by(model.id).first()  # type: ignore[attr-defined]
    session.expunge(row)
    return row


def _new_day(door: Door) -> None:
    """Forget what was counted: as if a day had passed."""
    from portal.access.models import Counter

    door.database.write(lambda session: session.query(Counter).delete() and None)


def reported(client: FlaskClient, page: TestResponse, more: str) -> TestResponse:
    """As a browser does it: the form that the page offers, opened, completed with `more`, and sent."""
    form = re.search(r'<form[^>]*action="/report/begin">(.*?)</form>', page.text, re.DOTALL)
    assert form is not None
    given = re.findall(r'name="(text|number|link)" value="([^"]*)"', form[1])
    opened = client.post("/report/begin", data={name: html.unescape(value) for name, value in given})
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", opened.text, re.DOTALL)
    key = re.search(r'name="form_key" value="([^"]+)"', opened.text)
    assert text is not None
    assert key is not None
    whole = f"{html.unescape(text[1])} {more}"
    return client.post(
        "/report", data={"form_key": key[1], "text": whole}, content_type="multipart/form-data"
    )


def test_a_hundred_of_a_hundred_reports_from_the_door_reach_the_queue(door: Door) -> None:
    """AC16: what was typed at the door is in the report already, whatever the answer was and in every language."""
    for number in range(100):
        door.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        door.client.set_cookie("language", ("zh", "zh_Hant", "en")[number % 3])
        staff = ("G10354", "G10058", "G99999")[number // 3 % 3]
        page = door.ask(staff, agency="汇信", code=UNKNOWN if number % 4 == 0 else None)
        assert page.status_code == 200
        assert reported(door.client, page, f"Asked for {number} in cash").status_code == 303

    with door.database.read() as connection:
        texts = [
            door.keys.unseal("fakes.text", sealed)
            for sealed in connection.scalars(select(FakeReport.text_sealed))
        ]
    assert len(texts) == 100
    assert all(re.search(r"G(?:10354|10058|99999)", text) for text in texts)
    assert all("in cash" in text for text in texts)
