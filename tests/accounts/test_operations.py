"""Posting: one line however often it is asked for, balances that equal their lines, a ledger nobody edits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_reversal
from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import (
    Posted,
    UnableToPost,
    post_payment,
    post_waiver,
    rebalance,
    self_check,
)
from portal.audit import AuditEntry
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.conftest import BANK_MORNING

TODAY = date(2026, 11, 20)


@pytest.fixture
def loan_id(database: Database, keys: Keys) -> int:
    """A loan of 12,000.00 with 100.00 interest and 20.00 penalty interest, its balance made from its lines."""

    def unit(session: Session) -> int:
        who = people.borrower(session, keys, customer_ref="C1", name="林", phone="19900000001")
        made = people.loan(session, borrower_id=who, loan_ref="L1")
        session.execute(delete(LoanBalance))
        rebalance(session, loan_ids=[made], as_of=TODAY, now=BANK_MORNING)
        return made

    return database.write(unit)


def _payment(database: Database, loan_id: int, number: int = 1) -> int:
    """A payment row, whatever its own feature wants of it."""
    from portal.payments.models import Payment

    wanted: dict[str, Any] = {
        "created_at": BANK_MORNING,
        "reference": f"PAY{number}",
        "borrower_id": 1,
        "loan_id": loan_id,
        "amount_minor": 100,
        "currency": "CNY",
        "method": "stripe",
        "state": "succeeded",
        "form_key": f"key{number}",
        "idempotency_key": f"key{number}",
        "target": f"loan:{loan_id}",
        "offered": {},
        "expires_at": BANK_MORNING,
        "asked_at": BANK_MORNING,
    }
    names = {column.name for column in Payment.__table__.columns}

    def unit(session: Session) -> int:
        row = Payment(**{name: value for name, value in wanted.items() if name in names})
        session.add(row)
        session.flush()
        return row.id

    return database.write(unit)


def _pay(session: Session, loan_id: int, **changes: Any) -> Posted:
    values: dict[str, Any] = {
        "parts": {"interest": 10_000, "penalty_interest": 2_000},
        "suspense_minor": 0,
        "posted_on": TODAY,
        "payment_id": None,
        "line_ref": "P1",
        "memo": "",
        "now": BANK_MORNING,
    }
    return post_payment(session, loan_id=loan_id, **(values | changes))


def _balance(database: Database, loan_id: int) -> Any:
    with database.read() as connection:
        return connection.execute(select(LoanBalance.__table__).where(LoanBalance.loan_id == loan_id)).one()


def _line_count(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(LedgerLine)) or 0


def _proved(database: Database) -> None:
    with database.read() as connection:
        assert self_check(connection) == []


def test_a_payment_lowers_what_is_left_and_due_and_raises_the_version(
    database: Database, loan_id: int
) -> None:
    before = _balance(database, loan_id)

    posted = database.write(lambda session: _pay(session, loan_id))

    after = _balance(database, loan_id)
    assert posted.repeated is False
    assert after.interest_paid_minor == 10_000
    assert after.due_now_minor == before.due_now_minor - 12_000
    assert after.version == before.version + 1
    assert after.line_count == before.line_count + 1
    _proved(database)


def test_a_later_posting_moves_the_date_on_and_an_earlier_one_does_not_move_it_back(
    database: Database, loan_id: int
) -> None:
    database.write(lambda session: _pay(session, loan_id, posted_on=date(2026, 11, 25)))
    database.write(
        lambda session: _pay(session, loan_id, posted_on=TODAY, line_ref="P2", parts={"principal": 100})
    )

    after = _balance(database, loan_id)
    assert after.as_of == date(2026, 11, 25)
    assert after.days_overdue == (date(2026, 11, 25) - _first_unpaid(after)).days


def _first_unpaid(balance: Any) -> date:
    paid = balance.principal_paid_minor // 100_000
    month = date(2025, 6, 15).month + paid
    return date(2025 + (month - 1) // 12, (month - 1) % 12 + 1, 15)


def test_the_same_payment_again_is_the_same_line(database: Database, loan_id: int) -> None:
    payment_id = _payment(database, loan_id)
    first = database.write(lambda session: _pay(session, loan_id, payment_id=payment_id))
    before = _balance(database, loan_id)

    again = database.write(lambda session: _pay(session, loan_id, payment_id=payment_id, line_ref="P2"))

    assert again == Posted(first.line_id, repeated=True)
    assert _balance(database, loan_id) == before


def test_two_deliveries_of_one_payment_at_once_make_one_line(database: Database, loan_id: int) -> None:
    payment_id = _payment(database, loan_id)
    before = _line_count(database)
    barrier = threading.Barrier(8)
    answers: list[Posted] = []

    def deliver(number: int) -> None:
        barrier.wait()
        answers.append(
            database.write(
                lambda session: _pay(session, loan_id, payment_id=payment_id, line_ref=f"P{number}")
            )
        )

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _line_count(database) == before + 1
    assert sorted(one.repeated for one in answers) == [False] + [True] * 7
    assert len({one.line_id for one in answers}) == 1
    _proved(database)


def test_different_payments_at_once_are_all_counted_and_never_overpay(
    database: Database, loan_id: int
) -> None:
    barrier = threading.Barrier(8)
    outcomes: list[str] = []

    def pay(number: int) -> None:
        barrier.wait()
        try:
            database.write(
                lambda session: _pay(session, loan_id, line_ref=f"P{number}", parts={"interest": 3_000})
            )
            outcomes.append("posted")
        except UnableToPost as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["overpaid"] * 5 + ["posted"] * 3
    assert _balance(database, loan_id).interest_paid_minor == 9_000
    _proved(database)


def test_what_no_component_could_take_is_kept_in_suspense(database: Database, loan_id: int) -> None:
    database.write(lambda session: _pay(session, loan_id, parts={}, suspense_minor=555))

    after = _balance(database, loan_id)
    assert after.suspense_minor == 555
    with database.read() as connection:
        line = connection.execute(select(LedgerLine.__table__).where(LedgerLine.source == "portal")).one()
    assert line.suspense_minor == -555
    _proved(database)


def test_a_waiver_is_forgiven_and_not_paid(database: Database, loan_id: int) -> None:
    def unit(session: Session) -> Posted:
        return post_waiver(
            session,
            loan_id=loan_id,
            parts={"penalty_interest": 2_000},
            posted_on=TODAY,
            line_ref="W1",
            memo="",
            now=BANK_MORNING,
        )

    first, again = database.write(unit), database.write(unit)

    after = _balance(database, loan_id)
    assert (after.penalty_interest_forgiven_minor, after.penalty_interest_paid_minor) == (2_000, 0)
    assert (first.repeated, again) == (False, Posted(first.line_id, repeated=True))
    _proved(database)


def test_a_reversal_takes_a_payment_back_in_full_and_only_once(database: Database, loan_id: int) -> None:
    before = _balance(database, loan_id)
    posted = database.write(lambda session: _pay(session, loan_id, suspense_minor=7))

    def undo(line_ref: str) -> Callable[[Session], Posted]:
        return lambda session: post_reversal(
            session, line_id=posted.line_id, posted_on=TODAY, line_ref=line_ref, memo="", now=BANK_MORNING
        )

    first = database.write(undo("R1"))
    again = database.write(undo("R2"))

    after = _balance(database, loan_id)
    assert again == Posted(first.line_id, repeated=True)
    assert after.interest_paid_minor == before.interest_paid_minor
    assert (after.due_now_minor, after.suspense_minor) == (before.due_now_minor, 0)
    _proved(database)
    with pytest.raises(UnableToPost, match="reversed"):
        database.write(
            lambda session: post_reversal(
                session, line_id=first.line_id, posted_on=TODAY, line_ref="R3", memo="", now=BANK_MORNING
            )
        )


@pytest.mark.parametrize(
    ("changes", "reason", "component"),
    [
        ({"parts": {"interest": 10_001}}, "overpaid", "interest"),
        ({"parts": {"interest": -1}}, "negative", "interest"),
        ({"parts": {"tax": 1}}, "component", "tax"),
        ({"parts": {}}, "nothing", ""),
        ({"parts": {"interest": 0}}, "nothing", ""),
        ({"parts": {}, "suspense_minor": -1}, "negative", "suspense"),
    ],
)
def test_a_posting_that_cannot_be_is_refused_and_changes_nothing(
    database: Database, loan_id: int, changes: dict[str, Any], reason: str, component: str
) -> None:
    before = _balance(database, loan_id)

    with pytest.raises(UnableToPost) as refused:
        database.write(lambda session: _pay(session, loan_id, **changes))

    assert (refused.value.reason, refused.value.component) == (reason, component)
    assert _balance(database, loan_id) == before


def test_unknown_loans_lines_and_used_references_are_refused(database: Database, loan_id: int) -> None:
    database.write(lambda session: _pay(session, loan_id, line_ref="P1", parts={"interest": 1}))

    with pytest.raises(UnableToPost, match="loan"):
        database.write(lambda session: _pay(session, loan_id + 1))
    with pytest.raises(UnableToPost, match="line"):
        database.write(
            lambda session: post_reversal(
                session, line_id=9_999, posted_on=TODAY, line_ref="R1", memo="", now=BANK_MORNING
            )
        )
    with pytest.raises(UnableToPost, match="line_ref"):
        database.write(
            lambda session: post_waiver(
                session,
                loan_id=loan_id,
                parts={"interest": 1},
                posted_on=TODAY,
                line_ref="P1",
                memo="",
                now=BANK_MORNING,
            )
        )


def test_every_posting_leaves_one_entry_without_amounts_in_the_record(
    database: Database, loan_id: int
) -> None:
    posted = database.write(lambda session: _pay(session, loan_id))

    with database.read() as connection:
        entries = connection.execute(
            select(AuditEntry.__table__).where(AuditEntry.event == "ledger.posted")
        ).all()
    assert [entry.facts for entry in entries] == [
        {"line": posted.line_id, "kind": "payment", "payment": None}
    ]


@pytest.mark.parametrize("change", [update(LedgerLine).values(interest_minor=1), delete(LedgerLine)])
def test_the_database_itself_refuses_to_change_a_line(database: Database, loan_id: int, change: Any) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        database.write(lambda session: session.execute(change))

    assert _line_count(database) > 0


def test_rebalancing_what_has_not_changed_changes_nothing(database: Database, loan_id: int) -> None:
    before = _balance(database, loan_id)

    changed = database.write(
        lambda session: rebalance(session, loan_ids=[loan_id], as_of=TODAY, now=BANK_MORNING)
    )

    assert changed == 0
    assert _balance(database, loan_id) == before


PLANTED = {
    "a figure that is not the lines'": "UPDATE loan_balance SET interest_owed_minor = interest_owed_minor + 1",
    "paid that nobody paid": "UPDATE loan_balance SET interest_paid_minor = 1",
    "suspense from nowhere": "UPDATE loan_balance SET suspense_minor = 5",
    "a line too many": "UPDATE loan_balance SET line_count = line_count + 1",
    "principal due that the contract does not give": "UPDATE loan_balance SET principal_due_minor = 1",
    "due now that is not its parts": "UPDATE loan_balance SET due_now_minor = due_now_minor + 1",
    "days overdue that do not follow": "UPDATE loan_balance SET days_overdue = 3",
    "no balance at all": "DELETE FROM loan_balance",
}


@pytest.mark.parametrize("statement", PLANTED.values(), ids=PLANTED.keys())
def test_the_self_check_finds_a_planted_difference(database: Database, loan_id: int, statement: str) -> None:
    _proved(database)

    database.write(lambda session: session.execute(text(statement)))

    with database.read() as connection:
        found = self_check(connection)
    assert found
    assert all(fault.startswith(f"loan {loan_id}:") for fault in found)


def test_the_self_check_finds_a_reversal_that_is_not_the_opposite(database: Database, loan_id: int) -> None:
    posted = database.write(lambda session: _pay(session, loan_id))

    def crooked(session: Session) -> None:
        session.add(
            LedgerLine(
                created_at=BANK_MORNING,
                loan_id=loan_id,
                line_ref="R1",
                source="portal",
                posted_on=TODAY,
                kind="reversal",
                interest_minor=1,
                reverses_id=posted.line_id,
            )
        )
        rebalance(session, loan_ids=[loan_id], as_of=TODAY, now=BANK_MORNING)

    database.write(crooked)

    with database.read() as connection:
        found = self_check(connection)
    assert len(found) == 1
    assert "opposite" in found[0]
