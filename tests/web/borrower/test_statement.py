"""The statement's pages and files: chosen, issued, printed, computed again, checked by a stranger."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.access.limits import STATEMENTS_HOUR
from portal.accounts.corrections import post_reversal
from portal.accounts.models import IssuedStatement, LedgerLine, Loan
from portal.accounts.operations import post_payment, post_waiver
from portal.db import Database
from portal.intake.operations import apply_batch
from portal.keys import Keys
from portal.signing import canonical
from portal.statements.queries import issued_for
from portal.web.borrower.statement_files.plain import as_text
from tests import people
from tests.conftest import BANK_MORNING
from tests.intake.conftest import HARBOUR
from tests.web.borrower.formulas import Sheets
from tests.web.borrower.test_balance import notice, statements, text_of

pytestmark = pytest.mark.slow

LANGUAGES = ("zh", "zh_Hant", "en")


def moved_loans(session: Session, keys: Keys) -> int:
    """Lin after a payment, its reversal, an overpayment and a waiver; a dollar loan; Zhao beside."""
    lin = people.lin(session, keys, language="en")
    people.zhao(session, keys)
    notice(session, ref="N-LIN", borrower_id=lin, loan_refs=["L-LIN-1"], stated_minor=1_200_000)
    loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L-LIN-1")).one()
    first = {"principal": 50_000, "interest": 10_000}
    paid = post(session, loan_id, first, 0, "P-1", date(2026, 11, 1))
    post_reversal(
        session, line_id=paid, posted_on=date(2026, 11, 2), line_ref="R-1", memo="", now=people.CREATED
    )
    post(session, loan_id, {"interest": 9_999}, 25, "P-2", date(2026, 11, 3))
    waived = {"penalty_interest": 1_500}
    post_waiver(
        session,
        loan_id=loan_id,
        parts=waived,
        posted_on=date(2026, 11, 4),
        line_ref="W-1",
        memo="",
        now=people.CREATED,
    )
    other = people.loan(session, borrower_id=lin, loan_ref="D-LIN-1", principal_minor=77)
    session.execute(update(Loan).where(Loan.id == other).values(currency="USD"))
    return lin


def post(session: Session, loan_id: int, parts: dict[str, int], aside: int, ref: str, day: date) -> int:
    return post_payment(
        session,
        loan_id=loan_id,
        parts=parts,
        suspense_minor=aside,
        posted_on=day,
        payment_id=None,
        line_ref=ref,
        memo="",
        now=people.CREATED,
    ).line_id


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    return database.write(lambda session: moved_loans(session, keys))


@pytest.fixture
def sqlite_lin(sqlite_database: Database, keys: Keys) -> int:
    return sqlite_database.write(lambda session: moved_loans(session, keys))


def made(client: FlaskClient, borrower_id: int, **fields: str) -> str:
    """The address of a statement that the form made."""
    token = people.sign_in(client, borrower_id)
    answer = client.post(
        "/my/statement", data={"csrf_token": token, "of": "all:CNY", "since": "start", **fields}
    )
    assert answer.status_code == 303, answer.text
    return answer.location


def book(client: FlaskClient, address: str) -> Workbook:
    answer = client.get(f"{address}.xlsx")
    assert answer.status_code == 200
    return load_workbook(io.BytesIO(answer.data))


def formula_cells(workbook: Workbook) -> Iterator[tuple[str, str]]:
    for sheet in workbook:
        for row in sheet.iter_rows():
            yield from ((sheet.title, cell.coordinate) for cell in row if cell.data_type == "f")


def assert_computes_itself(content: bytes, stated: tuple[int, ...]) -> int:
    """Every formula, computed here from the file's cells alone, is the value kept beside it; the checks
    are nought; the totals are the ledger's own (left, due now, not yet due in cents)."""
    formulas, kept = load_workbook(io.BytesIO(content)), load_workbook(io.BytesIO(content), data_only=True)
    sheets, count = Sheets(formulas), 0
    for name, cell in formula_cells(formulas):
        beside = kept[name][cell].value
        assert sheets.value(name, cell) == Decimal(repr(beside)), (name, cell, formulas[name][cell].value)
        count += 1
    summary, checks = formulas.sheetnames[0], formulas.sheetnames[-1]
    found = tuple(int(sheets.value(summary, f"{column}33").scaleb(2)) for column in "EFG")
    assert found == stated
    last = formulas[checks].max_row
    assert sheets.value(checks, f"D{last}") == 0
    assert all(sheets.value(checks, f"D{row}") == 0 for row in range(2, last))
    return count


