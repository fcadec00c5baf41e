"""The officer's calls and texts: may I, what I did, once; the borrower and the supervisor see it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from portal.contacts.log import Rules
from portal.contacts.models import Contact, ContactBreach
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.jurisdictions.cn import CN
from portal.keys import Keys
from portal.visits import calling
from portal.visits.calling import Made
from portal.visits.models import Officer, Visit
from portal.web.officer.today import day_of
from tests import people
from tests.conftest import BANK_MORNING, StandingClock
from tests.contacts.logged import log
from tests.visits.door import Announced, announced
from tests.web.borrower.test_balance import text_of


@pytest.fixture
def visit(database: Database, keys: Keys) -> Announced:
    return database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))


@pytest.fixture
def csrf(client: FlaskClient, visit: Announced) -> str:
    client.set_cookie("language", "en")
    return people.sign_in_officer(client)


def write(client: FlaskClient, csrf: str, **given: str):  # type: ignore[no-untyped-def]
    data = {
        "csrf_token": csrf,
        "form_key": "a",
        "visit": "V1",
        "channel": "call",
        "tail": "0034",
        "day": "2026-11-20",
        "time": "08:30",
        "outcome": "no_answer",
    }
    return client.post("/visiting/contacts", data=data | given)


def contacts(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(Contact)) or 0


def test_may_i_is_answered_with_reason_and_the_earliest_moment(
    client: FlaskClient, csrf: str, database: Database, visit: Announced, clock: StandingClock
) -> None:
    assert "Call now: yes" in text_of(client, "/visiting/contacts")
    database.write(
        lambda s: place_hold(
            s,
            borrower_id=visit.borrower_id,
            kind="pause",
            reason="proposal_open",
            source="negotiation:1",
            now=clock.now(),
            ends_at=clock.now() + timedelta(days=2),
        )
    )
    text = text_of(client, "/visiting/contacts")
    assert "Call now: no" in text
    assert "While contacts rest" in text
    assert "allowed again from 22 November 2026" in text


def test_what_was_written_down_counts_and_is_the_borrowers_to_read(
    client: FlaskClient, csrf: str, database: Database, visit: Announced
) -> None:
    assert write(client, csrf).status_code == 303
    assert write(client, csrf).status_code == 303  # the same form again
    assert contacts(database) == 1
    text = text_of(client, "/visiting/contacts")
    assert "unanswered calls today: 1 of" in text
    assert "ends in 0034" in text

    people.sign_in(client, visit.borrower_id)
    mine = text_of(client, "/my/contacts")
    assert "Number G10354" in mine
    assert "not answered" in mine


def test_a_breach_is_marked_for_all_three(
    client: FlaskClient, csrf: str, database: Database, keys: Keys, visit: Announced
) -> None:
    answer = write(client, csrf, time="06:15", outcome="answered")
    assert answer.status_code == 303
    assert "Outside the hours" in text_of(client, "/visiting/contacts")
    people.sign_in(client, visit.borrower_id)
    assert "outside the hours that the law allows" in text_of(client, "/my/contacts")
    people.sign_in_staff(client, database.write(lambda s: people.guo(s, keys)))
    desk = text_of(client, "/desk/contacts")
    assert "Outside the hours" in desk
    assert "G10354" in desk
    assert "105 minutes outside" in desk
    with database.read() as connection:
        assert connection.scalar(select(ContactBreach.state)) == "open"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tail": "0035"}, "No number of this person ends in these four digits."),
        ({"tail": ""}, "No number of this person ends in these four digits."),
        ({"time": "09:01"}, "not later than now"),
        ({"day": "2026-11-17"}, "not longer ago than two days"),
        ({"time": "x"}, "Enter when it was"),
        ({"outcome": "delivered"}, "Choose what came of it."),
        ({"channel": "visit"}, "Choose whether it was a call or a text."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    client: FlaskClient, csrf: str, database: Database, given: dict[str, str], says: str
) -> None:
    answer = write(client, csrf, **given)

    assert answer.status_code == 422
    assert says in answer.text
    if "tail" not in given:
        assert 'value="0034"' in answer.text
    assert contacts(database) == 0


def test_only_todays_own_people_are_called(
    client: FlaskClient, csrf: str, database: Database, keys: Keys, visit: Announced
) -> None:
    def others(session):  # type: ignore[no-untyped-def]
        stranger = people.officer(session, keys, officer_ref="G10058")
        zhao = people.zhao(session, keys)
        announced(session, keys, borrower_id=zhao, visit_ref="V2", officer_id=stranger)

    database.write(others)
    assert "赵一" not in client.get("/visiting/contacts").text
    assert write(client, csrf, visit="V2", tail="0078").status_code == 422
    database.write(lambda s: s.execute(update(Visit).values(starts_at=BANK_MORNING + timedelta(days=1))))
    assert write(client, csrf).status_code == 422
    assert "No visit today" in text_of(client, "/visiting/contacts")
    assert contacts(database) == 0


def test_a_number_of_an_earlier_contact_is_found_by_its_end(
    client: FlaskClient, csrf: str, database: Database, keys: Keys, visit: Announced
) -> None:
    log(database, keys, visit.borrower_id, "work", -20, number="02155556666", outcome="no_answer")
    assert write(client, csrf, tail="6666").status_code == 303
    with database.read() as connection:
        digests = set(connection.scalars(select(Contact.number_digest)))
    assert digests == {keys.digest("phone", "02155556666")}


def test_the_same_form_at_once_is_one_contact(
    database: Database, keys: Keys, visit: Announced, clock: StandingClock
) -> None:
    with database.read() as connection:
        officer_id = connection.scalar(select(Officer.id)) or 0
    rules = Rules.of(CN, clock.zone)
    made = Made(
        visit_ref="V1", channel="call", tail="0034", at=clock.now(), outcome="answered", form_key="one"
    )
    barrier, kept = threading.Barrier(4), []

    def act() -> None:
        barrier.wait()
        kept.append(
            database.write(
                lambda s: calling.record(
                    s,
                    made,
                    keys=keys,
                    officer_id=officer_id,
                    day=day_of(clock.today(), clock.zone),
                    rules=rules,
                    now=clock.now(),
                )
            )
        )

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(one is not None for one in kept) == 1
    assert contacts(database) == 1


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_the_page_works_in_every_language(client: FlaskClient, csrf: str, language: str) -> None:
    client.set_cookie("language", language)
    assert client.get("/visiting/contacts").status_code == 200
    assert write(client, csrf, tail="x").status_code == 422
