"""Whatever the quick look at a whole line accepts, the strict reading accepts with the same cells; what it
does not accept, the strict reading decides."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bank_files.blocks import cut, read_blocks
from portal.bank_files.fields import EXPONENTS, FieldFault, parser_for
from portal.bank_files.mapping import Mapping, load_mapping
from portal.bank_files.plain import block_patterns, up_to
from portal.bank_files.reading import Read, Source, read_rows
from portal.bank_files.rejections import Rejections
from tests.intake.book import file_bytes, line, small_book

HARBOUR, PORTAL = load_mapping("harbour"), load_mapping("portal")
KINDS = ("agencies", "officers", "customers", "loans", "ledger", "balances", "notices", "visits")
#: Cells as people and programs spoil them, beside sound ones.
CELLS = st.sampled_from(
    [
        "0.00",
        "-0.00",
        "1.00",
        "-1.00",
        "0.05",
        "-0.05",
        "00.10",
        "1",
        "1.5",
        "1.005",
        "9999999999.99",
        "10000000000.00",
        "10000000000.01",
        "1e9",
        "NaN",
        "٣٤.00",
        "１２.00",
        "+1.00",
        "100",
        "0",
        "-0",
        "31",
        "32",
        "05",
        "600",
        "601",
        "20260307",
        "20260229",
        "20240229",
        "20260431",
        "20261307",
        "2026-03-07",
        "2026-W10-6",
        "00000000",
        "19691231",
        "19700101",
        "21991231",
        "22000101",
        "2026-11-01",
        "10:30",
        "2026-11-01",
        "25:30",
        "8.80%",
        "0.088",
        "1100%",
        "999.99%",
        "10",
        "10.5",
        "L1",
        "L/1",
        ".L1",
        "C800001",
        "19900000001",
        "+8619900000001",
        "12345",
        "CNY",
        "JPY",
        "KWD",
        "RMB",
        "放款",
        "还款",
        "冲正",
        "贷款",
        "正常",
        "简体中文",
        "短信",
        "实际/360",
        "payment",
        "loan",
    ]
) | st.text(alphabet='aB1.,"-%\r\n\t 号\x00\ufffd￥０', max_size=8)


def _values(kind: str, cells: list[str], mapping: Mapping) -> list[object] | None:
    """The strict reading of one row's cells in the mapping's currency, None where it refuses one."""
    form = mapping.files[kind]
    try:
        return [
            parser_for(form.fields[name], mapping.forms, form.codes.get(name, {}))(cell, mapping.currency)
            for name, cell in zip(form.columns.values(), cells, strict=True)
        ]
    except FieldFault:
        return None


@given(data=st.data(), kind=st.sampled_from(KINDS), mapping=st.sampled_from([HARBOUR, PORTAL]))
def test_a_plain_line_is_one_the_strict_reading_accepts(
    data: st.DataObject, kind: str, mapping: Mapping
) -> None:
    form = mapping.files[kind]
    sound = file_bytes(kind, small_book().rows[kind], mapping).decode(mapping.encoding)
    rows = list(csv.reader(io.StringIO(sound, newline="")))
    cells = list(data.draw(st.sampled_from(rows[1:])))
    for place in data.draw(st.lists(st.integers(0, len(cells) - 1), max_size=3)):
        cells[place] = data.draw(CELLS)
    text = mapping.delimiter.join(cells) + mapping.line_end.decode()
    patterns = block_patterns(form, mapping, EXPONENTS[mapping.currency])
    assert patterns is not None

    if patterns[0].fullmatch(text):
        assert cut(text.replace("\r\n", "\n"), mapping.delimiter) == cells
        read = _values(kind, cells, mapping)
        assert read is not None
        for name, cell, value in zip(form.columns.values(), cells, read, strict=True):
            if form.fields[name].kind in ("amount", "signed"):
                assert int(cell.replace(".", "")) == value


@pytest.mark.parametrize("mapping", [HARBOUR, PORTAL], ids=["harbour", "portal"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_the_small_book_is_plain(kind: str, mapping: Mapping) -> None:
    """Else the quick look would be of no use."""
    text = file_bytes(kind, small_book().rows[kind], mapping).decode(mapping.encoding)
    patterns = block_patterns(mapping.files[kind], mapping, 2)
    assert patterns is not None

    rows = text.split(mapping.line_end.decode(), 1)[1]
    assert patterns[0].fullmatch(rows)


@given(
    spoiled=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10), CELLS), max_size=4),
    quote_all=st.booleans(),
    mapping=st.sampled_from(
        [HARBOUR, PORTAL, replace(PORTAL, delimiter=";", line_end=b"\r\n", encoding="utf-8-sig")]
    ),
)
def test_both_readings_of_a_file_find_the_same_rows_and_the_same_faults(
    tmp_path_factory: pytest.TempPathFactory,
    spoiled: list[tuple[int, int, str]],
    quote_all: bool,
    mapping: Mapping,
) -> None:
    rows = list(csv.reader(io.StringIO(_plain_text(mapping), newline=""), delimiter=mapping.delimiter))
    for row, column, cell in spoiled:
        rows[1 + row][column] = cell.replace("�", "?") if mapping.encoding == "gb18030" else cell
    path = tmp_path_factory.mktemp("both") / "ledger.csv"
    path.write_bytes(_written(rows, mapping, quote_all))

    blocks, faults = _by_blocks(path, mapping)
    strictly, strict_faults = _strictly(path, mapping)

    assert [number for number, _ in blocks] == strictly
    assert faults == strict_faults


def _plain_text(mapping: Mapping) -> str:
    rows = small_book().rows["ledger"] + [
        line("T20", "L1", small_book().business_date, "interest", interest=5)
    ]
    return file_bytes("ledger", rows, replace(mapping, encoding="utf-8")).decode()


def _written(rows: list[list[str]], mapping: Mapping, quote_all: bool) -> bytes:
    stream = io.StringIO(newline="")
    style = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    header = mapping.header("ledger") + mapping.line_end
    csv.writer(
        stream, delimiter=mapping.delimiter, lineterminator=mapping.line_end.decode(), quoting=style
    ).writerows(rows[1:])
    encoding = "utf-8" if mapping.encoding == "utf-8-sig" else mapping.encoding
    return header + stream.getvalue().encode(encoding)


def _source(path: Path, mapping: Mapping) -> Source:
    return Source(path, mapping.files["ledger"], mapping, lambda cells: mapping.currency)


def _by_blocks(path: Path, mapping: Mapping) -> tuple[list[tuple[int, list[object] | None]], list[object]]:
    rejections = Rejections()
    found = []
    for block in read_blocks(_source(path, mapping), rejections, Read(), exponent=2):
        for number, cells in enumerate(block.rows(), start=block.line):
            found.append((number, _values("ledger", list(cells), mapping)))
    return found, [(one.line, one.column, one.reason) for one in rejections]


def _strictly(path: Path, mapping: Mapping) -> tuple[list[int], list[object]]:
    rejections = Rejections()
    found = [number for number, _ in read_rows(_source(path, mapping), rejections, Read())]
    return found, [(one.line, one.column, one.reason) for one in rejections]


@given(largest=st.integers(1, 100_000), value=st.integers(0, 200_000))
def test_whole_numbers_up_to_a_largest_one(largest: int, value: int) -> None:
    assert bool(re.fullmatch(up_to(largest), str(value))) == (value <= largest)