def test_a_statement_is_made_read_and_made_once(client: FlaskClient, database: Database, lin: int) -> None:
    address = made(client, lin)

    assert re.fullmatch(r"/my/statement/S-[0-9A-Z]{4}-[0-9A-Z]{5}", address)
    text = text_of(client, address)
    for words in (
        "All entries from the start to 20 November 2026",
        "Customer 林*, number C900001",
        "Principal Owed 18,000.00 18,000.00 0.00 0.00 18,000.00",
        "Interest Owed 200.00 200.00 99.99 0.00 100.01",
        "Penalty interest Owed 20.00 Forgiven 15.00 20.00 0.00 15.00 5.00",
        "Total Owed 18,270.00 Forgiven 15.00 18,270.00 99.99 15.00 18,155.01",
        "Overpaid, waiting to be assigned: 0.25.",
        "2026-11-02 Reversed R-1 · reverses P-1",
    ):
        assert words in text
    assert made(client, lin) == address
    assert address.removeprefix("/my/statement/") in text_of(client, "/my/statement")
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(IssuedStatement)) == 1


def test_a_period_shows_before_moved_and_after(client: FlaskClient, lin: int) -> None:
    address = made(client, lin, of="loan:L-LIN-1", since="date", first="2026-11-02", until="2026-11-03")

    text = text_of(client, address)
    for words in (
        "Before 2 November 2026 11,500.00 0.00 20.00 11,520.00",
        "Charged + 0.00 + 0.00 + 0.00 + 0.00",
        "Paid + 500.00 + 0.01 − 0.00 + 500.01",
        "Left at the end 3 November 2026 12,000.00 0.01 20.00 12,020.01",
    ):
        assert words in text
    assert "P-2" in text
    assert "W-1" not in text


def test_a_period_may_begin_after_a_notice(client: FlaskClient, lin: int) -> None:
    address = made(client, lin, of="loan:L-LIN-1", since="notice:N-LIN")

    text = text_of(client, address)
    assert "Entries from 2 October 2026 to 20 November 2026" in text
    assert "L-LIN-1-1" in text
    assert "L-LIN-1-0" not in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"since": "date", "first": ""}, "Enter a day, for example 2026-01-31."),
        ({"since": "date", "first": "31/31/2026"}, "Enter a day, for example 2026-01-31."),
        ({"until": "2026-02-30"}, "Enter a day, for example 2026-01-31."),
        ({"until": "2026-11-21"}, "The bank&#39;s books go to 20 November 2026."),
        (
            {"since": "date", "first": "2026-11-02", "until": "2026-11-01"},
            "The first day must not be after the last day.",
        ),
    ],
)
def test_a_day_that_does_not_do_is_explained(
    sqlite_client: FlaskClient, sqlite_lin: int, fields: dict[str, str], words: str
) -> None:
    token = people.sign_in(sqlite_client, sqlite_lin)
    given = {"csrf_token": token, "of": "all:CNY", "since": "start", **fields}

    answer = sqlite_client.post("/my/statement", data=given)

    assert answer.status_code == 422
    assert answer.text.count(words.replace("&#39;", "'")) + answer.text.count(words) >= 2
    for value in fields.values():
        assert f'value="{value}"' in answer.text


@pytest.mark.parametrize(
    "fields",
    [{"of": "loan:L-ZHAO-1"}, {"of": "all:EUR"}, {"of": ""}, {"since": "notice:N-OTHER"}, {"since": ""}],
)
def test_what_no_form_offers_is_not_found(
    sqlite_client: FlaskClient, sqlite_lin: int, fields: dict[str, str]
) -> None:
    token = people.sign_in(sqlite_client, sqlite_lin)
    given = {"csrf_token": token, "of": "all:CNY", "since": "start", **fields}

    assert sqlite_client.post("/my/statement", data=given).status_code == 404


