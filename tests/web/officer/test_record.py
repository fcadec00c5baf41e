"""The officer writes the record at the phone: nothing typed is lost, nobody else's visit opens, once is once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.audit import SYSTEM
from portal.contacts.models import Contact
from portal.db import Database
from portal.disputes.models import VisitDraft, VisitRecord
from portal.keys import Keys
from portal.visits import officers
from portal.visits.models import Officer
from tests import people
from tests.conftest import StandingClock
from tests.disputes.scene import MET, NOBODY
from tests.visits.door import Announced, announced
from tests.web.borrower.test_balance import text_of

PAGE = "/visiting/V1/record"


@pytest.fixture
def visit(database: Database, keys: Keys, clock: StandingClock) -> Announced:
    """It is 15:40, and the visit of 15:00 has been made."""
    clock.advance(hours=6, minutes=40)
    return database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))


@pytest.fixture
def officer(client: FlaskClient, visit: Announced) -> FlaskClient:
    client.csrf = people.sign_in_officer(client)  # type: ignore[attr-defined]
    client.set_cookie("language", "en")
    return client


def form(draft=MET, **more: object) -> dict[str, object]:  # type: ignore[no-untyped-def]
    return {
        "outcome": draft.outcome,
        **{name: list(codes) for name, codes in draft.choices.items()},
        **draft.texts,
        "started": draft.started,
        "ended": draft.ended,
        "then": "check",
        **more,
    }


def post(client: FlaskClient, path: str, **fields: object):  # type: ignore[no-untyped-def]
    return client.post(path, data={"csrf_token": client.csrf, **fields})  # type: ignore[attr-defined]


def count(database: Database, model: type) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(model)) or 0


def send(client: FlaskClient, form_key: str = "k", after: int = 0):  # type: ignore[no-untyped-def]
    return post(client, f"{PAGE}/check", form_key=form_key, after=str(after))


def test_questions_check_send_and_a_receipt(officer: FlaskClient, database: Database) -> None:
    assert "Write the record" in text_of(officer, "/visiting")
    assert officer.get(PAGE).status_code == 200
    answer = post(officer, PAGE, **form())
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/check")
    check = text_of(officer, f"{PAGE}/check")
    assert "谈了目前的收入情况。" in check
    assert "15:05 – 15:30" in check

    assert send(officer).status_code == 303

    page = text_of(officer, PAGE)
    assert "The record has been sent" in page
    assert "Signed by the bank, unchanged since" in page
    today = text_of(officer, "/visiting")
    assert "This visit is over and written down." in today
    assert "Do not go there" not in today
    assert (count(database, VisitRecord), count(database, Contact), count(database, VisitDraft)) == (1, 1, 0)


def test_sending_twice_is_once(officer: FlaskClient, database: Database) -> None:
    post(officer, PAGE, **form())
    for _ in range(2):
        assert send(officer).status_code == 303

    assert (count(database, VisitRecord), count(database, Contact)) == (1, 1)


def test_what_is_wrong_is_named_and_nothing_typed_is_lost(officer: FlaskClient, database: Database) -> None:
    data = form(started="", said="卡号 6222 0212 3456 7894", remarks="门口有一只狗。")
    del data["identity_shown"]
    answer = post(officer, PAGE, **data)

    assert answer.status_code == 422
    for words in (
        "Choose an answer.",
        "Began at: Enter the time as hours and minutes",
        "This looks like a card number",
        "6222 0212 3456 7894",
        "门口有一只狗。",
        'value="family" checked',
    ):
        assert words in answer.text
    later = officer.get(PAGE).text
    assert "门口有一只狗。" in later
    assert "6222 0212 3456 7894" not in later, "a card number is not kept in the draft"
    assert 'value="family" checked' in later
    assert count(database, VisitRecord) == 0


def test_a_draft_goes_on_another_time_from_another_phone(officer: FlaskClient, portal_app: Flask) -> None:
    data = form(NOBODY)
    data["then"] = "later"
    assert post(officer, PAGE, **data).location == "/visiting"

    other = portal_app.test_client()
    people.sign_in_officer(other)
    page = other.get(PAGE).text
    assert 'value="nobody" checked' in page
    assert 'value="15:10"' in page


def test_an_unchecked_record_cannot_be_sent(officer: FlaskClient, database: Database) -> None:
    assert send(officer).location == f"{PAGE}?write=1"
    post(officer, PAGE, **form(started=""))
    assert send(officer).location == f"{PAGE}?write=1"
    assert count(database, VisitRecord) == 0


def test_a_correction_stands_beside_the_first(officer: FlaskClient, database: Database) -> None:
    post(officer, PAGE, **form())
    send(officer)
    page = officer.get(f"{PAGE}?write=1").text
    assert "A correction" in page
    assert "谈了目前的收入情况。" in page
    post(officer, PAGE, **form(identity_shown=["no"]))
    send(officer, "second", after=1)

    sent = text_of(officer, PAGE)
    assert "Version 2" in sent
    assert "Version 1" in sent
    assert count(database, Contact) == 1


def test_somebody_else_was_faster_and_the_words_are_kept(officer: FlaskClient, database: Database) -> None:
    post(officer, PAGE, **form())
    send(officer)
    post(officer, PAGE, **form(remarks="另一版"))

    answer = send(officer, "second", after=0)

    assert answer.status_code == 409
    assert "Another version of this record was sent meanwhile" in answer.text
    assert "另一版" in answer.text
    assert count(database, VisitRecord) == 1


def test_the_day_after_it_is_late_and_says_so(
    officer: FlaskClient, database: Database, clock: StandingClock
) -> None:
    clock.advance(days=1)
    officer.csrf = people.sign_in_officer(officer)  # type: ignore[attr-defined]

    assert "Records that are late" in text_of(officer, "/visiting")
    assert "This record is late" in text_of(officer, PAGE)
    post(officer, PAGE, **form())
    send(officer)
    assert "It was late." in text_of(officer, PAGE)
    assert "Records that are late" not in text_of(officer, "/visiting")


def test_before_the_visit_there_is_nothing_to_write(
    officer: FlaskClient, database: Database, keys: Keys, visit: Announced, clock: StandingClock
) -> None:
    def tomorrow(session):  # type: ignore[no-untyped-def]
        own = session.query(Officer).one().id
        announced(
            session,
            keys,
            borrower_id=visit.borrower_id,
            visit_ref="V2",
            officer_id=own,
            starts_at=clock.now() + timedelta(days=1),
        )

    database.write(tomorrow)

    assert "It is too early" in text_of(officer, "/visiting/V2/record")
    assert post(officer, "/visiting/V2/record", **form()).status_code == 404
    assert count(database, VisitDraft) == 0


def test_another_agencys_officer_and_one_without_the_right_find_nothing(
    officer: FlaskClient, portal_app: Flask, database: Database, keys: Keys, clock: StandingClock
) -> None:
    database.write(lambda s: people.officer(s, keys, officer_ref="G20001", agency_ref="A18"))
    stranger = portal_app.test_client()
    stranger.csrf = people.sign_in_officer(stranger, "G20001")  # type: ignore[attr-defined]
    for path in (PAGE, f"{PAGE}/check", f"{PAGE}?write=1"):
        assert stranger.get(path).status_code == 404
    for path in (PAGE, f"{PAGE}/check"):
        assert post(stranger, path, **form()).status_code == 404

    database.write(lambda s: officers.revoke_officer(s, officer_ref="G10354", actor=SYSTEM, now=clock.now()))
    for path in (PAGE, f"{PAGE}/check"):
        for answer in (officer.get(path), post(officer, path, **form())):
            assert (answer.status_code, answer.location) == (303, "/visiting/sign-in")
    assert (count(database, VisitDraft), count(database, VisitRecord)) == (0, 0)


def test_nothing_of_the_persons_affairs_is_on_the_page(officer: FlaskClient) -> None:
    page = officer.get(PAGE).text
    for never in ("L-LIN-1", "C900001", "13900000034", "12,120", "林晓", "临港市"):
        assert never not in page
