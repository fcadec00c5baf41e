"""Moving, refusing, asking for another place, wanting no visits: one change each, with its record."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from portal.audit import Actor, AuditEntry
from portal.contacts.operations import place_hold
from portal.dates import WorkingDays
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.states import NotAllowed
from portal.visits import changes
from portal.visits.models import Visit
from portal.visits.windows import rule_of
from tests import people
from tests.conftest import BANK_MORNING as NOW
from tests.visits.door import Announced, announced

RULE = rule_of(pack("cn"), WorkingDays("CN").is_holiday, "Asia/Shanghai")
TODAY = date(2026, 11, 20)
BANK = Actor("staff", "1")


@pytest.fixture
def visit(database: Database, keys: Keys) -> Announced:
    return database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))


def row(database: Database, visit_ref: str = "V1") -> Visit:
    with database.read() as connection:
        return connection.execute(select(Visit.__table__).where(Visit.visit_ref == visit_ref)).one()  # type: ignore[return-value]


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo("Asia/Shanghai"))


def events(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(AuditEntry.event).where(AuditEntry.event.like("visits.%"))))


def offered(database: Database, visit: Announced) -> tuple[changes.Window, ...]:
    with database.read() as connection:
        return changes.windows_for(
            connection, visit.borrower_id, visit.visit_ref, rule=RULE, asked_on=TODAY, now=NOW
        )


def moving(visit: Announced, starts_at: datetime):  # type: ignore[no-untyped-def]
    return lambda s: changes.move(
        s,
        borrower_id=visit.borrower_id,
        visit_ref=visit.visit_ref,
        starts_at=starts_at,
        rule=RULE,
        asked_on=TODAY,
        now=NOW,
    )


def test_a_visit_moves_to_a_free_window_and_to_no_other(database: Database, visit: Announced) -> None:
    tomorrow = at(date(2026, 11, 21), 9)
    assert offered(database, visit)[0].starts_at == tomorrow

    for never in (at(TODAY, 19), at(date(2026, 11, 21), 23), tomorrow + timedelta(minutes=1)):
        with pytest.raises(changes.NotFree):
            database.write(moving(visit, never))
    database.write(moving(visit, tomorrow))

    moved = row(database)
    assert (moved.starts_at, moved.ends_at) == (tomorrow, tomorrow + timedelta(hours=1))
    assert (moved.state, moved.moved_from) == ("planned", NOW + timedelta(hours=6))
    assert events(database) == ["visits.move"]


def test_two_who_choose_the_same_hour_of_one_officer_do_not_both_get_it(
    database: Database, keys: Keys, visit: Announced
) -> None:
    other = database.write(
        lambda s: announced(
            s,
            keys,
            borrower_id=people.zhao(s, keys),
            visit_ref="V2",
            officer_id=s.scalar(select(Visit.lead_officer_id)),
            starts_at=NOW + timedelta(hours=9),
        )
    )
    start, barrier = at(date(2026, 11, 22), 14), Barrier(2)

    def run(of: Announced) -> str:
        barrier.wait()
        try:
            database.write(moving(of, start))
        except changes.NotFree:
            return "taken"
        return "moved"

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(run, (visit, other)))

    assert sorted(answers) == ["moved", "taken"]


def test_refusing_is_for_ones_own_visit_and_once(database: Database, keys: Keys, visit: Announced) -> None:
    zhao = database.write(lambda s: people.zhao(s, keys))
    given = {"visit_ref": "V1", "now": NOW}

    with pytest.raises(changes.NoSuchVisit):
        database.write(lambda s: changes.refuse(s, borrower_id=zhao, **given))
    database.write(lambda s: changes.refuse(s, borrower_id=visit.borrower_id, **given))
    with pytest.raises(NotAllowed):
        database.write(lambda s: changes.refuse(s, borrower_id=visit.borrower_id, **given))

    assert (row(database).state, row(database).off_reason) == ("refused", "borrower")
    assert events(database) == ["visits.refuse"]


def test_another_place_waits_for_the_bank(database: Database, keys: Keys, visit: Announced) -> None:
    def ask(place: str) -> None:
        database.write(
            lambda s: changes.ask_place(
                s, keys=keys, borrower_id=visit.borrower_id, visit_ref="V1", place=place, now=NOW
            )
        )

    for never in ("", "  ", "x" * 201):
        with pytest.raises(changes.NoPlace):
            ask(never)
    ask(" 海湾路支行  大堂 ")
    assert row(database).state == "place_asked"
    database.write(lambda s: changes.agree_place(s, visit_ref="V1", actor=BANK, now=NOW))

    agreed = row(database)
    assert (agreed.state, keys.unseal("visit.address", agreed.address_sealed)) == (
        "planned",
        "海湾路支行 大堂",
    )
    with pytest.raises(NotAllowed):
        database.write(lambda s: changes.decline_place(s, visit_ref="V1", actor=BANK, now=NOW))
    assert events(database) == ["visits.ask_place", "visits.agree_place"]


def test_no_place_is_agreed_to_while_contacts_rest(database: Database, keys: Keys, visit: Announced) -> None:
    database.write(
        lambda s: changes.ask_place(
            s, keys=keys, borrower_id=visit.borrower_id, visit_ref="V1", place="支行", now=NOW
        )
    )
    hold = {"kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
    database.write(lambda s: place_hold(s, borrower_id=visit.borrower_id, now=NOW, **hold))

    with pytest.raises(NotAllowed):
        database.write(lambda s: changes.agree_place(s, visit_ref="V1", actor=BANK, now=NOW))
    database.write(lambda s: changes.decline_place(s, visit_ref="V1", actor=BANK, now=NOW))
    assert row(database).state == "cancelled"


def test_who_wants_no_visits_is_announced_none(database: Database, keys: Keys, visit: Announced) -> None:
    wish = {"borrower_id": visit.borrower_id, "now": NOW}

    assert database.write(lambda s: changes.ask_no_visits(s, **wish)) == 1
    assert database.write(lambda s: changes.ask_no_visits(s, **wish)) == 0
    officer = row(database).lead_officer_id
    database.write(
        lambda s: announced(s, keys, borrower_id=visit.borrower_id, visit_ref="V2", officer_id=officer)
    )
    assert database.write(lambda s: changes.refuse_unwanted(s, now=NOW)) == 1

    assert [(row(database, ref).state, row(database, ref).off_reason) for ref in ("V1", "V2")] == [
        ("refused", "no_visits")
    ] * 2
    assert database.write(lambda s: changes.lift_no_visits(s, **wish))
    assert not database.write(lambda s: changes.lift_no_visits(s, **wish))
    assert events(database).count("visits.none_wanted") == 1


def test_what_is_over_is_not_changed(database: Database, visit: Announced) -> None:
    late = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    with pytest.raises(NotAllowed):
        database.write(lambda s: changes.refuse(s, borrower_id=visit.borrower_id, visit_ref="V1", now=late))