def test_somebody_elses_statement_is_not_found(client: FlaskClient, database: Database, lin: int) -> None:
    address = made(client, lin)
    with database.read() as connection:
        zhao = connection.scalar(select(Loan.borrower_id).where(Loan.loan_ref == "L-ZHAO-1"))
    assert zhao is not None
    stranger = client.application.test_client()
    for ending in ("", ".xlsx", ".csv", ".json"):
        assert stranger.get(address + ending).status_code == 303
    people.sign_in(stranger, zhao)

    for ending in ("", ".xlsx", ".csv", ".json"):
        assert stranger.get(address + ending).status_code == 404
        assert stranger.get("/my/statement/S-0000-00000" + ending).status_code == 404
    assert address not in stranger.get("/my/statement").text


def test_pages_take_few_statements(client: FlaskClient, database: Database, lin: int) -> None:
    address = made(client, lin)
    for path, most in (("/my/statement", 4), (address, 3), (f"{address}.xlsx", 2)):
        with statements(database) as seen:
            assert client.get(path).status_code == 200
        assert len(seen) <= most, "\n\n".join(seen)


def test_too_many_are_told_when_to_come_back(
    sqlite_client: FlaskClient, sqlite_database: Database, sqlite_lin: int
) -> None:
    for _ in range(STATEMENTS_HOUR.most):
        made(sqlite_client, sqlite_lin)
    token = people.sign_in(sqlite_client, sqlite_lin)

    answer = sqlite_client.post(
        "/my/statement", data={"csrf_token": token, "of": "all:CNY", "since": "start"}
    )

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_the_paper_has_a_code_to_scan_and_no_style_or_script_of_its_own(
    client: FlaskClient, database: Database, lin: int
) -> None:
    address = made(client, lin)
    page = client.get(address).text

    reference = address.rpartition("/")[2]
    with database.read() as connection:
        issued = issued_for(connection, lin, reference)
    assert issued is not None
    assert '<svg role="img"' in page
    assert "style=" not in page
    assert not re.search(r"\son[a-z]+=", page)
    assert page.count("<h1") == 1
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert issued.digest[:8] in page
    assert issued.signature not in page
    assert f"http://localhost/statement/{reference}" in page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "fields", [{}, {"since": "date", "first": "2026-11-02"}, {"of": "loan:D-LIN-1"}, {"until": "2025-01-01"}]
)
def test_the_workbook_computes_itself(
    sqlite_client: FlaskClient, sqlite_lin: int, language: str, fields: dict[str, str]
) -> None:
    sqlite_client.set_cookie("language", language)
    address = made(sqlite_client, sqlite_lin, **fields)
    content = json.loads(sqlite_client.get(f"{address}.json").data)["content"]
    left = sum(
        sum(p[0] - p[1] - p[2] for n, p in loan["closing"].items() if n != "unassigned")
        for loan in content["loans"]
    )
    due = sum(loan["due_now"] for loan in content["loans"])

    formulas = assert_computes_itself(sqlite_client.get(f"{address}.xlsx").data, (left, due, left - due))

    assert formulas > 100


def test_a_changed_entry_shows_on_the_sheet_of_checks(sqlite_client: FlaskClient, sqlite_lin: int) -> None:
    workbook = book(sqlite_client, made(sqlite_client, sqlite_lin))
    ledger, checks = workbook.sheetnames[1], workbook.sheetnames[-1]

    workbook[ledger]["I4"] = 123.45

    sheets = Sheets(workbook)
    assert sheets.value(checks, f"D{workbook[checks].max_row}") != 0


