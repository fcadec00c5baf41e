"""Broken files of every kind: the reason is named with its place, and nothing changes.

Each case breaks one file of a sound batch, with hash, count and totals of the manifest made right
where that is possible, as when the bank's own program made the mistake.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from portal.bank_files.mapping import Mapping
from portal.bank_files.rejections import Rejection, write_report
from portal.db import Database
from portal.intake.operations import Refused
from tests.intake.book import edit, line, read_manifest_of, small_book, write_book, write_manifest
from tests.intake.conftest import Take, row_counts

pytestmark = pytest.mark.slow

Edit = Callable[[bytes], bytes]
END = b"\r\n"


def _text(change: Callable[[str], str]) -> Edit:
    return lambda data: change(data.decode("gb18030")).encode("gb18030")


def _as(encoding: str) -> Edit:
    def change(data: bytes) -> bytes:
        text = data.decode("gb18030")
        return text.encode(encoding, "replace")

    return change


def _rows_as(encoding: str) -> Edit:
    def change(data: bytes) -> bytes:
        head, _, rest = data.partition(END)
        return head + END + rest.decode("gb18030").encode(encoding, "replace")

    return change


def _swap_columns(text: str) -> str:
    lines = [row.split(",") for row in text.split("\r\n")]
    return "\r\n".join(",".join([row[1], row[0], *row[2:]]) if len(row) > 1 else "" for row in lines)


def _drop_column(text: str) -> str:
    return "\r\n".join(row.rpartition(",")[0] for row in text.split("\r\n"))


ENCODINGS: list[tuple[str, Edit, str]] = [
    ("UTF-8", _as("utf-8"), "encoding_header"),
    ("UTF-8 with a mark", lambda data: codecs.BOM_UTF8 + _as("utf-8")(data), "byte_order_mark"),
    ("a mark before GB18030", lambda data: codecs.BOM_UTF8 + data, "byte_order_mark"),
    ("UTF-16 with a mark", lambda data: codecs.BOM_UTF16_LE + _as("utf-16-le")(data), "byte_order_mark"),
    ("UTF-16 BE with a mark", lambda data: codecs.BOM_UTF16_BE + _as("utf-16-be")(data), "byte_order_mark"),
    ("UTF-16 without a mark", _as("utf-16-le"), "encoding_header"),
    ("Big5", _as("big5"), "header_absent"),
    ("Latin-1 question marks", _as("latin-1"), "header_absent"),
    (
        "UTF-8 read as GB18030 and saved",
        lambda data: _as("utf-8")(data).decode("gb18030", "replace").encode("gb18030"),
        "header_absent",
    ),
    ("header right, rows in UTF-8", _rows_as("utf-8"), "mixed_encoding"),
    (
        "a byte that is no character",
        lambda data: data.replace("林".encode("gb18030"), b"\xff\xff", 1),
        "undecodable",
    ),
    (
        "cut in the middle of a character",
        lambda data: data[: data.rindex("号".encode("gb18030")) + 1],
        "line_end",
    ),
    ("a replacement character", _text(lambda text: text.replace("赵明", "赵�", 1)), "control"),
]
STRUCTURE: list[tuple[str, Edit, str]] = [
    ("empty", lambda data: b"", "empty_file"),
    ("no header", lambda data: data.partition(END)[2], "header_absent"),
    ("semicolons", lambda data: data.replace(b",", b";"), "delimiter"),
    ("tabs", lambda data: data.replace(b",", b"\t"), "delimiter"),
    ("line feeds only", lambda data: data.replace(END, b"\n"), "line_end"),
    ("carriage returns only", lambda data: data.replace(END, b"\r"), "line_end"),
    ("one line feed", lambda data: data[:-2] + b"\n", "line_end"),
    ("the last row cut off", lambda data: data[:-10], "line_end"),
    ("a column missing", _text(_drop_column), "column_missing"),
    ("a column more", _text(lambda text: text.replace("\r\n", ",x\r\n")), "column_extra"),
    ("a column twice", _text(lambda text: text.replace("联系地址", "姓名", 1)), "column_repeated"),
    ("columns in another order", _text(_swap_columns), "column_order"),
    ("a column renamed", _text(lambda text: text.replace("姓名", "名字", 1)), "column_missing"),
    ("a column with a space", _text(lambda text: text.replace("姓名,", "姓名 ,", 1)), "column_missing"),
    ("a trailing comma", lambda data: data[:-2] + b"," + END, "cell_count"),
    ("a cell too few", _text(lambda text: text[: text.rindex(",")] + "\r\n"), "cell_count"),
    ("a blank line", lambda data: data + END, "blank_line"),
    ("a quotation mark never closed", _text(lambda text: text.replace("赵明", '"赵明')), "quote_open"),
    ("a quotation mark inside", _text(lambda text: text.replace("赵明", '"赵"明')), "quote"),
    ("a NUL", _text(lambda text: text.replace("赵明", "赵\0明")), "control"),
    ("a field of ten megabytes", _text(lambda text: text.replace("赵明", "赵" * 5_000_000)), "line_long"),
    ("a name of a thousand characters", _text(lambda text: text.replace("赵明", "赵" * 1000)), "long"),
]


@pytest.mark.parametrize(
    ("change", "reason"),
    [one[1:] for one in ENCODINGS + STRUCTURE],
    ids=[one[0] for one in ENCODINGS + STRUCTURE],
)
def test_a_file_that_is_not_in_the_declared_form_is_refused_whole(
    sqlite_database: Database, take: Take, batch: Path, change: Edit, reason: str
) -> None:
    edit(batch, "customers.csv", change)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    named = [one for one in answer.rejections if one.file == "customers.csv"]
    assert reason in {one.reason for one in named}
    assert sum(row_counts(sqlite_database).values()) == 0
    _reports_well(named)


def test_a_wrong_encoding_is_named_with_its_byte_offset(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    edit(batch, "customers.csv", _rows_as("utf-8"))
    header = (batch / "customers.csv").read_bytes().index(END) + 2

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    first = next(iter(answer.rejections))
    assert (first.line, first.facts["offset"], first.facts["expected"]) == (2, header, "gb18030")


def _reports_well(named: list[Rejection]) -> None:
    for one in named:
        assert one.en
        assert any("一" <= character <= "鿿" for character in one.zh)
        assert len(one.excerpt) <= 41
        assert one.excerpt.isprintable()


AMOUNTS = {
    "negative": ("-1.00", "amount_sign"),
    "minus nought": ("-0.00", "amount_sign"),
    "exponent": ("1e9", "amount_form"),
    "capital exponent": ("1.2E+15", "amount_form"),
    "no decimals": ("1", "amount_form"),
    "one decimal": ("1.5", "amount_form"),
    "three decimals": ("1.005", "amount_form"),
    "separators": ('"1,234.00"', "amount_form"),
    "underscore": ("1_000.00", "amount_form"),
    "currency sign": ("￥1.00", "amount_form"),
    "yen sign": ("¥1.00", "amount_form"),
    "full-width digits": ("１２.00", "amount_form"),
    "Arabic digits": ("٣٤.00", "amount_form"),
    "not a number": ("NaN", "amount_form"),
    "infinite": ("Infinity", "amount_form"),
    "blank": ("", "empty"),
    "space": (" 1.00", "amount_form"),
    "trailing space": ("1.00 ", "amount_form"),
    "spreadsheet fault": ("#REF!", "amount_form"),
    "minus sign": ("−1.00", "amount_form"),
    "plus sign": ("+1.00", "amount_form"),
    "leading noughts": ("007.00", "amount_form"),
    "decimal comma": ('"1,00"', "amount_form"),
    "too large": ("10000000000.01", "amount_large"),
    "far too large": ("1000000000000.00", "amount_large"),
    "no amount at all": ("10000000000000.00", "amount_form"),
    "bracketed": ("(1.00)", "amount_form"),
    "formula": ("=1+1", "amount_form"),
}
DATES = {
    "ambiguous": ("2/3/2026", "date_form"),
    "dashes": ("2026-03-07", "date_form"),
    "no leap year": ("20260229", "date_none"),
    "noughts": ("00000000", "date_none"),
    "dashed noughts": ("0000-00-00", "date_form"),
    "month 13": ("20261307", "date_none"),
    "spreadsheet serial": ("46000", "date_form"),
    "full-width": ("２０２６０３０７", "date_form"),
    "Republic year": ("1150307", "date_form"),
    "Chinese": ("2026年3月7日", "date_form"),
    "with a time": ("20260307 10:00", "date_form"),
    "with a zone": ("20260307Z", "date_form"),
    "ISO week": ("2026-W10-6", "date_form"),
    "before the era": ("19691231", "date_range"),
    "far future": ("29990101", "date_range"),
    "blank": ("", "empty"),
}
REFS = {
    "trailing space": ("L1 ", "ref"),
    "leading space": (" L1", "ref"),
    "full-width": ("Ｌ１", "ref"),
    "exponent": ("1.2E+15", "ref"),
    "slash": ("L/1", "ref"),
    "formula": ("=L1", "ref"),
    "too long": ("L" * 40, "long"),
    "blank": ("", "empty"),
    "no-break space": ("L1\u00a0", "ref"),
}
NUMBERS = {
    "leading nought": ("05", "number"),
    "negative": ("-5", "number"),
    "decimal": ("5.0", "number"),
    "full-width": ("５", "number"),
    "too large": ("32", "number_large"),
    "nought": ("0", "number_zero"),
    "blank": ("", "empty"),
}
CELLS = [
    *(("loans.csv", "原始本金", *case, name) for name, case in AMOUNTS.items()),
    *(("loans.csv", "放款日", *case, name) for name, case in DATES.items()),
    *(("loans.csv", "借据号", *case, name) for name, case in REFS.items()),
    *(("loans.csv", "还款日", *case, name) for name, case in NUMBERS.items()),
    ("loans.csv", "原始本金", "0.00", "amount_zero", "nought"),
    ("loans.csv", "年利率", "8.8 %", "rate", "space in a rate"),
    ("loans.csv", "年利率", "1100%", "rate", "a rate above ten"),
    ("loans.csv", "币种", "RMB", "currency", "no currency"),
    ("loans.csv", "产品类别", "房贷", "code", "unknown code"),
    ("loans.csv", "客户号", "C9", "unknown_ref", "unknown customer"),
    ("loans.csv", "到期日", "20260405", "maturity", "too short for its instalments"),
    ("loans.csv", "逾期天数", "3", "days_overdue", "days overdue that do not follow"),
    ("customers.csv", "手机号", "1990000000１", "phone", "full-width phone"),
    ("customers.csv", "手机号", "call me", "phone", "no phone"),
    ("customers.csv", "证件号码", "９９９９", "id_number", "full-width ID"),
    ("customers.csv", "语言", "", "empty", "no language"),
    ("agencies.csv", "委托截止日", "20190101", "dates_order", "ends before it begins"),
    ("officers.csv", "所属机构", "A99", "unknown_ref", "unknown agency"),
    ("ledger.csv", "借据号", "L9", "unknown_ref", "a line of no loan"),
    ("ledger.csv", "记账日", "20261121", "posted_future", "posted after the business date"),
    ("ledger.csv", "原流水号", "T7", "reversal_ref", "a charge that reverses"),
    ("notices.csv", "借据号", "L2", "foreign_loan", "another customer's loan"),
    ("notices.csv", "借据号", "L1|L1", "repeated_ref", "a loan twice"),
    ("notices.csv", "借据号", "L1|", "ref", "an empty loan"),
    ("notices.csv", "正文", "没有占位符", "placeholder", "no place for the code"),
    ("notices.csv", "签发时间", "2026-11-01 25:30", "date_none", "no such hour"),
    ("notices.csv", "签发时间", "2026-11-01T10:30", "date_form", "another form of moment"),
    ("notices.csv", "有效期至", "20261001", "dates_order", "expires before it is issued"),
    ("visits.csv", "主访工号", "G9", "unknown_ref", "unknown officer"),
    ("visits.csv", "通知编号", "N9", "unknown_ref", "unknown notice"),
    ("visits.csv", "计划结束", "2026-11-30 15:00", "dates_order", "a visit of no length"),
    ("balances.csv", "截至日", "20261119", "as_of", "another day"),
    ("balances.csv", "应还本金", "1200.01", "balance", "a cent more owed"),
    ("balances.csv", "到期未还合计", "0.01", "balance", "a cent due"),
]


def _break_cell(batch: Path, name: str, column: str, value: str) -> None:
    """Put `value` (already CSV) in the first row's column, and make hash and totals right as far as one can."""
    path = batch / name
    lines = path.read_bytes().decode("gb18030").split("\r\n")
    index = lines[0].split(",").index(column)
    cells = lines[1].split(",")
    cells[index] = value
    lines[1] = ",".join(cells)
    edit(batch, name, lambda data: "\r\n".join(lines).encode("gb18030"))
    manifest = read_manifest_of(batch)
    for header in manifest["files"][name]["totals"]:
        place = lines[0].split(",").index(header)
        found = [row.split(",")[place] for row in lines[1:] if row]
        try:
            total = sum(int(cell.replace(".", "")) for cell in found)
        except ValueError:
            continue
        manifest["files"][name]["totals"][header] = f"{total // 100}.{total % 100:02d}"
    write_manifest(batch, manifest)


