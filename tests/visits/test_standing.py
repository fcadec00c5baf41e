"""AC14: eight cases of a staff number at the door, each in hundreds of forms, and none is called right but the right one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.visits.faces import claim_at_the_door
from portal.visits.models import Officer, Visit
from portal.visits.standing import Card, Claim, Hours, Standing, claim_of, standing_of
from tests import people
from tests.conftest import BANK_MORNING as NOW
from tests.visits.door import announced

TODAY = date(2026, 11, 20)
offsets = st.integers(1, 400).map(lambda days: timedelta(days=days))
ahead = st.integers(1, 12 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))


def local(instant: datetime) -> datetime:
    return instant.astimezone(ZoneInfo("Asia/Shanghai"))


def card(**facts: object) -> Card:
    usual = {
        "in_service": True,
        "card_valid_until": date(2027, 6, 30),
        "agency_from": date(2025, 1, 1),
        "agency_until": date(2027, 12, 31),
        "agency_in_service": True,
    }
    return Card(**(usual | facts))  # type: ignore[arg-type]


@given(ahead, offsets, st.sampled_from(["paused", "refused", "cancelled", "place_asked", "done"]))
def test_each_of_eight_cases_has_its_own_answer(ends_at: datetime, by: timedelta, off: str) -> None:
    hours = Hours("planned", ends_at - timedelta(hours=1), ends_at)
    given_day = {"now": NOW, "today": TODAY, "day": TODAY}

    assert claim_of(hours, card(), **given_day) == Claim.RIGHT
    assert claim_of(hours, None, **given_day) == Claim.OTHER
    assert claim_of(hours, card(in_service=False), **given_day) == Claim.LEFT
    assert claim_of(hours, card(card_valid_until=TODAY - by), **given_day) == Claim.CARD_EXPIRED
    assert claim_of(hours, card(agency_until=TODAY - by), **given_day) == Claim.AGENCY_ENDED
    assert claim_of(hours, card(agency_in_service=False), **given_day) == Claim.AGENCY_ENDED
    assert claim_of(hours, card(), now=NOW, today=TODAY, day=TODAY + by) == Claim.NOT_TODAY
    assert claim_of(Hours(off, hours.starts_at, ends_at), card(), **given_day) == Claim.OFF
    assert claim_of(None, card(), now=NOW, today=TODAY, day=None) == Claim.NO_VISIT


@given(ahead, offsets)
def test_a_door_speaks_for_nobody_who_may_not_come(ends_at: datetime, by: timedelta) -> None:
    hours = Hours("planned", ends_at - timedelta(hours=1), ends_at)
    for faulty in (
        card(in_service=False),
        card(card_valid_until=TODAY - by),
        card(agency_until=TODAY - by),
        card(agency_from=TODAY + by),
        card(agency_in_service=False),
    ):
        assert standing_of(hours, faulty, now=NOW, today=TODAY, day=TODAY) == Standing.NOT_VALID
    assert standing_of(hours, card(), now=NOW, today=TODAY, day=TODAY) == Standing.TODAY
    assert standing_of(hours, card(), now=NOW, today=TODAY, day=date(2026, 11, 21)) == Standing.ANNOUNCED
    assert standing_of(hours, card(), now=ends_at, today=TODAY, day=TODAY) == Standing.OVER


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, Claim.RIGHT),
        ({"number": "G99999"}, Claim.OTHER),
        ({"number": "G10058"}, Claim.OTHER),
        ({"number": ""}, Claim.OTHER),
        ({"officer": {"status": "left"}}, Claim.LEFT),
        ({"officer": {"revoked_at": NOW}}, Claim.LEFT),
        ({"officer": {"card_valid_until": date(2026, 11, 19)}}, Claim.CARD_EXPIRED),
        ({"agency": {"engaged_until": date(2026, 11, 19)}}, Claim.AGENCY_ENDED),
        ({"agency": {"revoked_at": NOW}}, Claim.AGENCY_ENDED),
        (
            {"visit": {"starts_at": NOW + timedelta(days=1), "ends_at": NOW + timedelta(days=1, hours=1)}},
            Claim.NOT_TODAY,
        ),
        ({"visit": {"state": "paused"}}, Claim.OFF),
    ],
)
def test_the_rows_give_the_same_answers(
    database: Database, keys: Keys, case: dict[str, dict[str, object]], expected: Claim
) -> None:
    def unit(session):  # type: ignore[no-untyped-def]
        visit = announced(session, keys, borrower_id=people.lin(session, keys))
        people.officer(session, keys, officer_ref="G10058")
        for name, table in (("officer", Officer), ("agency", Agency), ("visit", Visit)):
            if name in case:
                session.execute(update(table).values(**case[name]))
        return visit

    visit = database.write(unit)
    number = str(case.get("number", "G10354"))
    with database.read() as connection:
        assert claim_at_the_door(connection, visit.notice_id, number, now=NOW, local=local) == expected


def test_without_a_live_code_no_number_is_confirmed(database: Database, keys: Keys) -> None:
    """AC15: whatever number is asked about with a notice that announces nobody, the answer is one."""
    database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    with database.read() as connection:
        answers = {
            claim_at_the_door(connection, 999_999, f"G{10_000 + n}", now=NOW, local=local) for n in range(500)
        }

    assert answers == {Claim.NO_VISIT}
    assert datetime(2026, 11, 20, 1, tzinfo=UTC) == NOW
