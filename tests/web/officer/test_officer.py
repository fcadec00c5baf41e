"""The officers' door: today's own visits, the code, and being shut out on the very next request of any host."""

from __future__ import annotations

from datetime import date, timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app import create_app
from portal.audit import SYSTEM
from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.settings import Settings
from portal.visits import changes, officers
from portal.visits.models import Officer
from tests import people
from tests.conftest import BANK_MORNING, StandingClock
from tests.visits.door import Announced, announced
from tests.web.borrower.test_balance import text_of

PASSWORD = "harbour-10354-visit"
LANGUAGES = ("zh", "zh_Hant", "en")


@pytest.fixture
def visit(database: Database, keys: Keys) -> Announced:
    return database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))


@pytest.fixture
def officer(client: FlaskClient, visit: Announced) -> FlaskClient:
    people.sign_in_officer(client)
    client.set_cookie("language", "en")
    return client


def test_an_officer_sees_todays_own_visits_and_nobody_elses(
    officer: FlaskClient, database: Database, keys: Keys, visit: Announced
) -> None:
    def others(session):  # type: ignore[no-untyped-def]
        own = session.query(Officer).one().id
        stranger = people.officer(session, keys, officer_ref="G10058")
        more = {"borrower_id": visit.borrower_id}
        announced(session, keys, visit_ref="V2", officer_id=stranger, **more)
        announced(
            session, keys, visit_ref="V3", officer_id=own, starts_at=BANK_MORNING + timedelta(days=1), **more
        )
        announced(session, keys, visit_ref="V4", officer_id=stranger, second_id=own, **more)

    database.write(others)
    text = text_of(officer, "/visiting")

    assert "15:00 – 16:00" in text
    assert "林晓" in text
    page = officer.get("/visiting").text
    assert [ref for ref in ("V1", "V2", "V3", "V4") if f'id="{ref}"' in page] == ["V1", "V4"]
    statuses = {ref: officer.get(f"/visiting/{ref}").status_code for ref in ("V1", "V2", "V3", "V4", "V9")}
    assert statuses == {"V1": 200, "V2": 404, "V3": 404, "V4": 200, "V9": 404}


def test_nothing_of_the_persons_affairs_is_on_the_officers_pages(officer: FlaskClient) -> None:
    for path in ("/visiting", "/visiting/V1"):
        page = officer.get(path).text
        for never in ("L-LIN-1", "C900001", "13900000034", "12,120", "6,150"):
            assert never not in page


def test_the_words_come_half_an_hour_before_and_go_with_the_hour(
    officer: FlaskClient, clock: StandingClock
) -> None:
    assert "No word at this hour" in text_of(officer, "/visiting/V1")
    clock.advance(hours=5, minutes=29)
    people.sign_in_officer(officer)
    assert "No word at this hour" in text_of(officer, "/visiting/V1")
    clock.advance(minutes=1)
    assert "Say first" in text_of(officer, "/visiting/V1")
    clock.advance(minutes=29)
    assert "Say first" in text_of(officer, "/visiting/V1")
    people.sign_in_officer(officer)
    clock.advance(minutes=29)
    people.sign_in_officer(officer)
    clock.advance(minutes=32)
    people.sign_in_officer(officer)
    assert "No word at this hour" in text_of(officer, "/visiting/V1")


def test_a_visit_that_is_off_says_so_and_has_no_word(
    officer: FlaskClient, database: Database, clock: StandingClock, visit: Announced
) -> None:
    clock.advance(hours=6)
    people.sign_in_officer(officer)
    assert "Say first" in text_of(officer, "/visiting/V1")
    database.write(
        lambda s: changes.refuse(s, borrower_id=visit.borrower_id, visit_ref="V1", now=clock.now())
    )

    code = text_of(officer, "/visiting/V1")
    assert "This visit is off. Leave now." in code
    assert "Say first" not in code
    today = text_of(officer, "/visiting")
    assert "This visit is off. Do not go there." in today
    assert "林晓" not in today


REVOKED = {
    "left": lambda s: s.execute(update(Officer).values(status="left")),
    "revoked": lambda s: officers.revoke_officer(s, officer_ref="G10354", actor=SYSTEM, now=BANK_MORNING),
    "card": lambda s: s.execute(update(Officer).values(card_valid_until=date(2026, 11, 19))),
    "agency": lambda s: s.execute(
        update(Agency).where(Agency.agency_ref == "A17").values(engaged_until=date(2026, 11, 19))
    ),
    "agency revoked": lambda s: officers.revoke_agency(s, agency_ref="A17", actor=SYSTEM, now=BANK_MORNING),
}


@pytest.mark.parametrize("how", REVOKED)
def test_who_may_not_visit_any_more_is_refused_on_every_host_at_once(
    portal_app: Flask,
    settings: Settings,
    database: Database,
    clock: StandingClock,
    visit: Announced,
    how: str,
) -> None:
    here, there = portal_app.test_client(), create_app(settings, clock=clock, db=database).test_client()
    for client in (here, there):
        people.sign_in_officer(client)
        assert client.get("/visiting").status_code == 200

    database.write(REVOKED[how])

    for client in (here, there):
        for path in ("/visiting", "/visiting/V1"):
            answer = client.get(path)
            assert (answer.status_code, answer.location) == (303, "/visiting/sign-in")


def test_signing_in_takes_all_three_and_a_right_to_visit(
    client: FlaskClient, database: Database, keys: Keys, clock: StandingClock
) -> None:
    def with_account(session):  # type: ignore[no-untyped-def]
        people.officer(session, keys, officer_ref="G10021")
        row = session.query(Officer).one()
        row.officer_ref = "G10354"
        session.flush()
        return officers.add_account(
            session,
            keys=keys,
            officer_ref="G10354",
            password=PASSWORD,
            language="en",
            actor=SYSTEM,
            real_now=clock.real_now(),
        ).totp_secret

    secret = database.write(with_account)

    def enter(number: str = "g10354", password: str = PASSWORD, path: str = "/visiting/sign-in"):  # type: ignore[no-untyped-def]
        clock.advance(seconds=30)
        totp = pyotp.TOTP(secret).at(int(clock.real_now().timestamp()))
        return client.post(path, data={"number": number, "login": number, "password": password, "totp": totp})

    assert enter(password="wrong-password").status_code == 422
    assert enter(number="G10058").status_code == 422
    assert enter(path="/desk/sign-in").status_code == 422
    assert enter().location == "/visiting"
    assert client.get("/visiting").status_code == 200
    database.write(REVOKED["left"])
    clock.advance(minutes=6)
    assert enter().status_code == 422


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_of_an_officer_lets_money_be_taken(
    officer: FlaskClient, clock: StandingClock, language: str
) -> None:
    clock.advance(hours=6)
    people.sign_in_officer(officer)
    officer.set_cookie("language", language)

    page = officer.get("/visiting/V1")
    assert 'class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M3.5 7h17v10h-17z"' in page.text
    assert f'lang="{ {"zh": "zh-CN", "zh_Hant": "zh-Hant", "en": "en"}[language] }"' in page.text
