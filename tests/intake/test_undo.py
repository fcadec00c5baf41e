"""The last batch can be taken back: byte for byte the book of before; and not once something rests on it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance, WithdrawnLine
from portal.accounts.operations import post_waiver
from portal.bank_files.mapping import Mapping
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.intake.operations import Applied, Refused, undo
from portal.intake.undo import CannotUndo, Undone
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.notices.models import Notice
from portal.notices.operations import mint
from portal.signing import Signer
from portal.visits.models import Visit
from tests.conftest import BANK_MORNING
from tests.disputes.scene import ZONE, Scene
from tests.intake.book import Book, line, small_book, write_book
from tests.intake.conftest import Take, balances, contents, proved
from tests.intake.test_batches import pay

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)
#: What the undo itself adds to, or what only remembers.
_RECORDS = {"audit_entry", "audit_seal", "intake_batch", "intake_file", "intake_before", "withdrawn_line"}


def book_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the records; balances without their version, which only rises."""
    found = {name: rows for name, rows in contents(database).items() if name not in _RECORDS}
    place = list(LoanBalance.__table__.columns.keys()).index("version")
    found["loan_balance"] = [(*row[:place], *row[place + 1 :]) for row in found["loan_balance"]]
    return found


def _figures(database: Database) -> dict[str, tuple[object, ...]]:
    """What each loan owes; ids and versions apart."""
    return {ref: tuple(row)[1:2] + tuple(row)[3:] for ref, row in balances(database).items()}


def second(**changes: Any) -> Book:
    """A second day on which everything changes: lines, a reversal, a person, a loan, a notice, a visit."""
    book = small_book()
    book.sequence, book.business_date = 2, date(2026, 11, 21)
    book.rows["ledger"] += [
        line("T12", "L1", date(2026, 11, 21), "payment", fee=-4_000, penalty_interest=-77),
        line("T13", "L1", date(2026, 11, 21), "reversal", cost=32_050, fee=1_000, reverses_ref="T6"),
        line("T14", "L3", date(2026, 11, 21), "disbursement", principal=120_000),
    ]
    book.rows["customers"].append({**book.rows["customers"][0], "customer_ref": "C3", "phone": "19900000003"})
    book.rows["customers"][1]["phone"] = "19900007777"
    book.rows["loans"].append({**book.rows["loans"][0], "loan_ref": "L3", "customer_ref": "C3"})
    book.rows["loans"][1]["product"] = "信用卡分期"
    book.rows["notices"].append(
        {**book.rows["notices"][0], "notice_ref": "N3", "loan_refs": ("L3",), "customer_ref": "C3"}
    )
    book.rows["notices"][0]["status"] = "withdrawn"
    book.rows["visits"][0]["state"] = "cancelled"
    book.rows["agencies"][0]["phone"] = "4000000002"
    for name, value in changes.items():
        setattr(book, name, value)
    book.settle()
    return book


def _undo(database: Database, now: datetime = TOMORROW) -> Undone | CannotUndo:
    return undo(database, by="P1", now=now)


