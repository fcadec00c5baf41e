"""Correcting lines: what is taken back never exceeds what was paid, and a reversal restores what was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.accounts.corrections import (
    PLACES,
    post_charge_back,
    post_refund,
    post_write_down,
    taken_of,
)
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import (
    Posted,
    UnableToPost,
    line_values,
    rebalance,
    self_check,
)
from portal.accounts.reconcile_core import park_overpaid
from portal.db import Database
from portal.keys import Keys
from tests.accounts.taking import SAID, TODAY, figures, move, pay, proved, take, two_loans, undo
from tests.conftest import BANK_MORNING


@pytest.fixture
def loans(database: Database, keys: Keys) -> tuple[int, int]:
    """Two loans of one borrower."""
    return two_loans(database, keys)


@pytest.mark.parametrize("post", [post_charge_back, post_refund])
def test_what_is_taken_back_lowers_paid_and_raises_left(
    database: Database, loans: tuple[int, int], post: Any
) -> None:
    paid = pay(database, loans[0], interest=9_000, principal=50_000, suspense=700)

    first = take(database, paid, "X1", post=post, interest=4_000, suspense=700)
    again = take(database, paid, "X1", post=post, interest=4_000, suspense=700)

    (after,) = figures(database, loans[0])
    assert (first.repeated, again) == (False, Posted(first.line_id, repeated=True))
    assert after["interest_paid_minor"] == 5_000
    assert after["suspense_minor"] == 0
    assert after["interest_owed_minor"] == 10_000
    proved(database)


def test_taking_back_the_whole_of_a_payment_leaves_what_was_before(
    database: Database, loans: tuple[int, int]
) -> None:
    before = figures(database, loans[0])
    paid = pay(database, loans[0], interest=9_000, principal=50_000, suspense=700)

    take(database, paid, "X1", interest=9_000)
    take(database, paid, "X2", post=post_charge_back, principal=50_000, suspense=700)

    assert figures(database, loans[0]) == before
    proved(database)


@pytest.mark.parametrize(
    ("parts", "suspense", "reason", "component"),
    [
        ({"interest": 9_001}, 0, "taken", "interest"),
        ({"principal": 1}, 0, "taken", "principal"),
        ({}, 701, "taken", "suspense"),
        ({}, 0, "nothing", ""),
        ({"interest": -1}, 0, "negative", "interest"),
        ({"tax": 1}, 0, "component", "tax"),
    ],
)
def test_more_than_was_paid_is_refused_component_by_component(
    database: Database,
    loans: tuple[int, int],
    parts: dict[str, int],
    suspense: int,
    reason: str,
    component: str,
) -> None:
    paid = pay(database, loans[0], interest=9_000, suspense=700)
    before = figures(database, loans[0])

    with pytest.raises(UnableToPost) as refused:
        take(database, paid, "X1", suspense=suspense, **parts)

    assert (refused.value.reason, refused.value.component) == (reason, component)
    assert figures(database, loans[0]) == before


def test_part_by_part_no_more_than_the_payment(database: Database, loans: tuple[int, int]) -> None:
    paid = pay(database, loans[0], interest=9_000)
    pay(database, loans[0], "P2", interest=1_000)
    take(database, paid, "X1", interest=6_000)
    take(database, paid, "X2", post=post_charge_back, interest=2_000)

    with pytest.raises(UnableToPost, match="taken interest"):
        take(database, paid, "X3", interest=1_001)

    with database.read() as connection, Session(connection) as session:
        assert taken_of(session, paid) == {**dict.fromkeys(PLACES, 0), "interest": 8_000}
    proved(database)


def test_only_payments_that_stand_can_be_taken_back(database: Database, loans: tuple[int, int]) -> None:
    paid = pay(database, loans[0], interest=9_000)
    undo(database, paid, "R1")
    with database.read() as connection:
        charge = connection.scalar(select(LedgerLine.id).where(LedgerLine.kind == "interest"))
    assert charge is not None

    for line_id, reason in ((paid, "reversed"), (charge, "line"), (9_999_999, "line")):
        with pytest.raises(UnableToPost, match=reason):
            take(database, line_id, f"X{line_id}", interest=1)


def test_a_dispute_won_credits_the_money_again(database: Database, loans: tuple[int, int]) -> None:
    paid = pay(database, loans[0], interest=9_000, suspense=50)
    before = figures(database, loans[0])
    taken = take(database, paid, "X1", post=post_charge_back, interest=9_000, suspense=50)

    first, again = undo(database, taken.line_id, "R1"), undo(database, taken.line_id, "R2")

    assert figures(database, loans[0]) == before
    assert again == Posted(first.line_id, repeated=True)
    take(database, paid, "X2", interest=9_000)
    proved(database)


def test_money_that_comes_back_after_others_paid_goes_to_suspense(
    database: Database, loans: tuple[int, int]
) -> None:
    paid = pay(database, loans[0], interest=9_000)
    taken = take(database, paid, "X1", post=post_charge_back, interest=9_000)
    pay(database, loans[0], "P2", interest=8_000)

    undo(database, taken.line_id, "R1")

    (after,) = figures(database, loans[0])
    assert (after["interest_paid_minor"], after["suspense_minor"]) == (10_000, 7_000)
    proved(database)


def test_a_payment_is_not_undone_while_part_of_it_is_taken_back(
    database: Database, loans: tuple[int, int]
) -> None:
    paid = pay(database, loans[0], interest=9_000)
    taken = take(database, paid, "X1", interest=1)

    with pytest.raises(UnableToPost, match="taken"):
        undo(database, paid, "R1")

    undo(database, taken.line_id, "R2")
    undo(database, paid, "R3")
    assert figures(database, loans[0])[0]["interest_paid_minor"] == 0
    proved(database)


def test_a_write_down_is_forgiven_once_and_can_be_undone(database: Database, loans: tuple[int, int]) -> None:
    before = figures(database, loans[0])

    def unit(session: Session) -> Posted:
        return post_write_down(session, loan_id=loans[0], parts={"principal": 5_000}, line_ref="D1", **SAID)

    first, again = database.write(unit), database.write(unit)

    (after,) = figures(database, loans[0])
    assert (after["principal_forgiven_minor"], after["principal_paid_minor"]) == (5_000, 0)
    assert (first.repeated, again) == (False, Posted(first.line_id, repeated=True))
    proved(database)
    undo(database, first.line_id, "R1")
    assert figures(database, loans[0]) == before


def test_unplaced_money_moves_to_the_components_of_another_loan_and_back(
    database: Database, loans: tuple[int, int]
) -> None:
    pay(database, loans[0], suspense=5_000)
    before = figures(database, *loans)

    moved = move(database, loans, "T1", {"suspense": 5_000}, {"interest": 3_000, "principal": 2_000})
    again = move(database, loans, "T1", {"suspense": 5_000}, {"interest": 3_000, "principal": 2_000})

    one, two = figures(database, *loans)
    assert again == Posted(moved.line_id, repeated=True)
    assert one["suspense_minor"] == 0
    assert (two["interest_paid_minor"], two["principal_paid_minor"]) == (3_000, 2_000)
    proved(database)
    undo(database, moved.line_id, "R1")
    assert figures(database, *loans) == before
    proved(database)


def test_within_one_loan_money_changes_its_component(database: Database, loans: tuple[int, int]) -> None:
    pay(database, loans[0], principal=500)

    move(database, (loans[0], loans[0]), "T1", {"principal": 500}, {"interest": 400, "principal": 100})

    (after,) = figures(database, loans[0])
    assert (after["interest_paid_minor"], after["principal_paid_minor"]) == (400, 100)
    proved(database)


@pytest.mark.parametrize(
    ("take", "give", "ref", "reason"),
    [
        ({"suspense": 5_000}, {"interest": 4_999}, "T1", "sum"),
        ({"suspense": 5_001}, {"interest": 5_001}, "T1", "moved suspense"),
        ({"interest": 1}, {"interest": 1}, "T1", "moved interest"),
        ({"suspense": 5_000}, {"penalty_interest": 5_000}, "T1", "overpaid penalty_interest"),
        ({"suspense": 0}, {"interest": 0}, "T1", "nothing"),
        ({"suspense": -1}, {"interest": -1}, "T1", "negative"),
        ({"tax": 1}, {"interest": 1}, "T1", "component tax"),
        ({"suspense": 1}, {"interest": 1}, "T" * 45, "line_ref"),
    ],
)
def test_a_move_that_cannot_be_is_refused_and_changes_nothing(
    database: Database,
    loans: tuple[int, int],
    take: dict[str, int],
    give: dict[str, int],
    ref: str,
    reason: str,
) -> None:
    pay(database, loans[0], suspense=5_000)
    before = figures(database, *loans)

    with pytest.raises(UnableToPost, match=reason):
        move(database, loans, ref, take, give)

    assert figures(database, *loans) == before


def test_money_never_moves_across_currencies(database: Database, loans: tuple[int, int]) -> None:
    pay(database, loans[0], suspense=5_000)

    def foreign(session: Session) -> None:
        loan = session.get(Loan, loans[1])
        assert loan is not None
        loan.currency = "HKD"

    database.write(foreign)

    with pytest.raises(UnableToPost, match="currency"):
        move(database, loans, "T1", {"suspense": 5_000}, {"interest": 5_000})


def test_a_charge_back_brings_moved_money_back_first_and_a_refund_does_not(
    database: Database, loans: tuple[int, int]
) -> None:
    before = figures(database, *loans)
    paid = pay(database, loans[0], suspense=5_000)
    move(database, loans, "T1", {"suspense": 2_000}, {"interest": 2_000})
    move(database, loans, "T2", {"suspense": 3_000}, {"principal": 3_000})

    with pytest.raises(UnableToPost, match="moved suspense"):
        take(database, paid, "X1", suspense=5_000)
    take(database, paid, "X2", post=post_charge_back, suspense=5_000)

    assert figures(database, *loans) == before
    proved(database)


@pytest.mark.parametrize("at_once", [2, 8])
def test_refunds_of_one_payment_at_once_never_exceed_it(
    database: Database, loans: tuple[int, int], at_once: int
) -> None:
    paid = pay(database, loans[0], interest=9_000)
    pay(database, loans[0], "P2", interest=1_000)
    outcomes = _at_once(at_once, lambda number: take(database, paid, f"X{number}", interest=6_000))

    assert sorted(outcomes) == ["done", *["taken"] * (at_once - 1)]
    assert figures(database, loans[0])[0]["interest_paid_minor"] == 4_000
    proved(database)


def test_moves_of_the_same_money_at_once_move_it_once(database: Database, loans: tuple[int, int]) -> None:
    pay(database, loans[0], suspense=5_000)
    there, within = loans, (loans[0], loans[0])

    outcomes = _at_once(
        6,
        lambda number: move(
            database, there if number % 2 else within, f"T{number}", {"suspense": 5_000}, {"interest": 5_000}
        ),
    )

    assert sorted(outcomes) == ["done", *["moved"] * 5]
    assert sum(one["interest_paid_minor"] for one in figures(database, *loans)) == 5_000
    proved(database)


def _at_once(count: int, act: Callable[[int], object]) -> list[str]:
    barrier, outcomes = threading.Barrier(count), list[str]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            act(number)
            outcomes.append("done")
        except UnableToPost as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _bare(loan_id: int, line_id: int | None, ref: str, minor: int, kind: str = "refund") -> Any:
    """A line put into the table past every operation."""
    values = line_values(loan_id, kind, {"interest": -minor}, TODAY, ref, "", BANK_MORNING)
    return insert(LedgerLine).values({**values, "of_line_id": line_id})


@pytest.mark.parametrize("kind", ["refund", "charge_back"])
def test_the_database_itself_refuses_to_take_back_more_than_was_paid(
    database: Database, loans: tuple[int, int], kind: str
) -> None:
    paid = pay(database, loans[0], interest=9_000)
    other = pay(database, loans[1], "P2", interest=9_000)
    database.write(lambda session: session.execute(_bare(loans[0], paid, "X1", 5_000, kind)))

    for line_id, minor in ((paid, 4_001), (None, 1), (other, 1), (paid, -1)):
        with pytest.raises(DBAPIError, match="more taken back than was paid"):
            database.write(
                lambda session, line_id=line_id, minor=minor: session.execute(
                    _bare(loans[0], line_id, "X2", minor, kind)
                )
            )

    database.write(lambda session: session.execute(_bare(loans[0], paid, "X3", 4_000, kind)))


def test_who_takes_while_another_takes_waits_and_counts_it(
    database: Database, loans: tuple[int, int]
) -> None:
    """Past every operation: the second insert comes while the first is not committed yet."""
    paid = pay(database, loans[0], interest=9_000)
    ended, outcomes = threading.Event(), list[str]()

    def second() -> None:
        try:
            database.write(lambda session: session.execute(_bare(loans[0], paid, "X2", 6_000)))
            outcomes.append("done")
        except DBAPIError as error:
            outcomes.append("taken" if "more taken back than was paid" in str(error) else str(error))
        ended.set()

    other = threading.Thread(target=second)

    def first(session: Session) -> None:
        session.execute(_bare(loans[0], paid, "X1", 6_000))
        other.start()
        assert not ended.wait(0.3)  # it waits for this transaction

    database.write(first)
    other.join()

    assert outcomes == ["taken"]


@pytest.mark.parametrize("figure", ["interest_paid_minor", "fee_forgiven_minor", "suspense_minor"])
def test_the_database_refuses_a_balance_below_nought(
    database: Database, loans: tuple[int, int], figure: str
) -> None:
    def unit(session: Session) -> None:
        held = session.get(LoanBalance, loans[0])
        assert held is not None
        setattr(held, figure, -1)

    with pytest.raises(DBAPIError):
        database.write(unit)


def test_the_self_check_finds_a_transfer_with_one_line(database: Database, loans: tuple[int, int]) -> None:
    pay(database, loans[0], interest=9_000)

    def unit(session: Session) -> None:
        session.execute(_bare(loans[0], None, "T1-out", 1_000, "transfer"))
        rebalance(session, loan_ids=loans, as_of=TODAY, now=BANK_MORNING)

    database.write(unit)

    with database.read() as connection:
        (found,) = self_check(connection)
    assert "do not cancel out" in found


def test_when_the_bank_undoes_a_payment_its_moved_money_comes_back(
    database: Database, loans: tuple[int, int]
) -> None:
    """The bank posts more payments of interest than there was interest; the rest waits. Then it undoes one."""
    first = _core(database, loans[0], "B1", "payment", interest=-9_000)
    _core(database, loans[0], "B2", "payment", interest=-9_000)
    assert figures(database, loans[0])[0]["suspense_minor"] == 8_000

    _core(database, loans[0], "B3", "reversal", first, interest=9_000)

    (after,) = figures(database, loans[0])
    assert (after["interest_paid_minor"], after["suspense_minor"]) == (9_000, 0)
    proved(database)


def test_a_refund_gives_way_when_the_bank_undoes_the_payment_itself(
    database: Database, loans: tuple[int, int]
) -> None:
    before = figures(database, loans[0])
    paid = _core(database, loans[0], "B1", "payment", interest=-9_000)
    take(database, paid, "X1", interest=4_000)

    _core(database, loans[0], "B2", "reversal", paid, interest=9_000)

    assert figures(database, loans[0]) == before
    proved(database)


def _core(
    database: Database, loan_id: int, ref: str, kind: str, reverses: int | None = None, *, interest: int
) -> int:
    """A line of the bank, and what intake does after its lines."""

    def unit(session: Session) -> int:
        values = line_values(loan_id, kind, {"interest": -interest}, TODAY, ref, "", BANK_MORNING)
        values |= {"source": "core", "reverses_id": reverses}
        made = session.scalars(insert(LedgerLine).values(values).returning(LedgerLine.id)).one()
        park_overpaid(session, loan_ids=[loan_id], posted_on=TODAY, label=ref, now=BANK_MORNING)
        rebalance(session, loan_ids=[loan_id], as_of=TODAY, now=BANK_MORNING)
        return made

    return database.write(unit)
