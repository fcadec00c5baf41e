"""Balance on any day, the settlement figure, and what changed since a statement: the borrower's pages."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_charge_back
from portal.accounts.models import Loan, LoanRate
from portal.accounts.operations import post_payment
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.conftest import BANK_MORNING
from tests.web.borrower.test_balance import text_of


@pytest.fixture
def lin(client: FlaskClient, database: Database, keys: Keys) -> str:
    """Lin is signed in, in English; the token her forms carry."""
    borrower = database.write(lambda session: people.lin(session, keys))
    client.set_cookie("language", "en")
    return people.sign_in(client, borrower)


def test_a_past_day_has_the_entries_up_to_it(client: FlaskClient, lin: str) -> None:
    text = text_of(client, "/my/balance/on?on=2026-10-14")
    assert "Due by 14 October 2026 ¥18,000.00" in text
    assert "486 days overdue" in text
    assert "Interest" not in text.split("Due by 14 October 2026")[1].split("Loan accounts")[0]


def test_a_day_to_come_adds_no_interest_and_says_what_it_may_be(client: FlaskClient, lin: str) -> None:
    text = text_of(client, "/my/balance/on?on=2027-01-10")
    assert "Due by 10 January 2027 ¥18,270.00" in text
    assert "an estimate, not owed before the bank posts it" in text
    assert "L-LIN-1 since 15 October 2026" in text
    assert "Estimate 696.00" in text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/my/balance/on?on=2026-13-01", "Enter a day as year, month and day"),
        ("/my/balance/on?on=1999-01-01", "Choose a day from 10 May 2025 to 21 November 2027."),
        ("/my/loans/L-LIN-1/settlement?on=x", "Enter a day as year, month and day"),
        (
            "/my/loans/L-LIN-1/settlement?on=2026-11-19",
            "Choose a day from 20 November 2026 to 20 December 2026.",
        ),
        (
            "/my/loans/L-LIN-1/settlement?on=2026-12-21",
            "Choose a day from 20 November 2026 to 20 December 2026.",
        ),
    ],
)
def test_a_day_that_cannot_be_is_worded_at_its_field(
    client: FlaskClient, lin: str, address: str, words: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)


def test_the_settlement_figure_and_a_day_later(client: FlaskClient, lin: str) -> None:
    first = text_of(client, "/my/loans/L-LIN-1/settlement")
    later = text_of(client, "/my/loans/L-LIN-1/settlement?on=2026-11-21")
    assert "To pay on 20 November 2026 ¥12,336.00" in first
    assert "To pay on 21 November 2026 ¥12,342.00" in later
    assert "Each day later adds about 6.00." in first
    assert "Partly an estimate" in first
    assert "The bank takes no fee for paying early." in first


def test_the_settlement_figure_can_be_paid_as_it_stands(client: FlaskClient, lin: str) -> None:
    page = client.get("/my/loans/L-LIN-1/settlement").text
    (transfer,) = re.findall(r'href="([^"]+/transfer/L-LIN-1[^"]*)"', page)
    online = client.get("/my/pay/check?what=other&amount=12336&loan=L-LIN-1").text

    assert "¥12,336.00" in text_of(client, transfer)
    assert "at most what is posted can be paid: 12,120.00" in text_of(client, "/my/loans/L-LIN-1/settlement")
    assert "At most ¥12,120.00 is left to pay there." in online


def test_somebody_elses_loan_has_no_settlement(
    client: FlaskClient, database: Database, keys: Keys, lin: str
) -> None:
    database.write(lambda session: people.zhao(session, keys))
    assert client.get("/my/loans/L-ZHAO-1/settlement").status_code == 404


def test_since_a_statement_what_was_posted_the_same_day_too(
    client: FlaskClient, database: Database, lin: str
) -> None:
    """Issued in the morning; paid at noon, and a part of it charged back."""
    paper = client.post("/my/statement", data={"csrf_token": lin, "of": "loan:L-LIN-1", "since": "start"})
    reference = paper.location.rsplit("/", 1)[1]

    def unit(session: Session) -> None:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L-LIN-1")).one()
        said = {"posted_on": date(2026, 11, 20), "memo": "", "now": BANK_MORNING}
        paid = post_payment(
            session,
            loan_id=loan_id,
            parts={"interest": 9_000, "principal": 1_000},
            suspense_minor=300,
            payment_id=None,
            line_ref="P-1",
            **said,  # type: ignore[arg-type]
        )
        post_charge_back(
            session,
            line_id=paid.line_id,
            parts={"interest": 4_000},
            suspense_minor=300,
            line_ref="X-1",
            **said,  # type: ignore[arg-type]
        )

    database.write(unit)

    text = text_of(client, f"/my/since-statement/{reference}")
    assert "Due in the statement 20 November 2026 · " + reference in text
    assert "12,120.00" in text
    assert "Taken back, paid back or undone 1 entry, how worked out + 40.00" in text
    assert "You paid 1 entry, how worked out − 100.00" in text
    assert "Due now 20 November 2026 12,060.00" in text
    assert "Paid ahead, or not in the figure then" not in text
    assert "Payment taken back 2026-11-20 · L-LIN-1 · X-1 40.00" in text


def test_a_loan_whose_rate_changed_says_so(client: FlaskClient, database: Database, lin: str) -> None:
    def unit(session: Session) -> None:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L-LIN-1")).one()
        values = {"from_on": date(2026, 11, 1), "annual_rate": Decimal("0.0825")}
        session.execute(insert(LoanRate).values(created_at=BANK_MORNING, loan_id=loan_id, **values))

    database.write(unit)

    text = text_of(client, "/my/loans/L-LIN-1")
    assert "Changes of rate 8.25% from 1 November 2026 on" in text
    assert "Interest 8.25% a year" in text
    accrued = text_of(client, "/my/loans/L-LIN-1/accrued")
    assert "12.375%" in accrued
    assert "18.00%" in accrued
