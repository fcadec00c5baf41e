"""The visits page: who comes, what is off and why, and the rights at the door."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.contacts.models import Agency
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice
from portal.visits.models import Officer, Visit
from tests import people
from tests.conftest import BANK_MORNING
from tests.web.borrower.test_balance import notice, text_of

COMING = BANK_MORNING + timedelta(days=5)


def officer(session: Session, keys: Keys, *, ref: str, valid_until: date = date(2027, 6, 30)) -> int:
    agency = session.query(Agency).filter_by(agency_ref="A00").one()
    row = Officer(
        created_at=BANK_MORNING,
        officer_ref=ref,
        name_sealed=keys.seal("officer.name", "韩晨敏"),
        phone_sealed=keys.seal("officer.phone", "13800000001"),
        agency_id=agency.id,
        role="外访员",
        card_valid_until=valid_until,
        status="active",
    )
    session.add(row)
    session.flush()
    return row.id


def visit(
    session: Session,
    keys: Keys,
    *,
    ref: str,
    borrower_id: int,
    starts_at: datetime = COMING,
    valid_until: date = date(2027, 6, 30),
    state: str = "planned",
    off_reason: str | None = None,
) -> None:
    """A visit of an hour by G-1 and G-2."""
    notice(session, ref=f"N-{ref}", borrower_id=borrower_id, loan_refs=[], stated_minor=1)
    of_visit = session.query(Notice).filter_by(notice_ref=f"N-{ref}").one()
    session.add(
        Visit(
            created_at=BANK_MORNING,
            visit_ref=ref,
            notice_id=of_visit.id,
            borrower_id=borrower_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            address_sealed=keys.seal("visit.address", "临港市海湾路1号"),
            lead_officer_id=officer(session, keys, ref=f"G-{ref}-1", valid_until=valid_until),
            second_officer_id=officer(session, keys, ref=f"G-{ref}-2"),
            purpose="了解情况，协商安排",
            state=state,
            off_reason=off_reason,
            batch_sequence=1,
        )
    )


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    return database.write(lambda session: people.lin(session, keys, language="en"))


def test_a_coming_visit_says_who_when_where_and_why(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    database.write(lambda session: visit(session, keys, ref="V1", borrower_id=lin))
    people.sign_in(client, lin)
    text = text_of(client, "/my/visits")
    for words in (
        "25 November 2026 09:00 – 10:00",
        "韩晨敏 Number G-V1-1",
        "and a second person, number G-V1-2",
        "To hear how things are and agree what can be done",
        "临港市海湾路1号",
        "Nobody may come in unless you agree.",
        "Never pay a visitor",
    ):
        assert words in text
    assert "card is not valid" not in text


def test_a_card_that_has_run_out_by_the_day_is_warned_of(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    database.write(
        lambda session: visit(session, keys, ref="V1", borrower_id=lin, valid_until=date(2026, 11, 24))
    )
    people.sign_in(client, lin)
    assert "The visitor's card is not valid on that day." in text_of(client, "/my/visits").replace(
        "&#39;", "'"
    )


def test_paused_and_cancelled_visits_say_why(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    def unit(session: Session) -> None:
        visit(session, keys, ref="V1", borrower_id=lin, state="paused", off_reason="proposal_open")
        visit(session, keys, ref="V2", borrower_id=lin, state="cancelled", off_reason="bank")
        place_hold(
            session,
            borrower_id=lin,
            kind="pause",
            reason="proposal_open",
            source="negotiation:1",
            now=BANK_MORNING,
        )

    database.write(unit)
    people.sign_in(client, lin)
    text = text_of(client, "/my/visits")
    assert "Visits and calls are paused. Your proposal is with the bank." in text
    assert "Paused because your proposal is with the bank." in text
    assert "Called off by the bank." in text


def test_without_a_visit_the_page_says_so(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    assert "No visit is planned" in text_of(client, "/my/visits")


def test_visits_of_others_are_not_shown(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    def unit(session: Session) -> None:
        visit(session, keys, ref="V9", borrower_id=people.zhao(session, keys))

    database.write(unit)
    people.sign_in(client, lin)
    assert "V9" not in client.get("/my/visits").text
