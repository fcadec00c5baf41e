"""The balance pages: sums, sources, ownership, and how many statements they take."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.accounts.models import Loan, LoanBalance
from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice, NoticeLoan
from tests import people

ISSUED = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)


def notice(session: Session, *, ref: str, borrower_id: int, loan_refs: list[str], stated_minor: int) -> None:
    """A text message of 1 October that states what was due then."""
    agency = session.query(Agency).filter_by(agency_ref="A00").one_or_none()
    if agency is None:
        agency = Agency(
            created_at=ISSUED,
            agency_ref="A00",
            name="港湾银行",
            kind="bank",
            phone="4000000001",
            engaged_from=date(2020, 1, 1),
            engaged_until=date(2030, 1, 1),
        )
        session.add(agency)
        session.flush()
    row = Notice(
        created_at=ISSUED,
        notice_ref=ref,
        borrower_id=borrower_id,
        channel="sms",
        purpose="reminder",
        issued_at=ISSUED,
        expires_on=date(2026, 12, 1),
        status="live",
        sender="1069",
        agency_id=agency.id,
        stated_on=date(2026, 10, 1),
        stated_minor=stated_minor,
        currency="CNY",
        payee_account="9999",
        body="",
        body_without_link="",
        batch_sequence=1,
    )
    session.add(row)
    session.flush()
    for loan_id in session.query(Loan.id).filter(Loan.loan_ref.in_(loan_refs)):
        session.add(NoticeLoan(notice_id=row.id, loan_id=loan_id[0]))


@pytest.fixture
def lin(portal_app: Flask, database: Database, keys: Keys) -> int:
    """Lin with a notice of 1 October about both loans, and Zhao with one about her own."""

    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys, language="en")
        zhao = people.zhao(session, keys)
        both = ["L-LIN-1", "C-LIN-1"]
        notice(session, ref="N-LIN", borrower_id=borrower_id, loan_refs=both, stated_minor=1_800_000)
        notice(session, ref="N-ZHAO", borrower_id=zhao, loan_refs=["L-ZHAO-1"], stated_minor=1)
        return borrower_id

    return database.write(unit)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that pages send while this is open."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(database.reader, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.reader, "before_cursor_execute", note)


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"</?span[^>]*>", "", unlinked(answer.text))))


def unlinked(page: str) -> str:
    """The page without the links from figures to how they are made."""
    return re.sub(r'<a class="why"[^>]*>(.*?)</a>', r"\1", page)


def test_due_now_is_the_large_figure_and_every_component_has_its_row(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    page = client.get("/my/balance").text
    assert '<p class="figure num"><span class="m">¥18,270<span class="dec">.00</span></span></p>' in unlinked(
        page
    )
    text = text_of(client, "/my/balance")
    for words in (
        "Principal 0.00 18,000.00",
        "Interest 0.00 200.00",
        "Penalty interest 0.00 20.00",
        "Fees 0.00 50.00",
    ):
        assert words in text
    assert "Charged in all 18,270.00 − paid 0.00 = left 18,270.00." in text


def test_not_yet_due_stands_beside_and_is_not_added(
    client: FlaskClient, database: Database, lin: int
) -> None:
    def unit(session: Session) -> None:
        balance = session.query(LoanBalance).join(Loan, Loan.id == LoanBalance.loan_id)
        row = balance.filter(Loan.loan_ref == "L-LIN-1").one()
        row.principal_due_minor, row.due_now_minor = 300_000, 312_000

    database.write(unit)
    people.sign_in(client, lin)
    text = text_of(client, "/my/balance")
    assert "Due now ¥9,270.00" in text
    assert "Not yet due: 9,000.00. It is paid in ordinary instalments." in text


def test_then_and_charged_and_paid_make_now(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    text = text_of(client, "/my/balance")
    for words in (
        "Stated in the notice 1 October 2026 · text message 18,000.00",
        "Interest added 2 entries, how worked out + 200.00",
        "Penalty interest added 1 entry, how worked out + 20.00",
        "Fees added 1 entry, how worked out + 50.00",
        "You paid None − 0.00",
        "Due now 20 November 2026 18,270.00",
    ):
        assert words in text
    details = text_of(client, "/my/since/N-LIN")
    assert "Interest posted 2026-10-15 · L-LIN-1 · L-LIN-1-1 100.00" in details
    assert "Total 200.00" in details


def test_a_component_is_explained_by_lines_that_sum_to_it(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    text = text_of(client, "/my/loans/C-LIN-1/fee")
    assert "Charged 50.00 Paid − 0.00 Left 50.00" in text
    assert "Charge posted 2026-10-15 C-LIN-1-2 + 50.00 50.00 Left 50.00" in text
    total = text_of(client, "/my/totals/CNY/interest")
    assert "L-LIN-1 + 100.00 C-LIN-1 + 100.00 Interest left 200.00" in total


def test_due_now_of_a_loan_is_explained(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    text = text_of(client, "/my/loans/L-LIN-1/due")
    assert "Principal due now + 12,000.00 Interest due now + 100.00" in text
    text = text_of(client, "/my/loans/L-LIN-1/principal.due")
    assert "Instalments fallen due + 12,000.00" in text
    text = text_of(client, "/my/loans/L-LIN-1/principal.fallen")
    assert text.count("Instalment of") == 12


@pytest.mark.parametrize(
    "address",
    [
        "/my/loans/L-ZHAO-1",
        "/my/loans/L-ZHAO-1/lines",
        "/my/loans/L-ZHAO-1/interest",
        "/my/loans/L-ZHAO-1/due",
        "/my/since/N-ZHAO",
        "/my/since/N-NONE",
        "/my/loans/L-LIN-1/everything",
        "/my/loans/L-LIN-1/lines?page=9",
        "/my/totals/USD/interest",
        "/my/totals/CNY/everything",
    ],
)
def test_what_is_not_ones_own_is_not_found(client: FlaskClient, lin: int, address: str) -> None:
    people.sign_in(client, lin)
    assert client.get(address).status_code == 404


def test_signed_out_visitors_are_sent_to_sign_in(client: FlaskClient, lin: int) -> None:
    for address in ("/my/balance", "/my/loans/L-LIN-1", "/my/visits"):
        assert client.get(address).status_code == 303


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/my/balance", 3),
        ("/my/since/N-LIN", 4),
        ("/my/loans/L-LIN-1", 3),
        ("/my/loans/L-LIN-1/interest", 4),
        ("/my/loans/L-LIN-1/lines", 4),
        ("/my/totals/CNY/due", 2),
    ],
)
def test_statements_of_a_page(
    client: FlaskClient, database: Database, lin: int, address: str, most: int
) -> None:
    people.sign_in(client, lin)
    with statements(database) as seen:
        assert client.get(address).status_code == 200
    assert len(seen) <= most, "\n\n".join(seen)


def test_the_first_visit_fits_one_network_flight(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys
) -> None:
    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys)
        notice(
            session,
            ref="N-LIN",
            borrower_id=borrower_id,
            loan_refs=["L-LIN-1", "C-LIN-1"],
            stated_minor=1_800_000,
        )
        return borrower_id

    client = sqlite_app.test_client()
    people.sign_in(client, sqlite_database.write(unit))
    answer = client.get("/my/balance", headers={"Accept-Encoding": "gzip"})
    headers = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    style = gzip.compress((Path(str(sqlite_app.static_folder)) / "portal.css").read_bytes(), 6)
    assert len(answer.data) + headers + len(style) <= 14_000


def test_a_borrower_without_loans_gets_a_page(client: FlaskClient, database: Database, keys: Keys) -> None:
    nobody = database.write(
        lambda session: people.borrower(
            session, keys, customer_ref="C900009", name="无", phone="13900000099", language="en"
        )
    )
    people.sign_in(client, nobody)
    assert "No loan account here" in client.get("/my/balance").text
