"""A number is answered from what is published; a contact only to whoever holds a live code."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.access.limits import CONTACT_ASKED
from portal.contacts.models import Contact
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice
from tests.conftest import StandingClock
from tests.people import CREATED
from tests.web.public.test_check import UNKNOWN, Scene, scene_over, verdict_in
from tests.web.public.test_help import contractors

CALLED = datetime(2026, 11, 19, 6, 30, tzinfo=UTC)
BANK, SENDER, AGENCY, STRANGER = "4000000001", "10690000000001", "02100000017", "13912345678"


@pytest.fixture
def scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    sqlite_database.write(contractors)
    return scene_over(sqlite_client, sqlite_database, keys)


@pytest.fixture
def called(scene: Scene) -> Scene:
    """Lin was called by the bank itself at 14:30 on the nineteenth."""
    scene.database.write(call)
    return scene


def call(session: Session) -> None:
    session.add(
        Contact(
            created_at=CREATED,
            borrower_id=session.query(Notice.borrower_id).limit(1).scalar(),
            source="core",
            source_ref="core:1",
            channel="call",
            direction="out",
            party="debtor",
            at=CALLED,
            outcome="reached",
            number_digest="",
            agency_id=None,
            officer_ref="",
            notice_id=None,
            asked_for=False,
            pressing=True,
            content_digest="",
        )
    )


def ask(scene: Scene, number: str, *, at: str = "", day: str = "2026-11-19", code: str = "") -> TestResponse:
    typed = {"number": number, "day": day, "time": at, "code": code}
    return scene.client.post("/check/number", data=typed)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (BANK, "This is our published number"),
        ("+86 400-000-0001", "This is our published number"),
        (SENDER, "Our texts come from this number"),
        (STRANGER, "This number is not on our list"),
        ("10690000000002", "This number is not on our list"),
        ("+1 400 000 0001", "This number is not on our list"),
    ],
)
def test_a_number_is_looked_up_in_what_is_published(scene: Scene, number: str, words: str) -> None:
    page = ask(scene, number)

    assert page.status_code == 200
    assert words in page.text
    assert verdict_in(page) != "Genuine"


def test_without_a_live_code_the_answer_is_the_published_list_s_alone(scene: Scene) -> None:
    """The same bytes before and after a call is on record: nobody learns that somebody was called."""

    def answers() -> list[str]:
        return [
            ask(scene, number, at=at, code=code).text
            for number in (BANK, SENDER, STRANGER)
            for at in ("", "14:30", "03:00")
            for code in ("", UNKNOWN, scene.expired.code, scene.withdrawn.code)
        ]

    scene.client.environ_base["REMOTE_ADDR"] = "203.0.113.1"
    before = answers()
    scene.database.write(call)
    scene.client.environ_base["REMOTE_ADDR"] = "203.0.113.2"

    assert answers() == before
    assert not any("We contacted this customer then" in page for page in before)


def test_with_a_live_code_a_contact_about_then_is_found(called: Scene) -> None:
    code = called.genuine.code

    assert verdict_in(ask(called, BANK, at="14:20", code=code)) == "Genuine"
    assert verdict_in(ask(called, "+86 400 000 0001", at="14:45", code=code)) == "Genuine"
    for number, at in ((BANK, "14:14"), (BANK, "15:00"), (SENDER, "14:30")):
        page = ask(called, number, at=at, code=code)
        assert "We have no such contact on record" in page.text
        assert verdict_in(page) == "The number alone proves nothing"


def test_a_call_of_the_bank_does_not_make_a_stranger_s_number_ours(called: Scene) -> None:
    for number in (STRANGER, "+1 400 000 0001"):
        assert verdict_in(ask(called, number, at="14:30", code=called.genuine.code)) == "Not ours"


def test_one_code_is_asked_with_five_times_a_day(called: Scene) -> None:
    pages = [ask(called, BANK, at="14:30", code=called.genuine.code) for _ in range(CONTACT_ASKED.most + 1)]

    assert [verdict_in(page) for page in pages[:-1]] == ["Genuine"] * CONTACT_ASKED.most
    assert verdict_in(pages[-1]) == "The number alone proves nothing"
    assert "Asked often today" in pages[-1].text


def test_codes_that_are_not_ours_are_counted_as_typed_ones(scene: Scene) -> None:
    pages = [ask(scene, BANK, at="14:30", code=UNKNOWN) for _ in range(32)]

    assert pages[-1].status_code == 429


@pytest.mark.parametrize(
    ("number", "day", "at"), [("", "", ""), ("abc", "", ""), (BANK, "soon", "14:30"), (BANK, "", "noon")]
)
def test_what_cannot_be_read_is_asked_again_and_stays(scene: Scene, number: str, day: str, at: str) -> None:
    page = ask(scene, number, day=day, at=at)

    assert page.status_code == 422
    assert "field-error" in page.text
    for typed in filter(None, (number, day, at)):
        assert f'value="{typed}"' in page.text


def test_an_hour_without_a_day_is_today_s(called: Scene, clock: StandingClock) -> None:
    code = called.genuine.code

    assert verdict_in(ask(called, BANK, day="", at="14:30", code=code)) == "The number alone proves nothing"
    assert verdict_in(ask(called, BANK, day="2026-11-19", at="14:30", code=code)) == "Genuine"
    clock.advance(days=-1)
    assert verdict_in(ask(called, BANK, day="", at="14:30", code=code)) == "Genuine"