def test_the_book_is_byte_for_byte_what_it_was(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    before = book_of(database)
    versions = {ref: row.version for ref, row in balances(database).items()}
    applied = take(database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)
    assert isinstance(applied, Applied), [one.en for one in applied.rejections]
    assert book_of(database) != before

    answer = _undo(database)

    assert isinstance(answer, Undone), answer.in_the_way
    assert (answer.sequence, answer.lines) == (2, 3)
    assert book_of(database) == before
    assert all(row.version > versions[ref] for ref, row in balances(database).items())
    proved(database)
    with database.read() as connection:
        kept = connection.execute(select(WithdrawnLine.line_ref).order_by(WithdrawnLine.line_ref))
        assert list(kept.scalars()) == ["T12", "T13", "T14"]


def test_the_corrected_batch_goes_in_under_the_same_number_and_with_the_same_lines(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    take(database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)
    _undo(database)
    corrected = second()
    corrected.rows["ledger"][11]["fee"] = -3_000
    corrected.settle()
    corrected.rows["ledger"][11]["memo"] = "更正"

    answer = take(database, write_book(corrected, harbour_mapping, tmp_path / "again"), now=TOMORROW)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    assert (answer.sequence, answer.new_lines, answer.repeated) == (2, 3, False)
    assert balances(database)["L1"].fee_paid_minor == 3_000
    proved(database)


def test_the_very_same_files_go_in_again_too(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    two = write_book(second(), harbour_mapping, tmp_path / "two")
    take(database, two, now=TOMORROW)
    applied = _figures(database)
    _undo(database)

    answer = take(database, two, now=TOMORROW)

    assert isinstance(answer, Applied)
    assert not answer.repeated
    assert _figures(database) == applied
    proved(database)


def test_the_first_batch_can_be_taken_back_and_leaves_nothing(
    database: Database, take: Take, batch: Path
) -> None:
    empty = book_of(database)
    take(database, batch)

    answer = _undo(database)

    assert isinstance(answer, Undone)
    assert book_of(database) == empty
    assert isinstance(_undo(database), CannotUndo)
    assert isinstance(take(database, batch), Applied)


def test_a_payment_made_before_the_batch_stands_as_it_stood(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    """The batch had the payment give way to the bank's own line; taken back, the portal's line counts again."""
    take(database, batch)
    pay(database, 20_077, "PAY1")
    before = book_of(database)
    book = second()
    book.rows["ledger"][11] = line(
        "T12",
        "L1",
        date(2026, 11, 21),
        "payment",
        principal=-20_000,
        penalty_interest=-77,
        external_ref="PAY1",
    )
    book.settle()
    applied = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)
    assert isinstance(applied, Applied), [one.en for one in applied.rejections]

    answer = _undo(database)

    assert isinstance(answer, Undone), answer.in_the_way
    assert book_of(database) == before
    proved(database)


def _pay_after(database: Database, keys: Keys) -> None:
    pay(database, 100, "PAY2", loan_ref="L2")


def _waive_after(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> None:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L1")).one()
        post_waiver(
            session,
            loan_id=loan_id,
            parts={"principal": 1},
            posted_on=date(2026, 11, 21),
            line_ref="W1",
            memo="",
            now=TOMORROW,
        )

    database.write(unit)


def _mint_after(database: Database, keys: Keys) -> None:
    database.write(lambda session: mint(session, keys=keys, zone="Asia/Shanghai", now=TOMORROW))


@pytest.mark.parametrize(
    ("later", "table"),
    [(_pay_after, "payment"), (_waive_after, "ledger_line"), (_mint_after, "notice")],
    ids=["a payment", "a waiver", "a code given out"],
)
def test_nothing_is_undone_once_something_rests_on_it(
    database: Database,
    take: Take,
    batch: Path,
    harbour_mapping: Mapping,
    keys: Keys,
    tmp_path: Path,
    later: Any,
    table: str,
) -> None:
    take(database, batch)
    take(database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)
    later(database, keys)
    before = contents(database)

    answer = _undo(database)

    assert isinstance(answer, CannotUndo)
    assert table in answer.in_the_way
    assert contents(database) == before


def test_a_row_somebody_added_about_a_new_person_stands_in_the_way(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    from portal.contacts.operations import place_hold

    take(sqlite_database, batch)
    take(sqlite_database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)

    def hold(session: Session) -> None:
        who = session.scalars(select(Borrower.id).where(Borrower.customer_ref == "C3")).one()
        place_hold(session, borrower_id=who, kind="pause", reason="proposal_open", source="x:1", now=TOMORROW)

    sqlite_database.write(hold)

    answer = _undo(sqlite_database)

    assert isinstance(answer, CannotUndo)
    assert answer.in_the_way == {"hold": 1}


def test_a_batch_whose_visit_was_written_about_stays(
    sqlite_database: Database, take: Take, batch: Path, keys: Keys, signer: Signer
) -> None:
    take(sqlite_database, batch)
    over = datetime(2026, 11, 30, 15, 40, tzinfo=ZONE)
    with sqlite_database.read() as connection:
        officer = connection.scalar(select(Visit.lead_officer_id).where(Visit.visit_ref == "V1"))
    assert officer is not None
    scene = Scene(sqlite_database, keys, signer, lin=0, officer=officer, pack=pack("cn"))
    scene.record(now=over)

    answer = _undo(sqlite_database, over)

    assert isinstance(answer, CannotUndo)
    assert answer.in_the_way["visit_record"] == 1


def test_a_line_leaves_the_ledger_only_while_its_batch_is_undone(
    database: Database, take: Take, batch: Path
) -> None:
    take(database, batch)

    with pytest.raises(DBAPIError, match="append-only"):
        database.write(lambda session: session.execute(delete(LedgerLine)))
    copied = {
        "created_at": TOMORROW, "line_id": 1, "batch_id": 1, "withdrawn_at": TOMORROW, "loan_id": 1, "line_ref": "T1",
        "source": "core", "posted_on": date(2026, 3, 7), "kind": "fee", "memo": "", "external_ref": "",
        **{f"{name}_minor": 0 for name in ("cost", "fee", "penalty_interest", "interest", "principal", "suspense")},
    }  # fmt: skip
    with pytest.raises(DBAPIError, match="append-only"):
        database.write(
            lambda session: (
                session.execute(insert(WithdrawnLine), [copied]),
                session.execute(delete(LedgerLine).where(LedgerLine.id == 1)),
            )
        )
    with pytest.raises(DBAPIError, match="append-only"):
        database.write(
            lambda session: (
                session.execute(insert(WithdrawnLine), [copied]),
                session.execute(delete(WithdrawnLine)),
            )
        )


def test_only_the_last_batch_goes_and_the_one_before_can_follow_no_more(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    """What the first batch had changed is no longer kept once the second is in; but it changed nothing that
    was there before, so it can go too."""
    take(sqlite_database, batch)
    take(sqlite_database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(_undo(sqlite_database), Undone)
    third = second(sequence=3)
    refused = take(sqlite_database, write_book(third, harbour_mapping, tmp_path / "three"), now=TOMORROW)

    assert isinstance(refused, Refused)
    assert [one.reason for one in refused.rejections] == ["sequence_gap"]


def test_a_notice_withdrawn_by_the_batch_is_live_again_at_the_public_door(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, keys: Keys, tmp_path: Path
) -> None:
    from portal.notices.faces import NoticeFace

    take(sqlite_database, batch)
    sqlite_database.write(lambda session: mint(session, keys=keys, zone="Asia/Shanghai", now=BANK_MORNING))
    take(sqlite_database, write_book(second(), harbour_mapping, tmp_path / "two"), now=TOMORROW)
    with sqlite_database.read() as connection:
        notice = connection.scalar(select(Notice.id).where(Notice.notice_ref == "N1"))
        withdrawn = connection.scalar(select(NoticeFace.status).where(NoticeFace.notice_id == notice))

    assert isinstance(_undo(sqlite_database), Undone)

    with sqlite_database.read() as connection:
        again = connection.scalar(select(NoticeFace.status).where(NoticeFace.notice_id == notice))
    assert (withdrawn, again) == ("withdrawn", "live")
