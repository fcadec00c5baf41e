"""The worker's turn: the day's batch at the cut-off, the answers it finds, and the operator's commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app
from portal import tasks
from portal.db import Database
from portal.installation import Installation
from portal.keys import Keys
from portal.outgoing import queries
from portal.outgoing.models import OutgoingBatch
from portal.outgoing.station import Station
from portal.settings import Settings
from tests.conftest import StandingClock
from tests.outgoing.test_acknowledging import answer
from tests.outgoing.told import lin, line_refs, pay, states


@pytest.fixture
def station(database: Database, settings: Settings, keys: Keys, clock: StandingClock) -> Station:
    """The demonstration's bank; its cut-off is at 17:00, and it is 09:00."""
    lin(database, keys)
    pay(database, "P-1111-11111", {"principal": 100})
    pay(database, "P-2222-22222", {"principal": 200})
    return Station.of(Installation(settings, database, keys, clock))


def _batches(database: Database) -> list[str]:
    with database.read() as connection:
        return [one.state for one in queries.batches(connection)]


def test_the_days_batch_is_made_once_the_cut_off_has_passed(
    station: Station, database: Database, clock: StandingClock
) -> None:
    station.turn()
    before = _batches(database)
    clock.advance(hours=8)
    station.turn()
    station.turn()

    assert before == []
    assert _batches(database) == ["made"]
    assert (station.folder / "20261120-000001" / "manifest.json").exists()


def test_what_comes_after_the_cut_off_waits_for_the_next_day(
    station: Station, database: Database, clock: StandingClock
) -> None:
    clock.advance(hours=8, minutes=5)
    pay(database, "P-3333-33333", {"principal": 300}, at=clock.now())

    station.turn()
    first = sorted(states(database).values())
    clock.advance(days=1)
    station.turn()

    assert first == ["sent", "sent", "waiting"]
    assert sorted(path.name for path in station.folder.iterdir() if path.is_dir()) == [
        "20261120-000001",
        "20261121-000002",
    ]


def test_answers_found_in_the_folder_are_applied_and_moved_out_of_the_way(
    station: Station, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    station.make()
    station.answers.mkdir()
    said = answer(database)
    (station.answers / "answer-1.json").write_text(json.dumps(said), encoding="utf-8")
    (station.answers / "answer-2.json").write_text("{}", encoding="utf-8")

    station.turn()

    assert set(states(database).values()) == {"accepted"}
    found = {path.relative_to(station.answers) for path in station.answers.rglob("*.json")}
    assert found == {Path("applied/answer-1.json"), Path("refused/answer-2.json")}


def test_no_cut_off_means_batches_by_command_only(
    database: Database, settings: Settings, keys: Keys, clock: StandingClock
) -> None:
    bank = replace(settings.bank, outgoing=MappingProxyType({"mapping": "portal"}))
    lin(database, keys)
    pay(database, "P-1111-11111", {"principal": 100})
    clock.advance(hours=14)
    station = Station.of(Installation(replace(settings, bank=bank), database, keys, clock))

    station.turn()
    assert _batches(database) == []
    (made,) = station.make()

    assert made.counts == {"payment": 1}


def test_the_worker_takes_the_turn(sqlite_app: Flask, keys: Keys, clock: StandingClock) -> None:
    portal = sqlite_app.extensions["portal"]
    lin(portal.db, keys)
    pay(portal.db, "P-1111-11111", {"principal": 100})
    clock.advance(hours=9)

    tasks.run_due(portal, {}, slow=True)

    assert _batches(portal.db) == ["made"]


def test_an_operator_makes_shows_answers_and_works_a_batch(
    settings: Settings, database: Database, keys: Keys, clock: StandingClock, tmp_path: Path
) -> None:
    lin(database, keys)
    pay(database, "P-1111-11111", {"principal": 100})
    pay(database, "P-2222-22222", {"principal": 200})
    run = create_app(settings, clock=clock, db=database).test_cli_runner()

    def cli(*words: str) -> tuple[int, str]:
        done = run.invoke(args=["outgoing", *words])
        return done.exit_code, done.output

    assert "payments 2" in cli("make")[1]
    assert cli("make") == (0, "没有待发送的内容。 / Nothing waits to be sent.\n")
    assert "made" in cli("list")[1]
    assert cli("delivered", "1")[0] == 0
    ref = next(one for one in line_refs(database) if one.startswith("P-2222"))
    file = tmp_path / "answer.json"
    said = answer(database, refused=[{"entry_ref": ref, "reason": "账户冻结"}])
    file.write_text(json.dumps(said), encoding="utf-8")
    assert "1 accepted, 1 refused" in cli("acknowledge", str(file))[1]
    assert "was applied before" in cli("acknowledge", str(file))[1]
    assert f"{ref} 交易 payments: 被退回 refused «账户冻结»" in cli("show", "1")[1]
    code, listed = cli("refused")
    assert (code, listed.count(ref)) == (1, 1)
    assert cli("again", ref)[0] == 0
    assert cli("again", ref)[0] == 1
    assert "payments 1" in cli("make")[1]
    assert cli("close", ref, "--reason", "x")[0] == 1
    assert cli("check") == (0, "核对一致。 / In order.\n")
    assert cli("show", "9")[0] == 2
    file.write_text("nothing", encoding="utf-8")
    assert cli("acknowledge", str(file))[0] == 1
    with database.read() as connection:
        assert connection.scalars(select(OutgoingBatch.sequence)).all() == [1, 2]
