"""Files that are right in form and wrong in meaning: each of them is refused, or waits for a second person,
and the book stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portal.bank_files.mapping import Mapping
from portal.db import Database
from portal.intake.operations import Applied, Held, Refused, apply_batch
from portal.keys import Keys
from portal.staging.drift import Limits
from tests.conftest import BANK_MORNING
from tests.intake.book import Book, line, loan, small_book, write_book
from tests.intake.conftest import contents

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)
NEXT_DAY = date(2026, 11, 21)
#: A bank this small would count smaller changes than the usual floors.
LIMITS = Limits(book_floor=1, row_floor=1, phones_floor=2)
#: Loans of the book that the disasters happen to.
MANY = 40


def _book(sequence: int = 1) -> Book:
    """Forty more customers with a loan each; on the second day one of them pays his instalment."""
    book = small_book()
    book.sequence = sequence
    for index in range(MANY):
        ref = f"X{index:03d}"
        person = {**book.rows["customers"][0], "customer_ref": f"C{ref}", "phone": f"1991000{index:04d}"}
        book.rows["customers"].append(person)
        book.rows["loans"].append(loan(ref, f"C{ref}"))
        book.rows["ledger"] += [
            line(f"T{ref}1", ref, date(2026, 3, 7), "disbursement", principal=120_000),
            line(f"T{ref}2", ref, date(2026, 4, 5), "interest", interest=850),
            line(f"T{ref}3", ref, date(2026, 4, 6), "payment", principal=-10_000, interest=-850),
        ]
    if sequence > 1:
        book.business_date = NEXT_DAY
        book.rows["ledger"].append(line("TN1", "X000", NEXT_DAY, "payment", principal=-10_000))
    book.settle()
    return book


def _amounts(book: Book, file: str, change: Callable[[int], int], *, new_only: bool = False) -> None:
    for row in book.rows[file]:
        if new_only and row.get("posted_on") != NEXT_DAY:
            continue
        for name, value in row.items():
            if isinstance(value, int) and name not in ("pay_day", "term_count", "days_overdue"):
                row[name] = change(value)


def _every_amount(change: Callable[[int], int]) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        for file in ("loans", "ledger", "balances", "notices"):
            _amounts(book, file, change)

    return spoil


def _only(file: str, change: Callable[[int], int]) -> Callable[[Book], None]:
    return lambda book: _amounts(book, file, change)


def _new_lines(change: Callable[[int], int], *, settle: bool = False) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        _amounts(book, "ledger", change, new_only=True)
        if settle:
            book.settle()

    return spoil


def _swap(file: str, one: str, other: str) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        for row in book.rows[file]:
            row[one], row[other] = row[other], row[one]

    return spoil


def _each(file: str, **changes: Any) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        for row in book.rows[file]:
            row |= changes

    return spoil


def _rate_times(factor: int) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        for row in book.rows["loans"]:
            row["annual_rate"] *= factor
        book.settle()

    return spoil


def _shifted_phones(book: Book) -> None:
    """The column sorted by itself in a spreadsheet: everybody has the next one's number."""
    phones = [row["phone"] for row in book.rows["customers"]]
    for row, phone in zip(book.rows["customers"], phones[1:] + phones[:1], strict=True):
        row["phone"] = phone


def _one_phone(book: Book) -> None:
    for row in book.rows["customers"]:
        row["phone"] = "19988887777"


def _shifted_owners(book: Book) -> None:
    owners = [row["customer_ref"] for row in book.rows["loans"]]
    for row, owner in zip(book.rows["loans"], owners[1:] + owners[:1], strict=True):
        row["customer_ref"] = owner


def _everybody_pays_off(book: Book) -> None:
    for row in list(book.rows["loans"]):
        sums = sum(one["principal"] for one in book.rows["ledger"] if one["loan_ref"] == row["loan_ref"])
        if sums > 0:
            name = f"TP{row['loan_ref']}"
            book.rows["ledger"].append(line(name, row["loan_ref"], NEXT_DAY, "payment", principal=-sums))
    book.settle()


def _interest_in_yuan(book: Book) -> None:
    """A day's interest posted a hundred times too large on every loan, balances and all."""
    for row in list(book.rows["loans"]):
        book.rows["ledger"].append(
            line(f"TI{row['loan_ref']}", row["loan_ref"], NEXT_DAY, "interest", interest=29_00)
        )
    book.settle()


def _one_loan_explodes(book: Book) -> None:
    book.rows["ledger"].append(line("TB", "X007", NEXT_DAY, "fee", fee=50_000_000))
    book.settle()


def _new_loans_of_another_bank(book: Book) -> None:
    for index in range(50):
        ref = f"Z{index:03d}"
        book.rows["loans"].append(loan(ref, "C1"))
        book.rows["ledger"].append(line(f"T{ref}", ref, date(2026, 3, 7), "disbursement", principal=120_000))
    book.settle()


def _ledger_of_yesterday(book: Book) -> None:
    """Balances of today beside the ledger of yesterday."""
    book.rows["ledger"].pop()


def _half_the_ledger(book: Book) -> None:
    del book.rows["ledger"][20:]
    book.settle()


def _half_the_loans(book: Book) -> None:
    gone = {row["loan_ref"] for row in book.rows["loans"][20:]}
    for file in ("loans", "ledger", "balances"):
        book.rows[file] = [row for row in book.rows[file] if row["loan_ref"] not in gone]


