"""Visits are paused, resumed and called off with the holds, and shown with who comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from portal.audit import SYSTEM, Actor
from portal.contacts.operations import lift_hold, place_hold
from portal.db import Database
from portal.keys import Keys
from portal.visits.models import Officer, Visit
from portal.visits.operations import cancel_visits, pause_visits, resume_visits
from portal.visits.queries import VisitView, visits_for
from tests.notices.made import agency, notice
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
SOON = NOW + timedelta(days=6)


def visit(
    session: Session, keys: Keys, *, borrower_id: int, visit_ref: str, starts_at: datetime = SOON
) -> None:
    officer = Officer(
        created_at=NOW,
        officer_ref=f"G-{visit_ref}",
        name_sealed=keys.seal("officer.name", "金兰堃"),
        phone_sealed=keys.seal("officer.phone", "19900010000"),
        agency_id=agency(session),
        role="外访专员",
        card_valid_until=date(2027, 6, 30),
        status="active",
    )
    session.add(officer)
    session.flush()
    session.add(
        Visit(
            created_at=NOW,
            visit_ref=visit_ref,
            notice_id=notice(session, borrower_id=borrower_id, notice_ref=f"N-{visit_ref}", channel="visit"),
            borrower_id=borrower_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            address_sealed=keys.seal("visit.address", "临港市海湾路1号"),
            lead_officer_id=officer.id,
            purpose="了解情况，协商安排",
            state="planned",
            batch_sequence=1,
        )
    )


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    """Lin, with a visit in six days."""

    def unit(session: Session) -> int:
        borrower_id = lin(session, keys)
        visit(session, keys, borrower_id=borrower_id, visit_ref="V1")
        return borrower_id

    return database.write(unit)


def seen(database: Database, keys: Keys, borrower_id: int) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        views = visits_for(connection, keys, borrower_id)
    return [(view.visit_ref, view.state, view.off_reason) for view in views]


def test_pause_and_resume(database: Database, keys: Keys, borrower_id: int) -> None:
    common = {"borrower_id": borrower_id, "reason": "proposal_open", "actor": SYSTEM}

    paused = database.write(lambda s: pause_visits(s, now=NOW, **common))
    again = database.write(lambda s: pause_visits(s, now=NOW, **common))

    assert (paused, again) == (1, 0)
    assert seen(database, keys, borrower_id) == [("V1", "paused", "proposal_open")]
    assert database.write(lambda s: resume_visits(s, now=NOW, **common)) == 1
    assert seen(database, keys, borrower_id) == [("V1", "planned", "")]


def test_nothing_is_resumed_while_another_hold_is_in_force(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    common = {"borrower_id": borrower_id, "reason": "proposal_open", "actor": SYSTEM, "now": NOW}
    database.write(lambda s: pause_visits(s, **common))
    stop = {
        "borrower_id": borrower_id,
        "kind": "pause",
        "reason": "refusal_cooling",
        "source": "negotiation:1",
    }
    database.write(lambda s: place_hold(s, now=NOW, **stop))

    assert database.write(lambda s: resume_visits(s, **common)) == 0
    database.write(lambda s: lift_hold(s, source="negotiation:1", reason="refusal_cooling", now=NOW))
    assert database.write(lambda s: resume_visits(s, **common)) == 1


def test_a_visit_whose_hour_passed_in_the_pause_is_called_off(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    common = {"borrower_id": borrower_id, "reason": "proposal_open", "actor": SYSTEM}
    database.write(lambda s: pause_visits(s, now=NOW, **common))

    resumed = database.write(lambda s: resume_visits(s, now=SOON + timedelta(hours=2), **common))

    assert resumed == 0
    assert seen(database, keys, borrower_id) == [("V1", "cancelled", "proposal_open")]


def test_a_plan_in_force_cancels_planned_and_paused_visits_for_good(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    reviewer = Actor("staff", "1")
    database.write(lambda s: visit(s, keys, borrower_id=borrower_id, visit_ref="V2"))
    database.write(
        lambda s: pause_visits(s, borrower_id=borrower_id, reason="proposal_open", actor=reviewer, now=NOW)
    )
    database.write(
        lambda s: visit(s, keys, borrower_id=borrower_id, visit_ref="V3", starts_at=SOON + timedelta(days=1))
    )

    cancelled = database.write(
        lambda s: cancel_visits(s, borrower_id=borrower_id, reason="plan_in_force", actor=reviewer, now=NOW)
    )
    resumed = database.write(
        lambda s: resume_visits(s, borrower_id=borrower_id, reason="plan_in_force", actor=reviewer, now=NOW)
    )

    assert (cancelled, resumed) == (3, 0)
    assert {(state, why) for _, state, why in seen(database, keys, borrower_id)} == {
        ("cancelled", "plan_in_force")
    }


def test_a_borrower_sees_their_own_visits_with_who_comes(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    other = database.write(lambda s: zhao(s, keys))

    with database.read() as connection:
        (own,) = visits_for(connection, keys, borrower_id)
        others = visits_for(connection, keys, other)

    assert others == ()
    assert isinstance(own, VisitView)
    assert (own.officer_ref, own.officer_name, own.people) == ("G-V1", "金兰堃", 1)
    assert (own.agency_kind, own.address) == ("bank", "临港市海湾路1号")
