"""Two loans, and what the tests of correcting lines do to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.corrections import (
    post_refund,
    post_reversal,
    post_transfer,
)
from portal.accounts.models import LoanBalance
from portal.accounts.operations import (
    Posted,
    post_payment,
    rebalance,
    self_check,
)
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.conftest import BANK_MORNING

TODAY = date(2026, 11, 20)
SAID: dict[str, Any] = {"posted_on": TODAY, "memo": "", "now": BANK_MORNING}


def two_loans(database: Database, keys: Keys) -> tuple[int, int]:
    """Two loans of one borrower, each 12,000.00 with 100.00 interest and 20.00 penalty interest."""

    def unit(session: Session) -> tuple[int, int]:
        who = people.borrower(session, keys, customer_ref="C1", name="林", phone="19900000001")
        made = tuple(people.loan(session, borrower_id=who, loan_ref=ref) for ref in ("L1", "L2"))
        rebalance(session, loan_ids=made, as_of=TODAY, now=BANK_MORNING)
        return made[0], made[1]

    return database.write(unit)


def pay(database: Database, loan_id: int, ref: str = "P1", *, suspense: int = 0, **parts: int) -> int:
    """A payment line with these parts; its id."""
    return database.write(
        lambda session: (
            post_payment(
                session,
                loan_id=loan_id,
                parts=parts,
                suspense_minor=suspense,
                payment_id=None,
                line_ref=ref,
                **SAID,
            ).line_id
        )
    )


def take(
    database: Database, line_id: int, ref: str, *, suspense: int = 0, post: Any = post_refund, **parts: int
) -> Posted:
    """Take back part of a payment line, as a refund or by `post`."""
    return database.write(
        lambda session: post(
            session, line_id=line_id, parts=parts, suspense_minor=suspense, line_ref=ref, **SAID
        )
    )


def undo(database: Database, line_id: int, ref: str) -> Posted:
    """Reverse a line."""
    return database.write(lambda session: post_reversal(session, line_id=line_id, line_ref=ref, **SAID))


def move(
    database: Database, loans: tuple[int, int], ref: str, take: Mapping[str, int], give: Mapping[str, int]
) -> Posted:
    """Move money between the two loans."""
    return database.write(
        lambda session: post_transfer(
            session, from_loan_id=loans[0], to_loan_id=loans[1], take=take, give=give, line_ref=ref, **SAID
        )
    )


def figures(database: Database, *loan_ids: int) -> list[dict[str, Any]]:
    """Every figure of the balance rows; not the version and the count, which only rise."""
    with database.read() as connection:
        rows = connection.execute(
            select(LoanBalance.__table__)
            .where(LoanBalance.loan_id.in_(loan_ids))
            .order_by(LoanBalance.loan_id)
        )
        return [
            {key: value for key, value in row._mapping.items() if key not in ("version", "line_count")}
            for row in rows
        ]


def proved(database: Database) -> None:
    """The self-check finds nothing."""
    with database.read() as connection:
        assert self_check(connection) == []