@pytest.mark.parametrize(
    ("name", "column", "value", "reason"),
    [case[:4] for case in CELLS],
    ids=[f"{case[0]}-{case[4]}" for case in CELLS],
)
def test_a_bad_cell_is_named_by_file_line_and_column(
    sqlite_database: Database, take: Take, batch: Path, name: str, column: str, value: str, reason: str
) -> None:
    _break_cell(batch, name, column, value)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    named = [one for one in answer.rejections if one.reason == reason]
    assert [(one.file, one.line, one.column) for one in named] == [(name, 2, column)]
    assert sum(row_counts(sqlite_database).values()) == 0
    _reports_well(list(answer.rejections))


@pytest.mark.parametrize("name", ["customers.csv", "loans.csv", "ledger.csv", "notices.csv", "officers.csv"])
@pytest.mark.parametrize(
    "change", [_as("utf-8"), _text(_swap_columns), lambda data: b""], ids=["encoding", "columns", "empty"]
)
def test_a_file_refused_whole_is_the_only_complaint(
    sqlite_database: Database, take: Take, batch: Path, name: str, change: Edit
) -> None:
    edit(batch, name, change)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert {one.file for one in answer.rejections} == {name}
    assert answer.rejections.count == 1


def test_a_ledger_cut_off_between_two_rows_is_told_by_its_count_alone(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    edit(batch, "ledger.csv", lambda data: END.join(data.split(END)[:-4]) + END)

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["row_count"]


def test_a_row_refused_once_is_not_complained_of_by_every_row_that_names_it(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    _break_cell(batch, "customers.csv", "语言", "火星文")

    answer = take(sqlite_database, batch)

    assert isinstance(answer, Refused)
    assert [(one.file, one.line, one.reason) for one in answer.rejections] == [("customers.csv", 2, "code")]
    assert answer.rejections.rows == 1


LEDGER = [
    ("a charge below nought", line("T20", "L1", date(2026, 9, 1), "interest", interest=-5), "line_sign"),
    ("a payment above nought", line("T20", "L1", date(2026, 9, 1), "payment", interest=5), "line_sign"),
    (
        "interest in the principal column",
        line("T20", "L1", date(2026, 9, 1), "interest", principal=5),
        "line_component",
    ),
    ("a line of nothing", line("T20", "L1", date(2026, 9, 1), "payment"), "line_nothing"),
    (
        "a reversal of nothing named",
        line("T20", "L1", date(2026, 9, 1), "reversal", principal=5),
        "reversal_ref",
    ),
    (
        "a reversal of a line that is not there",
        line("T20", "L1", date(2026, 9, 1), "reversal", principal=5, reverses_ref="T99"),
        "unknown_ref",
    ),
    (
        "a reversal by another amount",
        line("T20", "L1", date(2026, 9, 1), "reversal", principal=9_999, interest=850, reverses_ref="T3"),
        "reversal_amount",
    ),
    (
        "a line reversed twice",
        line("T20", "L1", date(2026, 9, 1), "reversal", principal=10_000, reverses_ref="T7"),
        "reversal_again",
    ),
    (
        "a reversal reversed",
        line("T20", "L1", date(2026, 9, 1), "reversal", principal=-10_000, reverses_ref="T8"),
        "reversal_kind",
    ),
    (
        "a reversal on another loan",
        line("T20", "L2", date(2026, 9, 1), "reversal", principal=10_000, interest=850, reverses_ref="T3"),
        "reversal_loan",
    ),
    ("a line twice", line("T1", "L1", date(2026, 9, 1), "interest", interest=5), "duplicate"),
]


@pytest.mark.parametrize(("row", "reason"), [case[1:] for case in LEDGER], ids=[case[0] for case in LEDGER])
def test_a_ledger_line_that_cannot_be_is_refused(
    sqlite_database: Database,
    take: Take,
    harbour_mapping: Mapping,
    tmp_path: Path,
    row: dict[str, object],
    reason: str,
) -> None:
    book = small_book()
    book.rows["ledger"].append(row)

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "batch"))

    assert isinstance(answer, Refused)
    place = next(one for one in answer.rejections if one.reason == reason)
    assert (place.file, place.line) == ("ledger.csv", 13)
    assert sum(row_counts(sqlite_database).values()) == 0


