"""A transfer without a place at the desk: what its payer wrote is read, and it is placed from there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.models import LedgerLine, Loan
from portal.db import Database, upsert
from portal.keys import Keys
from portal.money import Money
from portal.payments.models import IncomingTransfer, Payment
from portal.transfers import matching as transfers
from portal.transfers.matching import Transfer
from tests import people
from tests.outgoing.told import BUSINESS_DATE, make, rows_in
from tests.payments.telling import NOW, books, lin


def test_a_transfer_without_a_reference_is_read_and_placed(
    client: FlaskClient, database: Database, keys: Keys, tmp_path: Path
) -> None:
    lin(database, keys)
    one = Transfer("IN-77", BUSINESS_DATE, Money(30_000, "CNY"), "<b>房贷</b> 林晓", "林晓", "0034", None)
    values = transfers.row_of(keys, one) | {"outcome": transfers.WAITING, "reason": "", "batch_sequence": 1}
    table: Any = IncomingTransfer.__table__
    database.write(lambda session: session.execute(upsert(table).values(created_at=NOW, **values)))
    database.write(lambda session: transfers.book_waiting(session, books=books(keys)))
    csrf = people.sign_in_staff(client, database.write(lambda session: people.mei(session, keys)))

    listed = client.get("/desk/suspense").text
    page = client.get("/desk/suspense/unplaced-1").text

    assert "/desk/suspense/unplaced-1" in listed
    assert "&lt;b&gt;房贷&lt;/b&gt; 林晓" in page
    assert "IN-77" in page
    assert "0034" in page
    form_key = re.search(r'name="form_key" value="([^"]+)"', page)
    assert form_key is not None
    done = client.post(
        "/desk/suspense/unplaced-1",
        data={
            "csrf_token": csrf,
            "form_key": form_key.group(1),
            "kind": "place",
            "target": "L-LIN-1",
            "note": "附言写明房贷，已与客户核实。",
        },
    )
    assert done.status_code == 303
    with database.read() as connection:
        payment = connection.execute(select(Payment.__table__)).one()
        loan_ref = connection.scalar(select(Loan.loan_ref).where(Loan.id == payment.loan_id))
    assert (payment.method, payment.state, loan_ref) == ("bank_transfer", "posted", "L-LIN-1")
    (made,) = make(database, tmp_path / "out")
    (row,) = rows_in(made.folder, "payments")
    assert (row["method"], row["transfer_ref"], row["amount"]) == ("bank_transfer", "IN-77", -30_000)


def test_a_transfer_placed_at_the_desk_that_goes_back_is_charged_back(
    client: FlaskClient, database: Database, keys: Keys
) -> None:
    lin(database, keys)
    table: Any = IncomingTransfer.__table__

    def comes(ref: str, back: str | None = None) -> None:
        one = Transfer(ref, BUSINESS_DATE, Money(30_000, "CNY"), "", "", "", back)
        values = transfers.row_of(keys, one) | {
            "outcome": transfers.WAITING,
            "reason": "",
            "batch_sequence": 1,
        }
        database.write(lambda session: session.execute(upsert(table).values(created_at=NOW, **values)))
        database.write(lambda session: transfers.book_waiting(session, books=books(keys)))

    comes("IN-1")
    csrf = people.sign_in_staff(client, database.write(lambda session: people.mei(session, keys)))
    told = {"csrf_token": csrf, "form_key": "k" * 20, "kind": "place", "target": "L-LIN-1", "note": "已核实"}
    client.post("/desk/suspense/unplaced-1", data=told)

    comes("IN-2", back="IN-1")

    with database.read() as connection:
        assert connection.scalar(select(Payment.state)) == "disputed"
        kinds = connection.scalars(select(LedgerLine.kind).where(LedgerLine.source == "portal")).all()
    assert sorted(kinds) == ["charge_back", "payment"]
