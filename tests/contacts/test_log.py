"""The log: written once, measured, a late contact put where it belongs, breaches worked once, wishes kept."""

from __future__ import annotations

import threading
from datetime import time, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DatabaseError

from portal.audit import SYSTEM
from portal.contacts.ground import may_contact
from portal.contacts.lifecycle import BreachAction
from portal.contacts.log import BadHours, CannotWork, Wish, wish, work_breach
from portal.contacts.log_queries import breach_counts, breach_rows, contacts_for
from portal.contacts.models import Contact, ContactBreach
from portal.contacts.operations import lift_hold, place_hold
from portal.db import Database
from portal.keys import Keys
from portal.visits.contacting import log_visit, may_visit
from portal.visits.models import Visit
from tests.contacts.logged import MORNING, RULES, log
from tests.notices.made import notice
from tests.people import lin, officer, zhao


def broken(database: Database) -> list[tuple[str, str, int]]:
    with database.read() as connection:
        rows = connection.execute(
            select(Contact.source_ref, ContactBreach.kind, ContactBreach.over)
            .join(ContactBreach, ContactBreach.contact_id == Contact.id)
            .order_by(Contact.at, ContactBreach.kind)
        )
        return [tuple(row) for row in rows]


def may(database: Database, borrower_id: int, hours: float = 0, channel: str = "call") -> str:
    at = (MORNING + timedelta(hours=hours)).astimezone(RULES.zone)
    with database.read() as connection:
        return may_contact(connection, borrower_id, channel=channel, at=at, pack=RULES.pack).reason


def test_a_contact_is_written_down_once_and_cannot_be_changed(database: Database, keys: Keys) -> None:
    lin_id = database.write(lambda session: lin(session, keys))

    first, second = log(database, keys, lin_id, "1"), log(database, keys, lin_id, "1", outcome="refused")

    assert first is not None
    assert second is None
    with database.read() as connection:
        (one,) = contacts_for(connection, keys, lin_id)
    assert (one.channel, one.outcome, one.tail, one.breaches) == ("call", "answered", "0034", ())
    with pytest.raises(DatabaseError):
        database.write(lambda session: session.execute(update(Contact).values(outcome="refused")))


def test_the_fourth_call_answered_in_a_day_is_a_breach_and_none_may_follow(
    database: Database, keys: Keys
) -> None:
    lin_id = database.write(lambda session: lin(session, keys))
    zhao_id = database.write(lambda session: zhao(session, keys))
    for number in range(3):
        log(database, keys, lin_id, str(number), number)

    before = broken(database)
    log(database, keys, lin_id, "missed", 4, outcome="no_answer")
    log(database, keys, lin_id, "theirs", 4.5, direction="in")
    log(database, keys, lin_id, "asked", 4.6, asked_for=True)
    log(database, keys, lin_id, "fourth", 5)

    assert before == []
    assert broken(database) == [("officer:fourth", "effective_calls", 1)]
    assert may(database, lin_id, 6) == "effective_calls"
    assert may(database, lin_id, 24) == ""
    assert may(database, zhao_id, 6) == ""


