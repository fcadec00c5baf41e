"""What is owed, paid and left is the same to the cent for the borrower, the reviewer and whoever checks a statement."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from decimal import Decimal

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.models import Loan
from portal.accounts.operations import post_payment, post_waiver
from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.reviews import cases
from tests.web.borrower.test_balance import text_of

AMOUNT = r"([\d,]+\.\d\d)"


def test_borrower_reviewer_and_statement_show_the_same_totals(
    portal_app: Flask, database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    case = cases.open_case(database, keys, signer, clock)
    move(database)
    borrower, desk = portal_app.test_client(), portal_app.test_client()
    csrf = people.sign_in(borrower, case.borrower_id)
    people.sign_in_staff(desk, case.mei)

    owed, paid, forgiven, left = borrowers(borrower)

    assert owed == paid + forgiven + left
    assert (paid, forgiven) == (Decimal("1234.56"), Decimal("15.00"))
    assert reviewers(desk, case.reference) == [owed, paid, left]
    assert of_statement(borrower, csrf) == left


def move(database: Database) -> None:
    """A payment on the one loan and a waiver on the other."""

    def unit(session) -> None:  # type: ignore[no-untyped-def]
        common = {"posted_on": date(2026, 11, 20), "memo": "", "now": people.CREATED}
        loans = {ref: session.scalars(select(Loan.id).where(Loan.loan_ref == ref)).one() for ref in REFS}
        post_payment(
            session,
            loan_id=loans["L-LIN-1"],
            parts={"interest": 10_000, "principal": 113_456},
            suspense_minor=0,
            payment_id=None,
            line_ref="P-1",
            **common,
        )
        post_waiver(session, loan_id=loans["C-LIN-1"], parts={"fee": 1_500}, line_ref="W-1", **common)

    database.write(unit)


REFS = ("L-LIN-1", "C-LIN-1")


def borrowers(client: FlaskClient) -> list[Decimal]:
    """Owed, paid, forgiven and left, from the sentence below the borrower's table."""
    text = text_of(client, "/my/balance")
    found = re.search(f"{AMOUNT} − 已还 {AMOUNT} − 减免 {AMOUNT} = 还剩 {AMOUNT}", text)
    assert found is not None, text
    return [number(one) for one in found.groups()]


def reviewers(client: FlaskClient, reference: str) -> list[Decimal]:
    """Owed, paid and left, from the foot of the case screen's first table."""
    page = client.get(f"/desk/cases/{reference}").get_data(as_text=True)
    foot = page[page.index("<tfoot>") : page.index("</tfoot>")]
    return [number(one) for one in re.findall(f">{AMOUNT}<", foot)]


def of_statement(client: FlaskClient, csrf: str) -> Decimal:
    """What the closing rows of a statement's table add up to."""
    made = client.post("/my/statement", data={"csrf_token": csrf, "of": "all:CNY", "since": "start"})
    table = client.get(f"{made.location}.csv").data.decode("utf-8-sig")
    _, *rows = csv.reader(io.StringIO(table))
    return sum((Decimal([row for row in rows if row[0] == ref][-1][12]) for ref in REFS), Decimal(0))


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