def test_more_paid_than_charged_is_refused(
    sqlite_database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    book = small_book()
    book.rows["ledger"].append(line("T20", "L1", date(2026, 9, 1), "payment", penalty_interest=-78))
    book.rows["balances"][0] |= {"penalty_interest_paid": 78, "penalty_interest_left": 0, "due_now": 0}

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "batch"))

    assert isinstance(answer, Refused)
    assert "overpaid" in {one.reason for one in answer.rejections}


def test_a_loan_without_its_balance_is_refused(
    sqlite_database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    book = small_book()
    book.rows["balances"].pop()

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "batch"))

    assert isinstance(answer, Refused)
    assert [(one.reason, one.facts["loan"]) for one in answer.rejections] == [("balance_missing", "L2")]


def test_rows_in_are_rows_refused_and_rows_in_order(
    sqlite_database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    book = small_book()
    directory = write_book(book, harbour_mapping, tmp_path / "batch")
    edit(
        directory,
        "customers.csv",
        lambda data: data.replace(b"19900000001", b"1990000000x").replace(
            b"99999919880826380X,19900000002", b"x,y"
        ),
    )

    answer = take(sqlite_database, directory)

    assert isinstance(answer, Refused)
    assert answer.rejections.count == 3
    assert answer.rejections.rows == 2
    assert answer.rows["customers"] == 2


def test_the_report_hides_personal_values_and_disarms_formulas(
    sqlite_database: Database, take: Take, batch: Path, tmp_path: Path
) -> None:
    edit(
        batch,
        "customers.csv",
        _text(lambda text: text.replace("19900000001", "1390000secret").replace("赵明", "赵\0明")),
    )
    _break_cell(batch, "loans.csv", "产品类别", "=cmd|'/c calc'!A1")

    answer = take(sqlite_database, batch)
    assert isinstance(answer, Refused)
    report = tmp_path / "report" / "errors.csv"
    write_report(report, answer.rejections)

    text = report.read_text(encoding="utf-8-sig")
    assert "secret" not in text
    assert "赵" not in text
    with report.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["file", "line", "column", "excerpt", "reason", "原因", "reason (English)"]
    assert len(rows) == 1 + answer.rejections.count
    assert [row[3] for row in rows if row[4] == "code"] == ["'=cmd|'/c calc'!A1"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@", "\t"))]