def test_a_contact_while_contacts_rested_stays_a_breach_after_the_hold_is_lifted(
    database: Database, keys: Keys
) -> None:
    lin_id = database.write(lambda session: lin(session, keys))
    hold = {"borrower_id": lin_id, "kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
    database.write(lambda session: place_hold(session, now=MORNING, **hold))
    later = MORNING + timedelta(hours=3)
    database.write(lambda s: lift_hold(s, source="negotiation:1", reason="proposal_open", now=later))

    log(database, keys, lin_id, "during", 1)
    log(database, keys, lin_id, "letter", 1, channel="letter", outcome="delivered")
    log(database, keys, lin_id, "after", 3)

    assert broken(database) == [("officer:during", "hold", 0)]


def test_wishes_count_from_the_moment_they_were_made(database: Database, keys: Keys) -> None:
    lin_id = database.write(lambda session: lin(session, keys))

    def wishes(at_hours: float, one: Wish) -> None:
        at = MORNING + timedelta(hours=at_hours)
        database.write(lambda session: wish(session, borrower_id=lin_id, wish=one, pack=RULES.pack, now=at))

    wishes(2, Wish(no_calls=True))
    wishes(5, Wish(opens=time(18), closes=time(21)))
    for hours in (1, 3, 6, 10):
        log(database, keys, lin_id, str(hours), hours)

    assert [row[:2] for row in broken(database)] == [
        ("officer:3", "opt_out"),
        ("officer:6", "preferred_hours"),
        ("officer:10", "effective_calls"),
    ]


@pytest.mark.parametrize(
    ("opens", "closes"), [(time(9), None), (time(7), time(12)), (time(9), time(10, 59)), (time(20), time(23))]
)
def test_hours_outside_the_laws_or_too_short_are_refused(
    database: Database, keys: Keys, opens: time, closes: time | None
) -> None:
    lin_id = database.write(lambda session: lin(session, keys))

    with pytest.raises(BadHours):
        database.write(
            lambda session: wish(
                session,
                borrower_id=lin_id,
                wish=Wish(opens=opens, closes=closes),
                pack=RULES.pack,
                now=MORNING,
            )
        )


def test_a_breach_is_worked_by_one_of_two_at_once(database: Database, keys: Keys) -> None:
    lin_id = database.write(lambda session: lin(session, keys))
    log(database, keys, lin_id, "night", 14)
    with database.read() as connection:
        (row,) = breach_rows(connection, keys, state="open")
    start, answers = threading.Barrier(2), list[str]()

    def work(staff_ref: str) -> None:
        start.wait()
        try:
            database.write(
                lambda session: work_breach(
                    session,
                    keys=keys,
                    breach_id=row.breach.breach_id,
                    action=BreachAction.NOTE,
                    note="looked into",
                    staff_ref=staff_ref,
                    now=MORNING,
                )
            )
            answers.append("done")
        except CannotWork as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=work, args=(ref,)) for ref in ("B1", "B2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert row.breach.kind == "hours"
    assert row.breach.over == 61
    assert sorted(answers) == ["done", "gone"]
    with database.read() as connection:
        assert breach_counts(connection) == {"open": 0, "noted": 1, "told": 0}
        (worked,) = breach_rows(connection, keys, state="noted")
    assert worked.breach.note == "looked into"


def test_a_visit_that_was_made_is_a_contact_and_one_may_be_asked_about(
    database: Database, keys: Keys
) -> None:
    lin_id = database.write(lambda session: lin(session, keys))
    notice_id = database.write(lambda session: notice(session, borrower_id=lin_id, channel="visit"))
    officer_id = database.write(lambda session: officer(session, keys))

    def plan(session) -> None:  # type: ignore[no-untyped-def]
        session.add(
            Visit(
                created_at=MORNING,
                visit_ref="V1",
                notice_id=notice_id,
                borrower_id=lin_id,
                starts_at=MORNING,
                ends_at=MORNING + timedelta(hours=1),
                address_sealed=keys.seal("visit.address", "x"),
                lead_officer_id=officer_id,
                purpose="了解情况，协商安排",
                state="done",
                batch_sequence=1,
            )
        )

    database.write(plan)

    def made() -> int | None:
        return database.write(
            lambda session: log_visit(
                session,
                keys=keys,
                visit_ref="V1",
                at=MORNING,
                outcome="answered",
                rules=RULES,
                now=MORNING,
                actor=SYSTEM,
            )
        )

    assert made() is not None
    assert made() is None
    with database.read() as connection:
        (one,) = contacts_for(connection, keys, lin_id)
        early = may_visit(connection, lin_id, starts_at=MORNING - timedelta(hours=2), rules=RULES)
    assert (one.channel, one.officer_ref, one.agency_kind) == ("visit", "G10354", "agency")
    assert (early.reason, early.earliest) == ("hours", MORNING - timedelta(hours=1))