def test_texts_of_the_bank_never_become_formulas(
    sqlite_client: FlaskClient, sqlite_database: Database, sqlite_lin: int
) -> None:
    hostile = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        '=HYPERLINK("http://x")',
        "http://x",
        "＝1",
    ]
    loans = {text: f"L-{number}" for number, text in enumerate(hostile)}

    def unit(session: Session) -> None:
        for text, ref in loans.items():
            loan_id = people.loan(session, borrower_id=sqlite_lin, loan_ref=ref)
            session.execute(update(Loan).where(Loan.id == loan_id).values(product=text, loan_ref=text[:32]))
            session.add(
                LedgerLine(
                    created_at=people.CREATED,
                    loan_id=loan_id,
                    line_ref=f"{text}#",
                    source="core",
                    posted_on=date(2026, 11, 5),
                    kind="interest",
                    interest_minor=1,
                )
            )

    sqlite_database.write(unit)
    address = made(sqlite_client, sqlite_lin)

    workbook = book(sqlite_client, address)
    texts = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.data_type == "s"]
    assert {f"{text}#" for text in hostile} <= {cell.value for cell in texts}
    assert [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.hyperlink] == []
    allowed = re.compile(r"=-?(SUM|SUMIFS|MAX|ABS|'|[A-Z]+\d)")
    assert all(allowed.match(workbook[name][cell].value) for name, cell in formula_cells(workbook))
    rows = list(csv.reader(io.StringIO(sqlite_client.get(f"{address}.csv").data.decode("utf-8-sig"))))
    number = re.compile(r"-?[0-9]+\.[0-9]{2}")
    live = [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "＝"))]
    assert [cell for cell in live if not number.fullmatch(cell)] == []


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t", "\r", "\0=", " =", "＝", "＋", "－", "＠", "\n"])
@pytest.mark.parametrize("rest", ["1+1", "cmd|' /C calc'!A0", "", "HYPERLINK(1)", "-1", "SUM(A1:A9)"])
def test_a_cell_that_could_compute_is_text(mark: str, rest: str) -> None:
    assert as_text(mark + rest)[:1] == "'"
    assert "\0" not in as_text(mark + rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_column_of_the_table_adds_up(
    sqlite_client: FlaskClient, sqlite_lin: int, language: str
) -> None:
    sqlite_client.set_cookie("language", language)
    address = made(sqlite_client, sqlite_lin, since="date", first="2026-11-02")
    answer = sqlite_client.get(f"{address}.csv")

    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["Cache-Control"] == "no-store"
    head, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert {len(row) for row in rows} == {len(head)} == {14}
    for ref in ("L-LIN-1", "C-LIN-1"):
        opening, *entries, closing = [row for row in rows if row[0] == ref]
        for column in range(6, 13):
            assert Decimal(opening[column]) + sum(Decimal(row[column]) for row in entries) == Decimal(
                closing[column]
            )
    assert {row[13] for row in rows} == {"CNY"}


def test_a_stranger_checks_the_signed_data_with_the_published_key(client: FlaskClient, lin: int) -> None:
    address = made(client, lin)
    held = json.loads(client.get(f"{address}.json").data)
    anybody = client.application.test_client()

    (key,) = json.loads(anybody.get("/.well-known/portal-keys.json").data)["keys"]
    canonical_text = json.dumps(
        held["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))

    assert hashlib.sha256(canonical_text).hexdigest() == held["signed"]["digest"]
    public.verify(base64.urlsafe_b64decode(held["signature"] + "=="), canonical(held["signed"]))
    assert held["key_id"] == key["kid"]
    assert held["keys"] == "http://localhost/.well-known/portal-keys.json"


def test_the_balance_and_the_check_of_a_proposal_lead_to_it(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)

    assert 'href="/my/statement"' in client.get("/my/balance").text
    source = Path(str(client.application.root_path)) / "templates/borrower/propose/check.html"
    assert 'url_for("borrower.statement.page")' in source.read_text(encoding="utf-8")


def test_a_borrower_without_loans_gets_a_page(
    sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    nobody = sqlite_database.write(
        lambda session: people.borrower(
            session, keys, customer_ref="C900009", name="无", phone="13900000099", language="en"
        )
    )
    token = people.sign_in(sqlite_client, nobody)

    assert "No loan account here" in sqlite_client.get("/my/statement").text
    assert sqlite_client.post("/my/statement", data={"csrf_token": token, "of": "all:CNY"}).status_code == 404


@pytest.mark.slow
def test_workbooks_of_the_whole_export_compute_the_banks_balances(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys
) -> None:
    apply_batch(sqlite_database, directory=HARBOUR, mapping="harbour", keys=keys, now=BANK_MORNING)
    with sqlite_database.read() as connection:
        borrowers = connection.scalars(select(Loan.borrower_id).distinct().order_by(Loan.borrower_id)).all()
    for borrower_id in borrowers[::10]:
        client = sqlite_app.test_client()
        people.sign_in(client, borrower_id)
        (of,) = re.findall(r'name="of" value="([^"]+)" checked', client.get("/my/statement").text)
        address = made(client, borrower_id, of=of, since="date", first="2026-06-01")
        with sqlite_database.read() as connection:
            issued = issued_for(connection, borrower_id, address.rpartition("/")[2])
        assert issued is not None
        stated = issued.statement
        totals = (stated.closing.left, stated.due_now, stated.not_yet_due)
        assert_computes_itself(client.get(f"{address}.xlsx").data, totals)
        assert issued.issued_on - stated.as_of < timedelta(days=1)
