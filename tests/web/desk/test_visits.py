"""Visits at the desk: the words for a caller, with a record of who looked; places to answer."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from portal.audit import AuditEntry
from portal.db import Database
from portal.keys import Keys
from portal.visits import changes
from portal.visits.models import Visit
from tests import people
from tests.conftest import StandingClock
from tests.visits.door import announced
from tests.web.public.test_visit import words_on


def test_a_caller_hears_the_words_of_the_door_and_the_look_is_on_record(
    client: FlaskClient, database: Database, keys: Keys, clock: StandingClock
) -> None:
    visit = database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    clock.advance(hours=6)
    csrf = people.sign_in_staff(client, database.write(lambda s: people.mei(s, keys)))
    borrower = client.application.test_client()
    people.sign_in(borrower, visit.borrower_id)

    assert "V1" in client.get("/desk/visits").text
    told = client.post("/desk/visits/V1/words", data={"csrf_token": csrf})

    for word in words_on(borrower.get("/my/visits/V1").text):
        assert word in told.text
    with database.read() as connection:
        assert "visits.words_told" in connection.scalars(select(AuditEntry.event)).all()
    assert client.post("/desk/visits/V9/words", data={"csrf_token": csrf}).status_code == 404


def test_a_place_that_was_asked_for_is_answered(client: FlaskClient, database: Database, keys: Keys) -> None:
    visit = database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    csrf = people.sign_in_staff(client, database.write(lambda s: people.mei(s, keys)))
    own = {"borrower_id": visit.borrower_id, "visit_ref": "V1"}
    now = client.application.extensions["portal"].clock.now()
    database.write(lambda s: changes.ask_place(s, keys=keys, place="海湾路支行", now=now, **own))

    assert "海湾路支行" in client.get("/desk/visits").text
    answer = {"csrf_token": csrf, "answer": "agree"}
    assert client.post("/desk/visits/V1/place", data=answer).status_code == 303
    with database.read() as connection:
        assert connection.scalar(select(Visit.state)) == "planned"
    client.set_cookie("language", "en")
    assert "the visit has changed" in client.post("/desk/visits/V1/place", data=answer).text
