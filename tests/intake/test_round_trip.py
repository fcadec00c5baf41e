"""parse(write(x)) = x for generated rows in every encoding, line end, separator and quoting style; and no
order of any file's rows matters."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bank_files.blocks import read_blocks
from portal.bank_files.fields import parser_for
from portal.bank_files.mapping import ENCODINGS, LINE_ENDS, Mapping, load_mapping
from portal.bank_files.reading import Read, Source
from portal.bank_files.rejections import Rejections
from portal.db import Database
from portal.intake.operations import Applied
from tests.intake.book import cells_of, line, small_book, write_book
from tests.intake.conftest import Take, balances, proved

HARBOUR, PORTAL = load_mapping("harbour"), load_mapping("portal")
STYLES = {
    "as few as can be": csv.QUOTE_MINIMAL,
    "all": csv.QUOTE_ALL,
    "all but numbers": csv.QUOTE_NONNUMERIC,
}

#: What a bank may write in a memo; the replacement character and controls are refused elsewhere.
MEMOS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="�")
    | st.sampled_from("\n\t\",;|'= 䶮㛃😀‮"),
    min_size=1,
    max_size=40,
)
AMOUNT = st.integers(-(10**12), 10**12)
ROWS = st.lists(
    st.builds(
        lambda number, loan, days, memo, amounts: line(
            f"T{number}",
            loan,
            date(1970, 1, 1) + timedelta(days=days),
            "payment",
            **dict(zip(("principal", "interest", "penalty_interest", "fee"), amounts, strict=True)),
            memo=memo,
            external_ref=f"R{number}" if number % 2 else None,
        ),
        st.integers(0, 10**9),
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", fullmatch=True),
        st.integers(0, 84_000),
        st.none() | MEMOS,
        st.tuples(AMOUNT, AMOUNT, AMOUNT, AMOUNT),
    ),
    min_size=1,
    max_size=12,
)


@given(
    rows=ROWS,
    encoding=st.sampled_from(ENCODINGS),
    line_end=st.sampled_from(list(LINE_ENDS.values())),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    style=st.sampled_from(list(STYLES.values())),
    shipped=st.sampled_from([HARBOUR, PORTAL]),
)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    encoding: str,
    line_end: bytes,
    delimiter: str,
    style: int,
    shipped: Mapping,
) -> None:
    mapping = replace(shipped, encoding=encoding, line_end=line_end, delimiter=delimiter)
    form = mapping.files["ledger"]
    path = tmp_path_factory.mktemp("round") / "ledger.csv"
    stream = io.StringIO(newline="")
    written = [list(cells_of("ledger", row, mapping).values()) for row in rows]
    csv.writer(stream, delimiter=delimiter, quoting=style, lineterminator=line_end.decode()).writerows(
        written
    )  # type: ignore[arg-type]
    body = stream.getvalue().encode("utf-8" if encoding == "utf-8-sig" else encoding)
    path.write_bytes(mapping.header("ledger") + line_end + body)

    rejections, found = Rejections(), []
    source = Source(path, form, mapping, lambda cells: mapping.currency)
    for block in read_blocks(source, rejections, Read(), exponent=2):
        found += block.rows()

    assert [(one.line, one.column, one.en) for one in rejections] == []
    assert [list(cells) for cells in found] == written
    for row, cells in zip(rows, found, strict=True):
        values = {
            name: parser_for(form.fields[name], mapping.forms, form.codes.get(name, {}))(cell, "CNY")
            for name, cell in zip(form.columns.values(), cells, strict=True)
        }
        for name in (
            "line_ref",
            "loan_ref",
            "posted_on",
            "memo",
            "principal",
            "interest",
            "penalty_interest",
        ):
            assert values[name] == row[name]


def _figures(database: Database) -> dict[str, tuple[object, ...]]:
    """What each loan owes; ids apart, which follow the order of the file."""
    return {ref: tuple(row)[1:-1] for ref, row in balances(database).items()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_any_files_rows_matters(
    sqlite_database: Database,
    postgres_database: Database,
    take: Take,
    batch: Path,
    harbour_mapping: Mapping,
    tmp_path: Path,
    seed: int,
) -> None:
    take(sqlite_database, batch)
    book, chance = small_book(), random.Random(seed)
    for rows in book.rows.values():
        chance.shuffle(rows)

    answer = take(postgres_database, write_book(book, harbour_mapping, tmp_path / "shuffled"))

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    assert _figures(postgres_database) == _figures(sqlite_database)
    proved(postgres_database)