def _payments_doubled(book: Book) -> None:
    again = [row for row in book.rows["ledger"] if row["kind"] == "payment"]
    book.rows["ledger"] += [{**row, "line_ref": f"{row['line_ref']}B"} for row in again]
    book.settle()


def _rounded_to_units(book: Book) -> None:
    _amounts(book, "balances", lambda minor: minor // 100 * 100)


def _currency_changed(book: Book) -> None:
    _each("loans", currency="USD")(book)


def _principal_times(factor: int) -> Callable[[Book], None]:
    def spoil(book: Book) -> None:
        for row in book.rows["loans"]:
            row["principal"] *= factor
        book.settle()

    return spoil


DISASTERS: dict[str, Callable[[Book], None]] = {
    "cents taken for yuan, everywhere": _every_amount(lambda minor: minor * 100),
    "yuan taken for cents, everywhere": _every_amount(lambda minor: minor // 100),
    "cents taken for yuan, in the new lines": _new_lines(lambda minor: minor * 100),
    "yuan taken for cents, in the new lines": _new_lines(lambda minor: minor // 100),
    "cents taken for yuan, in the balances": _only("balances", lambda minor: minor * 100),
    "signs flipped in the ledger": _only("ledger", lambda minor: -minor),
    "signs flipped in the new lines": _new_lines(lambda minor: -minor),
    "signs lost in the ledger": _only("ledger", abs),
    "principal and interest swapped in the ledger": _swap("ledger", "principal", "interest"),
    "principal and interest swapped in the balances": _swap("balances", "principal_owed", "interest_owed"),
    "owed and left swapped": _swap("balances", "principal_owed", "principal_left"),
    "owed and paid swapped": _swap("balances", "principal_owed", "principal_paid"),
    "opening and maturity swapped": _swap("loans", "opened_on", "matures_on"),
    "pay day and count of instalments swapped": _swap("loans", "pay_day", "term_count"),
    "rates in per cent": _rate_times(100),
    "rates in per mille of what they are": lambda book: _each("loans", annual_rate=Decimal("0.000088"))(book),
    "contracts in cents": _principal_times(100),
    "another currency": _currency_changed,
    "phones shifted by a row": _shifted_phones,
    "one phone for everybody": _one_phone,
    "owners shifted by a row": _shifted_owners,
    "everybody pays off at once": _everybody_pays_off,
    "interest a hundred times too large": _interest_in_yuan,
    "one loan explodes": _one_loan_explodes,
    "another bank's loans among ours": _new_loans_of_another_bank,
    "yesterday's ledger beside today's balances": _ledger_of_yesterday,
    "half the ledger": _half_the_ledger,
    "half the loans": _half_the_loans,
    "payments sent twice under new numbers": _payments_doubled,
    "balances rounded to whole units": _rounded_to_units,
}


def _take(
    database: Database, keys: Keys, book: Book, mapping: Mapping, folder: Path
) -> Applied | Refused | Held:
    return apply_batch(
        database,
        directory=write_book(book, mapping, folder),
        mapping=mapping,
        keys=keys,
        now=TOMORROW,
        limits=LIMITS,
    )


@pytest.fixture(scope="module")
def first_day(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, keys: Keys, harbour_mapping: Mapping
) -> Path:
    """A database with the book of the first day, to be copied."""
    folder = tmp_path_factory.mktemp("first")
    path = folder / "portal.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    assert isinstance(_take(database, keys, _book(), harbour_mapping, folder / "one"), Applied)
    with database.writer.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.dispose()
    return path


@pytest.fixture
def after_one_day(first_day: Path, tmp_path: Path) -> Any:
    """The book of the first day."""
    path = tmp_path / "portal.sqlite"
    path.write_bytes(first_day.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.mark.parametrize("name", DISASTERS)
def test_a_plausible_disaster_is_stopped(
    after_one_day: Database, keys: Keys, harbour_mapping: Mapping, tmp_path: Path, name: str
) -> None:
    before = contents(after_one_day)
    book = _book(2)
    DISASTERS[name](book)

    answer = _take(after_one_day, keys, book, harbour_mapping, tmp_path / "two")

    assert isinstance(answer, Refused | Held), name
    assert contents(after_one_day) == before


def test_the_same_day_without_a_disaster_goes_in(
    after_one_day: Database, keys: Keys, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    answer = _take(after_one_day, keys, _book(2), harbour_mapping, tmp_path / "two")

    assert isinstance(answer, Applied)


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (_one_loan_explodes, {"book", "row"}),
        (_interest_in_yuan, {"book"}),
        (_shifted_phones, {"phones"}),
        (_everybody_pays_off, {"book"}),
        (_rate_times(25), {"terms"}),
    ],
    ids=["a row twenty-fold", "the book by two per cent", "phones", "paid off", "rates"],
)
def test_what_is_right_in_itself_waits_and_says_why(
    after_one_day: Database,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
    spoil: Callable[[Book], None],
    rules: set[str],
) -> None:
    book = _book(2)
    spoil(book)

    answer = _take(after_one_day, keys, book, harbour_mapping, tmp_path / "two")

    assert isinstance(answer, Held), [one.en for one in answer.rejections][:3]  # type: ignore[union-attr]
    assert {one.rule for one in answer.findings} == rules
