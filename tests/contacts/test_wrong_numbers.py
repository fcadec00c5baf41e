"""A number that is somebody else's: what rests and until when, answered exactly once, opened again by a later report."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from portal.audit import Actor, AuditEntry
from portal.borrowers.models import Borrower
from portal.contacts import wrong_number_queries, wrong_numbers
from portal.contacts.ground import may_contact
from portal.contacts.lifecycle import NUMBERS, NumberAction, NumberState
from portal.contacts.models import Hold, WrongNumber, WrongNumberAnswer
from portal.contacts.queries import holds_in_force
from portal.contacts.wrong_numbers import CannotAnswer
from portal.db import Database
from portal.jurisdictions.cn import CN
from portal.keys import Keys
from tests import people

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
#: 12:00 on the borrower's wall clock
LATER = datetime(2026, 11, 20, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
OLD, NEW = "13900000034", "13900000099"
ANSWERS = (NumberAction.CORRECT, NumberAction.KEEP, NumberAction.BAR)


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    return database.write(lambda session: people.lin(session, keys))


def report(
    database: Database, keys: Keys, borrower_id: int, hours: float = 0, *, is_new: bool = True
) -> None:
    at = NOW + timedelta(hours=hours)
    database.write(
        lambda s: wrong_numbers.report(s, keys=keys, borrower_id=borrower_id, is_new=is_new, now=at)
    )


def answer(
    database: Database, keys: Keys, action: NumberAction, version: int = 1, *, note: str = "asked by letter"
) -> None:
    database.write(
        lambda s: wrong_numbers.answer(
            s,
            keys=keys,
            number_id=1,
            action=action,
            version=version,
            note=note,
            staff_ref="B2107",
            actor=Actor("staff", "B2107"),
            now=NOW + timedelta(hours=1),
        )
    )


def correct_in_the_core(database: Database, keys: Keys, borrower_id: int, number: str = NEW) -> None:
    digest = keys.digest("phone", number)
    database.write(
        lambda s: s.execute(update(Borrower).where(Borrower.id == borrower_id).values(phone_digest=digest))
    )


def may(database: Database, keys: Keys, borrower_id: int, number: str = "", channel: str = "call") -> bool:
    digest = keys.digest("phone", number) if number else ""
    with database.read() as connection:
        return may_contact(
            connection, borrower_id, channel=channel, number_digest=digest, at=LATER, pack=CN
        ).allowed


def stands(database: Database) -> tuple[str, int, int]:
    with database.read() as connection:
        row = connection.execute(select(WrongNumber.state, WrongNumber.version, WrongNumber.reports)).one()
        return row[0], row[1], row[2]


def counted(database: Database, what: object) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(what)) or 0  # type: ignore[arg-type]


def test_a_report_rests_that_number_alone_until_it_is_answered(
    database: Database, keys: Keys, lin: int
) -> None:
    report(database, keys, lin)

    assert stands(database) == ("open", 1, 1)
    assert not may(database, keys, lin, OLD)
    assert not may(database, keys, lin, OLD, "sms")
    assert not may(database, keys, lin)  # which number it would be is not known: the one on file
    assert may(database, keys, lin, NEW)
    assert may(database, keys, lin, channel="letter")


def test_the_same_report_once_more_changes_nothing_while_it_waits(
    database: Database, keys: Keys, lin: int
) -> None:
    report(database, keys, lin)
    entries = counted(database, AuditEntry)
    report(database, keys, lin, 1, is_new=False)

    assert stands(database) == ("open", 1, 1)
    assert counted(database, AuditEntry) == entries
    report(database, keys, lin, 2)  # another message to the same number
    assert stands(database) == ("open", 1, 2)
    assert counted(database, Hold.__table__) == 1


def test_right_after_all_lifts_it_once(database: Database, keys: Keys, lin: int) -> None:
    report(database, keys, lin)
    answer(database, keys, NumberAction.KEEP)

    assert stands(database)[0] == "right"
    assert may(database, keys, lin, OLD)
    with pytest.raises(CannotAnswer, match="meanwhile"):
        answer(database, keys, NumberAction.BAR)
    assert may(database, keys, lin, OLD)


def test_corrected_needs_another_number_in_the_core(database: Database, keys: Keys, lin: int) -> None:
    report(database, keys, lin)
    with pytest.raises(CannotAnswer, match="same_number"):
        answer(database, keys, NumberAction.CORRECT)
    assert stands(database) == ("open", 1, 1)

    correct_in_the_core(database, keys, lin)
    with database.read() as connection:
        assert holds_in_force(connection, lin, now=NOW) == ()  # the new number is nobody else's
        assert wrong_number_queries.number_rows(connection, keys, answered=False, limit=9)[0].has_other
    assert (may(database, keys, lin), may(database, keys, lin, OLD)) == (True, False)
    answer(database, keys, NumberAction.CORRECT)
    assert stands(database)[0] == "corrected"
    assert counted(database, WrongNumberAnswer.__table__) == 1


def test_never_again_lasts_whoever_has_the_number_next(database: Database, keys: Keys, lin: int) -> None:
    zhao = database.write(lambda session: people.zhao(session, keys))
    report(database, keys, lin)
    answer(database, keys, NumberAction.BAR)

    with database.read() as connection:
        (hold,) = holds_in_force(connection, lin, now=NOW + timedelta(days=900))
        assert (hold.kind, hold.ends_at) == ("stop", None)
    assert may(database, keys, zhao)
    correct_in_the_core(database, keys, zhao, OLD)
    assert not may(database, keys, zhao, OLD, "sms")
    assert not may(database, keys, zhao)
    correct_in_the_core(database, keys, lin)
    assert may(database, keys, lin)


@pytest.mark.parametrize("action", [NumberAction.KEEP, NumberAction.BAR])
def test_a_later_report_opens_an_answered_number_and_rests_it_again(
    database: Database, keys: Keys, lin: int, action: NumberAction
) -> None:
    report(database, keys, lin)
    answer(database, keys, action)
    report(database, keys, lin, 1.5, is_new=False)

    assert stands(database) == ("open", 3, 2)
    assert not may(database, keys, lin, OLD)
    with database.read() as connection:
        (row,) = wrong_number_queries.number_rows(connection, keys, answered=False, limit=9)
        assert row.since == NOW + timedelta(hours=1.5)
    with pytest.raises(CannotAnswer, match="meanwhile"):
        answer(database, keys, NumberAction.KEEP)
    answer(database, keys, NumberAction.KEEP, 3)
    assert may(database, keys, lin, OLD)


def test_a_hold_from_before_numbers_were_told_apart_is_lifted_too(
    database: Database, keys: Keys, lin: int
) -> None:
    database.write(
        lambda s: s.add(
            Hold(created_at=NOW, borrower_id=lin, kind="pause", reason="wrong_number", source="notice:1")
        )
    )
    report(database, keys, lin)
    answer(database, keys, NumberAction.KEEP)

    assert may(database, keys, lin, OLD)


@pytest.mark.parametrize("note", ["", "  \n ", "x" * 1001])
def test_an_answer_says_why(database: Database, keys: Keys, lin: int, note: str) -> None:
    report(database, keys, lin)
    with pytest.raises(CannotAnswer, match="note"):
        answer(database, keys, NumberAction.KEEP, note=note)


def test_nobody_answers_what_nobody_reported(database: Database, keys: Keys) -> None:
    with pytest.raises(CannotAnswer, match="gone"):
        answer(database, keys, NumberAction.KEEP)


def test_of_many_at_once_one_answers_and_one_hold_stands(database: Database, keys: Keys, lin: int) -> None:
    report(database, keys, lin)
    barrier, told = threading.Barrier(4), []

    def act(action: NumberAction) -> None:
        barrier.wait()
        try:
            answer(database, keys, action)
            told.append(action.value)
        except CannotAnswer as error:
            told.append(error.reason)

    actions = (NumberAction.KEEP, NumberAction.BAR, NumberAction.KEEP, NumberAction.BAR)
    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told.count("meanwhile") == 3
    assert counted(database, WrongNumberAnswer.__table__) == 1
    assert may(database, keys, lin, OLD) == ("keep" in told)


def test_reports_at_once_are_one_row_and_one_hold(database: Database, keys: Keys, lin: int) -> None:
    barrier = threading.Barrier(4)

    def act() -> None:
        barrier.wait()
        report(database, keys, lin)

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stands(database) == ("open", 1, 4)
    assert counted(database, Hold.__table__) == 1


@given(steps=st.lists(st.sampled_from([*ANSWERS, NumberAction.REPORT]), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_hold_follows_the_answer_whatever_the_order(
    sqlite_database: Database, keys: Keys, steps: list[NumberAction]
) -> None:
    """A walk through the table: the number rests exactly while it is open or barred."""
    with sqlite_database.writer.begin() as connection:
        for name in (
            "contact_news",
            "hold",
            "wrong_number_answer",
            "wrong_number",
            "loan_balance",
            "ledger_line",
            "loan",
        ):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}_no_delete")
            connection.exec_driver_sql(f"DELETE FROM {name}")
        connection.exec_driver_sql("DELETE FROM borrower")
    borrower_id = sqlite_database.write(
        lambda s: people.borrower(s, keys, customer_ref="C1", name="林晓", phone=OLD)
    )
    report(sqlite_database, keys, borrower_id)
    with sqlite_database.read() as connection:
        number_id = connection.scalar(select(WrongNumber.id))
    state, version = NumberState.OPEN, 1
    for at, step in enumerate(steps, 1):
        if step is NumberAction.REPORT:
            report(sqlite_database, keys, borrower_id, at / 60)
            if state is not NumberState.OPEN:
                state, version = NUMBERS.after(state, step), version + 1
        else:
            try:
                sqlite_database.write(
                    lambda s, step=step, version=version: wrong_numbers.answer(
                        s,
                        keys=keys,
                        number_id=number_id,
                        action=step,
                        version=version,
                        note="why",
                        staff_ref="B2107",
                        actor=Actor("staff", "B2107"),
                        now=NOW,
                    )
                )
                state, version = NUMBERS.after(state, step), version + 1
            except CannotAnswer:
                assert step is NumberAction.CORRECT or state is not NumberState.OPEN
        rests = state in (NumberState.OPEN, NumberState.NEVER)
        assert may(sqlite_database, keys, borrower_id, OLD) is not rests
