"""Texts are kept exactly as the bank wrote them, however dangerous they look."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlalchemy import select

from portal.bank_files.mapping import Mapping
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.keys import Keys
from tests.intake.book import cells_of, line, small_book, write_book
from tests.intake.conftest import Take


def test_texts_that_look_dangerous_are_stored_exactly(
    database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path, keys: Keys
) -> None:
    book = small_book()
    naughty = [
        "=1+1",
        "<script>alert(1)</script>",
        "\u202etxt.exe",
        "😀👨\u200d👩",
        "䶮㛃喆",
        "阿卜杜·热合曼",
        'a "quoted", b',
    ]
    for index, text in enumerate(naughty):
        row = {**book.rows["customers"][0], "customer_ref": f"X{index}", "name": text, "address": text}
        book.rows["customers"].append(row)

    take(database, write_book(book, harbour_mapping, tmp_path / "batch"))

    with database.read() as connection:
        rows = connection.execute(
            select(Borrower.name_sealed)
            .where(Borrower.customer_ref.like("X%"))
            .order_by(Borrower.customer_ref)
        )
        assert [keys.unseal("borrower.name", row.name_sealed) for row in rows] == naughty


def test_cells_of_the_book_are_what_the_bank_writes(harbour_mapping: Mapping) -> None:
    cells = cells_of(
        "ledger", line("T6", "L1", date(2026, 5, 7), "payment", cost=-5, fee=-7), harbour_mapping
    )

    assert (cells["费用"], cells["交易类型"], cells["记账日"]) == ("-0.12", "还款", "20260507")
