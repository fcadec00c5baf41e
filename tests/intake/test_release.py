"""A batch that changes too much: held under a name, released by somebody else, then applied; or rejected."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access import passwords
from portal.access.staff import NewStaff, add_staff
from portal.audit import SYSTEM, AuditEntry
from portal.bank_files.mapping import Mapping
from portal.borrowers.models import Borrower
from portal.contacts.log import Rules
from portal.db import Database
from portal.intake import holding
from portal.intake.holding import CannotDecide, Person
from portal.intake.models import IntakeRun
from portal.intake.operations import Applied, Held, Refused, take_in
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages.operations import claim, queue
from portal.staging.drift import Limits
from tests.conftest import BANK_MORNING, StandingClock
from tests.intake.book import line, small_book, write_book
from tests.intake.conftest import Take, balances, row_counts

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)
ANA, BO = Person(1, "P1"), Person(2, "P2")
STRICT = Limits(book_floor=1, row_floor=1, phones_floor=1)


@pytest.fixture
def leap(harbour_mapping: Mapping, tmp_path: Path) -> Path:
    """The next day, on which one loan gets a fee of a million."""
    book = small_book()
    book.sequence, book.business_date = 2, date(2026, 11, 21)
    book.rows["ledger"].append(line("T12", "L2", date(2026, 11, 21), "fee", fee=100_000_000))
    book.settle()
    return write_book(book, harbour_mapping, tmp_path / "leap")


def _try(
    database: Database,
    keys: Keys,
    mapping: Mapping,
    directory: Path,
    tmp_path: Path,
    asked_by: str = "P1",
    limits: Limits = STRICT,
) -> Applied | Refused | Held:
    return take_in(
        database,
        directory=directory,
        mapping=mapping,
        keys=keys,
        now=TOMORROW,
        progress=lambda step, done, total: None,
        limits=limits,
        asked_by=asked_by,
        reports=tmp_path / "reports",
    )


def _runs(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        rows = connection.execute(
            select(IntakeRun.state, IntakeRun.asked_by, IntakeRun.decided_by).order_by(IntakeRun.id)
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


def _waiting(database: Database) -> int:
    found = holding.waiting(database, sequence=2)
    assert found is not None
    return found.run_id


def test_held_released_by_another_and_then_applied(
    database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(database, batch)
    before = balances(database)

    first = _try(database, keys, harbour_mapping, leap, tmp_path)
    again = _try(database, keys, harbour_mapping, leap, tmp_path)

    assert isinstance(first, Held)
    assert isinstance(again, Held)
    assert {one.rule for one in first.findings} == {"book", "row"}
    assert balances(database) == before
    assert _runs(database) == [("held", "P1", "")]

    run_id = _waiting(database)
    with pytest.raises(CannotDecide, match="same"):
        database.write(
            lambda session: holding.release(session, run_id=run_id, person=ANA, comment="", now=TOMORROW)
        )
    database.write(
        lambda session: holding.release(session, run_id=run_id, person=BO, comment="ok", now=TOMORROW)
    )
    applied = _try(database, keys, harbour_mapping, leap, tmp_path)

    assert isinstance(applied, Applied)
    assert balances(database)["L2"].fee_owed_minor == 100_000_000
    assert _runs(database) == [("applied", "P1", "P2")]
    with database.read() as connection:
        events = connection.scalars(select(AuditEntry.event).where(AuditEntry.event.like("intake.%")))
        assert list(events) == ["intake.applied", "intake.held", "intake.released", "intake.applied"]


def test_a_rejected_batch_says_why_and_waits_again_when_it_is_tried_again(
    database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(database, batch)
    _try(database, keys, harbour_mapping, leap, tmp_path)
    run_id = _waiting(database)

    with pytest.raises(CannotDecide, match="comment"):
        database.write(
            lambda session: holding.reject(session, run_id=run_id, person=BO, comment=" ", now=TOMORROW)
        )
    database.write(
        lambda session: holding.reject(session, run_id=run_id, person=BO, comment="分/元", now=TOMORROW)
    )
    with pytest.raises(CannotDecide, match="state"):
        database.write(
            lambda session: holding.release(session, run_id=run_id, person=BO, comment="", now=TOMORROW)
        )

    assert isinstance(_try(database, keys, harbour_mapping, leap, tmp_path), Held)
    assert _runs(database) == [("rejected", "P1", "P2"), ("held", "P1", "")]


def test_nobody_waits_without_a_name(
    sqlite_database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(sqlite_database, batch)

    assert isinstance(_try(sqlite_database, keys, harbour_mapping, leap, tmp_path, asked_by=""), Held)
    assert _runs(sqlite_database) == []


def test_a_release_is_of_these_files_and_no_others(
    sqlite_database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(sqlite_database, batch)
    _try(sqlite_database, keys, harbour_mapping, leap, tmp_path)
    run_id = _waiting(sqlite_database)
    sqlite_database.write(
        lambda session: holding.release(session, run_id=run_id, person=BO, comment="", now=TOMORROW)
    )
    worse = small_book()
    worse.sequence, worse.business_date = 2, date(2026, 11, 21)
    worse.rows["ledger"].append(line("T12", "L2", date(2026, 11, 21), "fee", fee=900_000_000))
    worse.settle()

    answer = _try(
        sqlite_database,
        keys,
        harbour_mapping,
        write_book(worse, harbour_mapping, tmp_path / "worse"),
        tmp_path,
    )

    assert isinstance(answer, Held)


def test_what_waited_is_replaced_when_another_batch_of_its_number_goes_in(
    sqlite_database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(sqlite_database, batch)
    _try(sqlite_database, keys, harbour_mapping, leap, tmp_path)
    right = small_book()
    right.sequence, right.business_date = 2, date(2026, 11, 21)
    right.settle()

    answer = _try(
        sqlite_database,
        keys,
        harbour_mapping,
        write_book(right, harbour_mapping, tmp_path / "right"),
        tmp_path,
    )

    assert isinstance(answer, Applied)
    assert [state for state, _, _ in _runs(sqlite_database)] == ["replaced", "applied"]


def test_what_waited_goes_in_without_a_release_once_the_bank_has_widened_its_limits(
    sqlite_database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(sqlite_database, batch)
    _try(sqlite_database, keys, harbour_mapping, leap, tmp_path)

    answer = _try(
        sqlite_database,
        keys,
        harbour_mapping,
        leap,
        tmp_path,
        limits=Limits(book_floor=10**12, row_floor=10**12),
    )

    assert isinstance(answer, Applied)
    assert _runs(sqlite_database) == [("applied", "P1", "")]


def test_two_supervisors_at_once_decide_once(
    database: Database,
    take: Take,
    batch: Path,
    leap: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
) -> None:
    take(database, batch)
    _try(database, keys, harbour_mapping, leap, tmp_path)
    run_id, barrier, done = _waiting(database), threading.Barrier(2), []

    def decide(what: holding.Decision) -> None:
        barrier.wait()
        try:
            database.write(lambda session: what(session, run_id=run_id, person=BO, comment="x", now=TOMORROW))
            done.append(what)
        except CannotDecide:
            pass

    threads = [threading.Thread(target=decide, args=(what,)) for what in (holding.release, holding.release)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 1


def test_a_mass_change_of_phones_waits_and_one_changed_number_rests_a_day(
    database: Database, take: Take, batch: Path, keys: Keys, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    book = small_book()
    book.sequence, book.business_date = 2, date(2026, 11, 21)
    book.rows["customers"][0]["phone"] = "19900009999"
    book.settle()
    changed = write_book(book, harbour_mapping, tmp_path / "phones")

    held = _try(database, keys, harbour_mapping, changed, tmp_path)
    assert isinstance(held, Held)
    assert [one.rule for one in held.findings] == ["phones"]
    assert isinstance(take(database, changed, now=TOMORROW), Applied)

    def send(session: Session) -> None:
        for ref in ("C1", "C2"):
            who = session.scalars(select(Borrower.id).where(Borrower.customer_ref == ref)).one()
            queue(
                session, keys=keys, borrower_id=who, kind="one_time_code", params={"code": "123456", "host": "x", "minutes": "10", "purpose": "sign_in"},
                dedupe_key=f"code-{ref}", asked_for=True, real_now=TOMORROW,
            )  # fmt: skip

    database.write(send)
    early = database.write(lambda session: _claimed(session, keys, TOMORROW + timedelta(hours=23)))
    late = database.write(lambda session: _claimed(session, keys, TOMORROW + timedelta(hours=25)))
    assert (early, late) == (["19900000002"], ["19900009999"])


def _claimed(session: Session, keys: Keys, at: object) -> list[str]:
    found = claim(
        session, keys=keys, owner="w", real_now=at, now=at, rules=Rules.of(pack("cn"), "Asia/Shanghai")
    )  # type: ignore[arg-type]
    return [one.phone for one in found]


PASSWORD = "correct horse battery"


def _staff(database: Database, keys: Keys, login: str, human: str, role: str) -> NewStaff:
    return database.write(
        lambda session: add_staff(
            session, keys=keys, login=login, name=login, human_ref=human, role=role, language="zh",
            password=PASSWORD, actor=SYSTEM, real_now=BANK_MORNING,
        )
    )  # fmt: skip


def test_the_commands_apply_release_and_undo(
    sqlite_app: Flask,
    sqlite_database: Database,
    batch: Path,
    leap: Path,
    keys: Keys,
    clock: StandingClock,
) -> None:
    runner = sqlite_app.test_cli_runner()
    _staff(sqlite_database, keys, "ana", "P1", "operator")
    other = _staff(sqlite_database, keys, "ana2", "P1", "supervisor")
    bo = _staff(sqlite_database, keys, "bo", "P2", "supervisor")
    assert runner.invoke(args=["intake", "apply", str(batch), "--mapping", "harbour"]).exit_code == 0
    clock.advance(days=1)
    common = ["intake", "apply", str(leap), "--mapping", "harbour"]

    unnamed = runner.invoke(args=common)
    held = runner.invoke(args=[*common, "--by", "ana"])
    same = runner.invoke(args=_release("ana2", passwords.totp_at(other.totp_secret, clock.real_now())))
    wrong = runner.invoke(args=_release("bo", "000000"))
    code = passwords.totp_at(bo.totp_secret, clock.real_now())
    released = runner.invoke(args=_release("bo", code))
    undone = runner.invoke(args=["intake", "undo", "--by", "ana", "--yes"])

    assert (unnamed.exit_code, held.exit_code) == (3, 3)
    assert "--by" in unnamed.stderr
    assert "需要另一位主管放行" in held.stderr
    assert "On 1 loans what is left rises 20-fold or more, such as L2: 400.00 to 1000400.00." in held.stderr
    assert same.exit_code == 1
    assert "Whoever ran the intake cannot release it" in same.stderr
    assert (wrong.exit_code, released.exit_code) == (1, 0), released.stderr
    assert "Applied HARBOUR 2" in released.stdout
    assert undone.exit_code == 0
    assert "1 ledger lines withdrawn" in undone.stdout
    assert _runs(sqlite_database)[-1] == ("undone", "P1", "P2")
    assert row_counts(sqlite_database)["withdrawn_line"] == 1


def _release(login: str, code: str) -> list[str]:
    return ["intake", "release", "2", "--by", login, "--password", PASSWORD, "--code", code]
