"""What pays everything off on a chosen day: on the page, in the PDF, the table and the workbook, the same."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from portal.db import Database
from portal.interest.settlement import settlement_for
from portal.keys import Keys
from portal.money import Money
from tests import people
from tests.papers.reading import read
from tests.web.borrower.formulas import Sheets
from tests.web.borrower.test_balance import text_of
from tests.web.borrower.test_statement import LANGUAGES, formula_cells, made, moved_loans

DAY = "2026-12-10"


@pytest.fixture
def lin(sqlite_database: Database, keys: Keys) -> int:
    return sqlite_database.write(lambda session: moved_loans(session, keys))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_says_what_the_engine_says(
    sqlite_client: FlaskClient, sqlite_database: Database, lin: int, language: str
) -> None:
    sqlite_client.set_cookie("language", language)
    address = made(sqlite_client, lin, settle=DAY)
    with sqlite_database.read() as connection:
        found = [
            settlement_for(connection, lin, ref, on=date(2026, 12, 10)) for ref in ("C-LIN-1", "L-LIN-1")
        ]
    settled = [one for one in found if one is not None]
    total = Money.sum((one.to_pay for one in settled), "CNY")
    assert len(settled) == 2
    assert any(one.accrued.minor for one in settled)

    page, paper = text_of(sqlite_client, address), read(sqlite_client.get(f"{address}.pdf").data)
    rows = list(csv.reader(io.StringIO(sqlite_client.get(f"{address}.csv").data.decode("utf-8-sig"))))
    for one in settled:
        for amount in (one.to_pay, one.accrued):
            written = f"{amount.minor // 100:,}.{amount.minor % 100:02d}"
            assert written in page
            assert written in paper.text
        (row,) = [row for row in rows if row[0] == one.loan_ref and row[1] == DAY]
        assert row[-2] == one.to_pay.plain()
    assert f"{total.minor // 100:,}" in page
    assert f"{total.minor // 100:,}" in paper.text
    file = sqlite_client.get(f"{address}.xlsx").data
    formulas, kept = load_workbook(io.BytesIO(file)), load_workbook(io.BytesIO(file), data_only=True)
    name, sheets = formulas.sheetnames[-2], Sheets(formulas)
    cells = [cell for sheet, cell in formula_cells(formulas) if sheet == name]
    for cell in cells:
        assert f"{sheets.value(name, cell):.2f}" == f"{kept[name][cell].value:.2f}"
    assert f"{sheets.value(name, cells[-1]):.2f}" == total.plain()


def test_the_figure_is_signed_with_the_rest_and_an_ordinary_statement_has_none(
    sqlite_client: FlaskClient, lin: int
) -> None:
    plain, settled = made(sqlite_client, lin), made(sqlite_client, lin, settle=DAY)

    assert plain != settled
    assert "settlement" not in json.loads(sqlite_client.get(f"{plain}.json").data)["content"]
    rows = json.loads(sqlite_client.get(f"{settled}.json").data)["content"]["settlement"]
    assert [row["loan"] for row in rows] == ["C-LIN-1", "L-LIN-1"]
    assert made(sqlite_client, lin, settle=DAY) == settled


@pytest.mark.parametrize("day", ["2026-11-19", "2026-12-21", "soon"])
def test_a_day_outside_the_month_is_explained(sqlite_client: FlaskClient, lin: int, day: str) -> None:
    token = people.sign_in(sqlite_client, lin)
    answer = sqlite_client.post(
        "/my/statement", data={"csrf_token": token, "of": "all:CNY", "since": "start", "settle": day}
    )

    assert answer.status_code == 422
    words = "Enter a day" if day == "soon" else "Choose a day from 20 November 2026 to 20 December 2026."
    assert answer.text.count(words) >= 2
