"""The background work: texts reach the phone once, quiet hours are kept, ended holds let visits go on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import audit, tasks
from portal.audit import AuditSeal
from portal.contacts.operations import place_hold
from portal.contacts.queries import holds_in_force
from portal.db import Database
from portal.gateways.sms import SmsNotSent, SmsRefused, SmsUnknown, phone_texts
from portal.keys import Keys
from portal.messages import operations as outbox
from portal.messages.models import Message
from portal.notices import faces
from portal.visits.operations import pause_visits
from portal.visits.queries import visits_for
from tests.conftest import StandingClock
from tests.people import lin
from tests.visits.test_operations import visit

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@dataclass
class Failing:
    """A gateway that fails in one way and remembers whom it was asked for."""

    error: Exception
    asked: list[str] = field(default_factory=list)

    def send(self, phone: str, text: str, idempotency_key: str, demonstration: bool) -> str:
        self.asked.append(idempotency_key)
        raise self.error


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return database.write(lambda session: lin(session, keys))


def queue(database: Database, keys: Keys, borrower_id: int, key: str, *, asked_for: bool = False) -> None:
    database.write(
        lambda session: outbox.queue(
            session,
            keys=keys,
            borrower_id=borrower_id,
            kind="decision",
            params={"host": "my.harbour.example"},
            dedupe_key=key,
            asked_for=asked_for,
            real_now=NOW,
        )
    )


def states(database: Database) -> dict[str, int]:
    with database.read() as connection:
        rows = connection.execute(select(Message.state, func.count()).group_by(Message.state))
        return {state: count for state, count in rows}


def test_a_text_reaches_the_phone_signed_and_once(
    portal_app: Flask, database: Database, keys: Keys, borrower_id: int
) -> None:
    portal = portal_app.extensions["portal"]
    queue(database, keys, borrower_id, "decision:1")

    counts = [tasks.deliver(portal), tasks.deliver(portal)]

    with database.read() as connection:
        (text,) = phone_texts(connection, keys)
    assert counts == [1, 0]
    assert text.phone == "13900000034"
    assert text.text.startswith("【港湾银行】")
    assert states(database) == {"sent": 1}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SmsRefused("no"), "failed"),
        (SmsNotSent("later"), "queued"),
        (SmsUnknown("?"), "unknown"),
        (ValueError("a bug in a gateway"), "unknown"),
    ],
)
def test_what_a_gateway_answers_decides_the_state(
    portal_app: Flask, database: Database, keys: Keys, borrower_id: int, error: Exception, state: str
) -> None:
    portal = replace(portal_app.extensions["portal"], sms=Failing(error))
    queue(database, keys, borrower_id, "decision:1")

    tasks.deliver(portal)
    tasks.deliver(portal)

    assert states(database) == {state: 1}
    assert portal.sms.asked == ["decision:1"]


def test_at_night_only_what_was_asked_for_departs(
    portal_app: Flask, database: Database, keys: Keys, borrower_id: int, clock: StandingClock
) -> None:
    portal = portal_app.extensions["portal"]
    queue(database, keys, borrower_id, "decision:1")
    queue(database, keys, borrower_id, "otp:1", asked_for=True)
    clock.advance(hours=13)

    at_night = tasks.deliver(portal)
    clock.advance(hours=10)
    in_the_morning = tasks.deliver(portal)

    assert (at_night, in_the_morning) == (1, 1)


def test_two_workers_send_each_text_once(
    portal_app: Flask, database: Database, keys: Keys, borrower_id: int
) -> None:
    portal = portal_app.extensions["portal"]
    for number in range(30):
        queue(database, keys, borrower_id, f"decision:{number}")
    start = threading.Barrier(2)

    def work(name: str) -> None:
        start.wait()
        while tasks.deliver(portal, owner=name, limit=4):
            pass

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert len(phone_texts(connection, keys, limit=100)) == 30
        assert connection.scalars(select(Message.attempts).distinct()).all() == [1]
    assert states(database) == {"sent": 30}


def test_an_ended_hold_is_lifted_and_its_visits_are_planned_again(
    portal_app: Flask, database: Database, keys: Keys, borrower_id: int, clock: StandingClock
) -> None:
    common = {"borrower_id": borrower_id, "reason": "refusal_cooling"}
    database.write(lambda s: visit(s, keys, borrower_id=borrower_id, visit_ref="V1"))
    database.write(lambda s: pause_visits(s, actor=audit.SYSTEM, now=NOW, **common))
    ends_at = NOW + timedelta(days=2)
    database.write(
        lambda s: place_hold(s, kind="pause", source="negotiation:1", now=NOW, ends_at=ends_at, **common)
    )
    clock.advance(days=2)

    tasks.end_holds(portal_app.extensions["portal"])

    with database.read() as connection:
        assert holds_in_force(connection, borrower_id, now=NOW) == ()
        assert [view.state for view in visits_for(connection, keys, borrower_id)] == ["planned"]


def test_every_task_runs_when_it_is_due_and_a_failing_one_stops_nobody(
    portal_app: Flask,
    database: Database,
    borrower_id: int,
    clock: StandingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portal, ran = portal_app.extensions["portal"], list[str]()

    def fails(parts: Any) -> None:
        ran.append("fails")
        raise ValueError

    hourly = tasks.Task("hourly", 3600, lambda parts: ran.append("hourly"))
    monkeypatch.setattr(
        tasks, "EVERY", [tasks.Task("fails", 1, fails), hourly, tasks.Task("seal", 1, tasks.seal_record)]
    )
    hold = {"borrower_id": borrower_id, "kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
    database.write(lambda session: place_hold(session, now=NOW, **hold))
    last_run: dict[str, datetime] = {}

    counts = []
    for _ in range(3):
        counts.append(tasks.run_due(portal, last_run))
        clock.advance(seconds=1)

    assert counts == [3, 2, 2]
    assert ran == ["fails", "hourly", "fails", "fails"]
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(AuditSeal)) == 1


@pytest.mark.parametrize("task", tasks.EVERY, ids=lambda task: task.name)
def test_each_task_of_the_list_runs_on_a_quiet_portal(
    portal_app: Flask, task: tasks.Task, borrower_id: int
) -> None:
    task.run(portal_app.extensions["portal"])


def test_the_two_lanes_share_the_list(portal_app: Flask, clock: StandingClock) -> None:
    portal = portal_app.extensions["portal"]
    fast, slow = tasks.run_due(portal, {}, slow=False), tasks.run_due(portal, {}, slow=True)

    assert fast + slow == len(tasks.EVERY)
    assert {"deliver_messages", "seal_record"} <= {task.name for task in tasks.EVERY if not task.slow}


def test_looks_are_forgotten_after_a_season(
    portal_app: Flask, database: Database, keys: Keys, clock: StandingClock
) -> None:
    portal_app.test_client().get("/n/0123456789ABCDEFGHJKMNPQRS")
    left = []

    for days in (faces.SEEN_DAYS, 1):
        clock.advance(days=days)
        tasks.forget(portal_app.extensions["portal"])
        with database.read() as connection:
            left.append(connection.scalar(select(func.count()).select_from(faces.NoticeSeen)))

    assert left == [1, 0]


def test_the_worker_stops_when_told(portal_app: Flask) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=tasks.work, args=(portal_app.extensions["portal"], stop))
    worker.start()

    stop.set()

    worker.join(timeout=10)
    assert not worker.is_alive()
