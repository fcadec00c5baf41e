"""The two files a bank may leave out: transfers received, and changes of rates; and the knobs of a loan."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import tasks
from portal.accounts.models import Loan, LoanRate
from portal.bank_files.mapping import Mapping, load_mapping
from portal.db import Database
from portal.intake.operations import Applied, Refused
from portal.intake.undo import Undone, undo_last
from portal.keys import Keys
from portal.payments.models import IncomingTransfer, Payment, UnplacedMoney
from portal.payments.references import transfer_reference
from tests.conftest import BANK_MORNING
from tests.intake.book import BUSINESS_DATE, Book, line, small_book, write_book
from tests.intake.conftest import Take, balances, contents, proved

pytestmark = pytest.mark.slow

NAMES = ("harbour", "portal")


def incoming(ref: str, text: str, minor: int = 30_000, **changes: Any) -> dict[str, Any]:
    """A row of the transfers file."""
    row: dict[str, Any] = {
        "transfer_ref": ref,
        "value_on": BUSINESS_DATE,
        "amount": minor,
        "currency": "CNY",
        "text": text,
        "payer_name": "林䶮",
        "payer_tail": "0034",
        "reverses_ref": None,
    }
    return row | changes


def with_transfers(*rows: dict[str, Any], sequence: int = 1, days: int = 0) -> Book:
    """The small book with transfers."""
    book = small_book()
    book.sequence, book.business_date = sequence, BUSINESS_DATE + timedelta(days=days)
    book.settle()
    book.rows["transfers"] = list(rows)
    return book


@pytest.mark.parametrize("name", NAMES)
def test_transfers_come_in_sealed_and_are_booked_by_the_worker(
    portal_app: Flask, keys: Keys, take: Take, tmp_path: Path, name: str
) -> None:
    portal, mapping = portal_app.extensions["portal"], load_mapping(name)
    reference = transfer_reference(keys, "L1").lower()
    book = with_transfers(
        incoming("2026/IN:1", f'还款，"{reference}" 林䶮'),
        incoming("IN-2", "=1+1 没有编号", 7_700),
    )

    answer = take(portal.db, write_book(book, mapping, tmp_path / "batch"), mapping)
    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    before = balances(portal.db)["L1"].due_now_minor
    booked = tasks.book_transfers(portal)

    assert (answer.rows["transfers"], booked) == (2, 2)
    assert balances(portal.db)["L1"].due_now_minor == before - 30_000
    with portal.db.read() as connection:
        rows = {row.transfer_ref: row for row in connection.execute(select(IncomingTransfer.__table__))}
        payment = connection.execute(select(Payment.__table__)).one()
        unplaced = connection.execute(select(UnplacedMoney.__table__)).one()
    assert {ref: row.outcome for ref, row in rows.items()} == {"2026/IN:1": "placed", "IN-2": "unplaced"}
    assert keys.unseal("transfer.text", rows["IN-2"].text_sealed) == "=1+1 没有编号"
    assert (payment.method, payment.amount_minor, payment.state) == ("bank_transfer", 30_000, "posted")
    assert (unplaced.amount_minor, unplaced.reason) == (7_700, "unknown_reference")
    proved(portal.db)


def test_a_transfer_sent_again_is_taken_once_and_with_other_content_refuses_the_batch(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    first = with_transfers(incoming("IN-1", "a"))
    take(database, write_book(first, portal_mapping, tmp_path / "1"), portal_mapping)
    again = with_transfers(incoming("IN-1", "a"), incoming("IN-2", "b"), sequence=2)
    other = with_transfers(incoming("IN-1", "a", 30_001), sequence=3)

    taken = take(database, write_book(again, portal_mapping, tmp_path / "2"), portal_mapping)
    before = contents(database)
    refused = take(database, write_book(other, portal_mapping, tmp_path / "3"), portal_mapping)

    assert isinstance(taken, Applied)
    assert isinstance(refused, Refused)
    assert [(one.file, one.reason, one.line) for one in refused.rejections] == [
        ("transfers.csv", "transfer_changed", 2)
    ]
    assert contents(database) == before
    with database.read() as connection:
        refs = connection.scalars(select(IncomingTransfer.transfer_ref)).all()
    assert sorted(refs) == ["IN-1", "IN-2"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([incoming("IN-1", "a", 0)], "amount_zero"),
        ([incoming("IN-1", "a", value_on=BUSINESS_DATE + timedelta(days=1))], "posted_future"),
        ([incoming("IN-1", "a"), incoming("IN-1", "a")], "duplicate"),
        ([incoming("IN-1", "a", reverses_ref="IN-9")], "unknown_ref"),
        ([incoming("IN-1", "a"), incoming("IN-2", "b", 1, reverses_ref="IN-1")], "reversal_amount"),
        (
            [incoming("IN-1", "a"), *(incoming(ref, "b", reverses_ref="IN-1") for ref in ("IN-2", "IN-3"))],
            "reversal_again",
        ),
        (
            [
                incoming("IN-1", "a"),
                incoming("IN-2", "b", reverses_ref="IN-1"),
                incoming("IN-3", "c", reverses_ref="IN-2"),
            ],
            "reversal_kind",
        ),
        ([incoming("IN 1", "a")], "ref"),
    ],
    ids=["zero", "future", "twice", "unknown", "amount", "again", "kind", "form"],
)
def test_transfers_that_cannot_be_refuse_the_batch(
    database: Database,
    take: Take,
    portal_mapping: Mapping,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    reason: str,
) -> None:
    answer = take(
        database, write_book(with_transfers(*rows), portal_mapping, tmp_path / "batch"), portal_mapping
    )

    assert isinstance(answer, Refused)
    assert reason in {one.reason for one in answer.rejections}


def test_a_transfer_that_the_core_posts_itself_is_counted_once(
    portal_app: Flask, keys: Keys, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    portal = portal_app.extensions["portal"]
    book = with_transfers(incoming("IN-1", transfer_reference(keys, "L1"), 10_000))
    take(portal.db, write_book(book, portal_mapping, tmp_path / "1"), portal_mapping)
    left = balances(portal.db)["L1"].principal_owed_minor - balances(portal.db)["L1"].principal_paid_minor
    tasks.book_transfers(portal)
    paid_here = balances(portal.db)["L1"]
    later = with_transfers(sequence=2, days=1)
    del later.rows["transfers"]
    day = BUSINESS_DATE + timedelta(days=1)
    later.rows["ledger"].append(
        line(
            "T99",
            "L1",
            day,
            "payment",
            principal=-5_923,
            penalty_interest=-77,
            fee=-4_000,
            external_ref="IN-1",
        )
    )
    later.settle()

    answer = take(
        portal.db,
        write_book(later, portal_mapping, tmp_path / "2"),
        portal_mapping,
        BANK_MORNING + timedelta(days=1),
    )

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    row = balances(portal.db)["L1"]
    assert row.principal_paid_minor == paid_here.principal_paid_minor
    assert row.principal_owed_minor - row.principal_paid_minor == left - 5_923
    proved(portal.db)


def test_rates_and_knobs_of_a_loan_come_in_and_are_brought_up_to_date(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    book = small_book()
    book.rows["loans"][0] |= {"rounding": "half_even", "unit": 100, "compounding": "compound"}
    change = {"loan_ref": "L1", "from_on": date(2026, 6, 1), "annual_rate": Decimal("0.075")}
    book.rows["rate_changes"] = [
        change | {"penalty_rate": None},
        change | {"from_on": date(2026, 9, 1), "penalty_rate": Decimal("0.12")},
    ]
    take(database, write_book(book, portal_mapping, tmp_path / "1"), portal_mapping)
    later = small_book()
    later.sequence = 2
    later.rows["loans"][0] |= {"rounding": "floor"}
    later.rows["rate_changes"] = [change | {"annual_rate": Decimal("0.07"), "penalty_rate": None}]

    answer = take(database, write_book(later, portal_mapping, tmp_path / "2"), portal_mapping)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    with database.read() as connection:
        loans = {
            row.loan_ref: (row.rounding, row.unit_minor, row.compounding)
            for row in connection.execute(select(Loan.__table__))
        }
        rates = connection.execute(
            select(LoanRate.from_on, LoanRate.annual_rate, LoanRate.penalty_rate).order_by(LoanRate.from_on)
        ).all()
    assert loans == {"L1": ("floor", 1, "simple"), "L2": ("half_up", 1, "simple")}
    assert [tuple(row) for row in rates] == [
        (date(2026, 6, 1), Decimal("0.07"), None),
        (date(2026, 9, 1), Decimal("0.075"), Decimal("0.12")),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loan_ref": "L9"}, "unknown_ref"),
        ({"annual_rate": "x"}, "rate"),
    ],
)
def test_a_rate_of_no_loan_or_that_is_none_refuses_the_batch(
    sqlite_database: Database,
    take: Take,
    portal_mapping: Mapping,
    tmp_path: Path,
    changes: dict[str, Any],
    reason: str,
) -> None:
    book = small_book()
    row = {
        "loan_ref": "L1",
        "from_on": date(2026, 6, 1),
        "annual_rate": Decimal("0.07"),
        "penalty_rate": None,
    }
    book.rows["rate_changes"] = [row | changes]

    answer = take(sqlite_database, write_book(book, portal_mapping, tmp_path / "1"), portal_mapping)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == [reason]


def test_the_same_rate_twice_refuses_the_batch(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    book = small_book()
    row = {
        "loan_ref": "L1",
        "from_on": date(2026, 6, 1),
        "annual_rate": Decimal("0.07"),
        "penalty_rate": None,
    }
    book.rows["rate_changes"] = [row, row]

    answer = take(database, write_book(book, portal_mapping, tmp_path / "1"), portal_mapping)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["duplicate"]


def test_an_undone_batch_takes_its_rates_with_it(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    book, later = small_book(), small_book()
    later.sequence = 2
    row = {
        "loan_ref": "L1",
        "from_on": date(2026, 6, 1),
        "annual_rate": Decimal("0.07"),
        "penalty_rate": None,
    }
    book.rows["rate_changes"] = [row]
    later.rows["rate_changes"] = [
        row | {"annual_rate": Decimal("0.06")},
        row | {"from_on": date(2026, 7, 1)},
    ]
    take(database, write_book(book, portal_mapping, tmp_path / "1"), portal_mapping)
    before = contents(database)["loan_rate"]
    take(database, write_book(later, portal_mapping, tmp_path / "2"), portal_mapping)

    done = database.write(lambda session: undo_last(session, by="H-1", now=BANK_MORNING))

    assert isinstance(done, Undone)
    assert contents(database)["loan_rate"] == before
