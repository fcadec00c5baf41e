"""What accrued since the last posting, read for its owner on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from portal.accounts.balance import Line
from portal.accounts.operations import post_payment
from portal.db import Database
from portal.interest.accrual import accrued_for, core_ledgers, estimate, loan_count
from portal.interest.engine import Compounding
from portal.interest.reproduction import Entry
from portal.keys import Keys
from portal.money import Money
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, text: str, *_rest: object) -> None:
        seen.append(text)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_overdue_principal_since_the_last_posting_and_a_card_without_penalty(
    database: Database, keys: Keys
) -> None:
    borrower = database.write(lambda session: lin(session, keys))

    with database.read() as connection:
        found = {one.loan_ref: one for one in accrued_for(connection, borrower, as_of=TODAY).values()}

    loan, card = found["L-LIN-1"], found["C-LIN-1"]
    assert (loan.since, loan.until, loan.days) == (date(2026, 10, 15), TODAY, 36)
    # 12,000.00 x 36 days x 12 % x 1.5 / 360
    assert {(line.component, line.rate, line.year_days) for line in loan.lines} == {
        ("penalty_interest", Decimal("0.18"), 360)
    }
    # the bank posts on the 15th and rounds each posting
    assert [(line.until, line.balance_days) for line in loan.lines] == [
        (date(2026, 11, 15), Money(31 * 1_200_000, "CNY")),
        (TODAY, Money(5 * 1_200_000, "CNY")),
    ]
    assert loan.total == Money.sum((line.amount for line in loan.lines), "CNY") == Money(21_600, "CNY")
    assert [(one.component, one.amount.minor) for one in card.lines] == [
        ("interest", 6_200),
        ("interest", 1_000),
    ]
    assert (card.day_count, card.rounding, card.compounding, card.unit_minor) == (
        "actual/360",
        "half_up",
        "simple",
        1,
    )


def test_a_payment_made_here_lowers_the_base_from_its_day(database: Database, keys: Keys) -> None:
    borrower = database.write(lambda session: zhao(session, keys))
    with database.read() as connection:
        (loan_id,) = accrued_for(connection, borrower, as_of=TODAY)

    def pay(session: Session) -> None:
        post_payment(
            session,
            loan_id=loan_id,
            parts={"principal": 600_000},
            suspense_minor=0,
            posted_on=date(2026, 11, 10),
            payment_id=None,
            line_ref="P-1",
            memo="",
            now=NOW,
        )

    with database.read() as connection:
        before = accrued_for(connection, borrower, as_of=TODAY)[loan_id]
    database.write(pay)

    with database.read() as connection:
        after = accrued_for(connection, borrower, as_of=TODAY)[loan_id]
    was, now = (Money.sum((line.balance_days for line in one.lines), "CNY") for one in (before, after))
    assert was - now == Money(10 * 600_000, "CNY")
    for line in after.lines:
        assert Money.sum((one.product for one in line.days), "CNY") == line.balance_days
    assert after.total < before.total


def test_nothing_of_others_and_three_statements_however_many_loans(database: Database, keys: Keys) -> None:
    def people(session: Session) -> tuple[int, int]:
        return lin(session, keys), zhao(session, keys)

    ours, theirs = database.write(people)

    with database.read() as connection, statements(connection.engine) as seen:
        mine = accrued_for(connection, ours, as_of=TODAY)
    with database.read() as connection:
        others = accrued_for(connection, theirs, as_of=TODAY)
        nobody = accrued_for(connection, 999_999, as_of=TODAY)

    assert len(seen) == 3
    assert len(mine) == 2
    assert not set(mine) & set(others)
    assert nobody == {}


def test_a_loan_opened_later_is_left_out(database: Database, keys: Keys) -> None:
    borrower = database.write(lambda session: lin(session, keys))

    with database.read() as connection:
        assert accrued_for(connection, borrower, as_of=date(2025, 5, 9)) == {}
        just_opened = accrued_for(connection, borrower, as_of=date(2025, 5, 10))
    assert [one.total.minor for one in just_opened.values()] == [0, 0]


def test_a_reversed_posting_and_later_lines_do_not_move_the_start(database: Database, keys: Keys) -> None:
    database.write(lambda session: zhao(session, keys))
    with database.read() as connection:
        (ledger,) = core_ledgers(connection)
    undone = Entry("X", Line(date(2026, 11, 1), "interest", {"interest": 5}), reversed=True)
    later = Entry("Y", Line(date(2026, 11, 25), "interest", {"interest": 5}))

    found = estimate(replace(ledger, entries=(*ledger.entries, undone, later)), as_of=TODAY)

    assert found.since == date(2026, 10, 15)


def test_the_lines_of_an_estimate_sum_to_its_total_to_the_minor_unit(database: Database, keys: Keys) -> None:
    database.write(lambda session: zhao(session, keys))
    with database.read() as connection:
        (ledger,) = core_ledgers(connection)
    for day in (date(2026, 10, 16), date(2026, 11, 3), date(2027, 2, 28)):
        found = estimate(
            replace(ledger, terms=replace(ledger.terms, compounding=Compounding.COMPOUND)), as_of=day
        )
        assert Money.sum((line.amount for line in found.lines), "CNY") == found.total
        assert found.until == day


def test_ledgers_are_read_whole_or_by_reference(database: Database, keys: Keys) -> None:
    database.write(lambda session: lin(session, keys))

    with database.read() as connection:
        every = [one.loan_ref for one in core_ledgers(connection)]
        one = [one.loan_ref for one in core_ledgers(connection, loan_ref="C-LIN-1")]
        none = list(core_ledgers(connection, loan_ref="NO-SUCH"))
        counts = [loan_count(connection, loan_ref=ref) for ref in (None, "C-LIN-1", "NO-SUCH")]
    assert (every, one, none, counts) == (["L-LIN-1", "C-LIN-1"], ["C-LIN-1"], [], [2, 1, 0])
