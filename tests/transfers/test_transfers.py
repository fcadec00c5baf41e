"""Transfers the bank received: credited to the loan they name, kept apart otherwise, once, and taken back."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import rebalance, self_check
from portal.accounts.reconcile_core import give_way
from portal.db import Database, upsert
from portal.keys import Keys
from portal.messages.models import Message
from portal.money import Money
from portal.payments.models import Dispute, IncomingTransfer, Payment, UnplacedMoney
from portal.payments.references import transfer_reference
from portal.plans.models import PlanReceipt
from portal.reconciliation.posted_back import posted_back
from portal.signing import Signer
from portal.transfers import matching as transfers
from portal.transfers.matching import Transfer
from tests.payments.telling import NOW, books, lin
from tests.plans.people import story

DAY = date(2026, 11, 20)


def transfer(ref: str, text: str, minor: int = 30_000, **changes: Any) -> Transfer:
    """A transfer of 300.00 with a text."""
    values: dict[str, Any] = {
        "transfer_ref": ref,
        "value_on": DAY,
        "amount": Money(minor, changes.pop("currency", "CNY")),
        "text": text,
        "payer_name": "林晓",
        "payer_tail": "0034",
        "reverses_ref": None,
    }
    return Transfer(**(values | changes))


def take(database: Database, keys: Keys, *several: Transfer, sequence: int = 1) -> dict[str, int]:
    """Write transfers down as an intake does, and book them; how many of each outcome are new."""

    def write_down(session: Session) -> None:
        for one in several:
            values = transfers.row_of(keys, one) | {
                "created_at": NOW,
                "outcome": transfers.WAITING,
                "reason": "",
                "batch_sequence": sequence,
            }
            table: Any = IncomingTransfer.__table__
            session.execute(upsert(table).values(values).on_conflict_do_nothing())

    before = _outcomes(database)
    database.write(write_down)
    while database.write(lambda session: transfers.book_waiting(session, books=books(keys))):
        pass
    return dict(_outcomes(database) - before)


def _outcomes(database: Database) -> Counter[str]:
    """Outcome -> how many, an original that was taken back under what it was."""
    return Counter(
        "placed" if row.outcome == "reversed" else row.outcome for row in rows(database, IncomingTransfer)
    )


def left(database: Database, loan_ref: str = "L-LIN-1") -> int:
    """What is left of a loan."""
    with database.read() as connection:
        assert self_check(connection) == []
        row = select(LoanBalance.left_minor).join(Loan, Loan.id == LoanBalance.loan_id)
        return int(connection.scalar(row.where(Loan.loan_ref == loan_ref)) or 0)


def rows(database: Database, model: Any) -> list[Any]:
    """All rows of a table."""
    with database.read() as connection:
        return list(connection.execute(select(model.__table__)).all())


def core_line(
    database: Database, external_ref: str, minor: int = 30_000, *, loan_ref: str = "L-LIN-1"
) -> None:
    """A payment line of the bank's own, as an intake adds it."""

    def unit(session: Session) -> None:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == loan_ref)).one()
        session.add(
            LedgerLine(
                created_at=NOW,
                loan_id=loan_id,
                line_ref=f"T-{external_ref}",
                source="core",
                posted_on=DAY,
                kind="payment",
                principal_minor=-minor,
                external_ref=external_ref,
            )
        )
        session.flush()
        give_way(session, posted_back=posted_back(session), now=NOW)
        rebalance(session, loan_ids=[loan_id], as_of=DAY, now=NOW)

    database.write(unit)


def test_a_transfer_is_credited_to_the_loan_its_text_names_with_the_rule_and_a_message(
    database: Database, keys: Keys
) -> None:
    lin(database, keys)
    before = left(database)

    outcomes = take(database, keys, transfer("IN-1", f"还款 {transfer_reference(keys, 'L-LIN-1')} 林晓"))

    (payment,) = rows(database, Payment)
    (row,) = rows(database, IncomingTransfer)
    assert outcomes == {"placed": 1}
    assert (payment.method, payment.state, payment.amount_minor) == ("bank_transfer", "posted", 30_000)
    placed = payment.allocation["loans"][0]
    assert placed["rule"] == "cn.561"
    assert [step["component"] for step in placed["steps"]] == ["penalty_interest", "interest", "principal"]
    assert left(database) == before - 30_000
    assert (row.outcome, row.payment_id) == ("placed", payment.id)
    assert keys.unseal("transfer.text", row.text_sealed).endswith("林晓")
    with database.read() as connection:
        assert connection.scalars(select(Message.kind)).all() == ["receipt"]


def test_the_same_transfer_again_is_taken_once(database: Database, keys: Keys) -> None:
    lin(database, keys)
    one = transfer("IN-1", transfer_reference(keys, "L-LIN-1"))
    take(database, keys, one)
    after = left(database)

    outcomes = take(database, keys, one, one, sequence=2)

    assert (outcomes, left(database)) == ({}, after)


@pytest.mark.parametrize(
    ("text", "reason", "changes"),
    [
        ("还款", "unknown_reference", {}),
        ("", "unknown_reference", {}),
        ("{wrong}", "unknown_reference", {}),
        ("{loan} {card}", "several_references", {}),
        ("{loan}", "currency_differs", {"currency": "USD"}),
    ],
    ids=["none", "empty", "wrong", "two", "currency"],
)
def test_what_names_no_loan_or_two_is_kept_apart_with_its_reason(
    database: Database, keys: Keys, text: str, reason: str, changes: dict[str, Any]
) -> None:
    lin(database, keys)
    loan, card = (transfer_reference(keys, ref) for ref in ("L-LIN-1", "C-LIN-1"))
    wrong = loan[:-1] + ("0" if loan[-1] != "0" else "1")
    before = left(database)

    outcomes = take(
        database, keys, transfer("IN-1", text.format(loan=loan, card=card, wrong=wrong), **changes)
    )

    (unplaced,) = rows(database, UnplacedMoney)
    (row,) = rows(database, IncomingTransfer)
    assert outcomes == {"unplaced": 1}
    assert (unplaced.reason, unplaced.method, unplaced.amount_minor) == (reason, "bank_transfer", 30_000)
    assert (row.outcome, row.reason, row.unplaced_id) == ("unplaced", reason, unplaced.id)
    assert left(database) == before
    assert rows(database, Payment) == []


def test_more_than_is_left_stays_on_the_loan_as_overpaid(database: Database, keys: Keys) -> None:
    lin(database, keys)
    whole = left(database)

    take(database, keys, transfer("IN-1", transfer_reference(keys, "L-LIN-1"), whole + 500))

    assert left(database) == 0
    with database.read() as connection:
        assert connection.scalar(select(func.sum(LoanBalance.suspense_minor))) == 500


def test_what_the_core_has_posted_itself_is_told_and_not_counted_twice(
    database: Database, keys: Keys
) -> None:
    lin(database, keys)
    before = left(database)
    core_line(database, "IN-1")

    outcomes = take(database, keys, transfer("IN-1", transfer_reference(keys, "L-LIN-1")))

    (payment,) = rows(database, Payment)
    assert outcomes == {"core_posted": 1}
    assert left(database) == before - 30_000
    assert (payment.state, payment.allocation["loans"][0]["rule"]) == ("posted", "core")


def test_what_the_core_posts_later_takes_the_place_of_ours(database: Database, keys: Keys) -> None:
    lin(database, keys)
    before = left(database)
    take(database, keys, transfer("IN-1", transfer_reference(keys, "L-LIN-1")))

    core_line(database, "IN-1")

    assert left(database) == before - 30_000


def test_a_transfer_taken_back_is_charged_back_and_named_for_the_desk(database: Database, keys: Keys) -> None:
    lin(database, keys)
    before = left(database)
    one = transfer("IN-1", transfer_reference(keys, "L-LIN-1"))
    back = transfer("IN-2", "退汇", reverses_ref="IN-1")

    outcomes = take(database, keys, back, one)
    again = take(database, keys, back, sequence=2)

    assert (outcomes, again) == ({"placed": 1, "reversal": 1}, {})
    assert left(database) == before
    (payment,) = rows(database, Payment)
    (dispute,) = rows(database, Dispute)
    assert payment.state == "disputed"
    assert (dispute.payment_id, dispute.withdrawn, dispute.reason) == (payment.id, True, "transfer_returned")
    kinds = sorted(row.kind for row in rows(database, LedgerLine) if row.source == "portal")
    assert kinds == ["charge_back", "payment"]
    found = {row.transfer_ref: row.outcome for row in rows(database, IncomingTransfer)}
    assert found == {"IN-1": "reversed", "IN-2": "reversal"}


def test_money_kept_apart_that_is_taken_back_can_no_longer_be_placed(database: Database, keys: Keys) -> None:
    lin(database, keys)
    take(database, keys, transfer("IN-1", "没有编号"))

    take(database, keys, transfer("IN-2", "退汇", reverses_ref="IN-1"), sequence=2)

    (dispute,) = rows(database, Dispute)
    (unplaced,) = rows(database, UnplacedMoney)
    assert (dispute.payment_id, dispute.unplaced_id) == (None, unplaced.id)


def test_where_the_core_posted_it_the_core_takes_it_back(database: Database, keys: Keys) -> None:
    lin(database, keys)
    take(database, keys, transfer("IN-1", transfer_reference(keys, "L-LIN-1")))
    core_line(database, "IN-1")
    after = left(database)

    take(database, keys, transfer("IN-2", "退汇", reverses_ref="IN-1"), sequence=2)

    assert left(database) == after
    assert rows(database, Payment)[0].state == "disputed"
    assert [row.kind for row in rows(database, LedgerLine) if row.kind == "charge_back"] == []


def test_a_transfer_counts_for_the_plan_over_its_loan(database: Database, keys: Keys, signer: Signer) -> None:
    lin_story = story(database, keys, signer)
    lin_story.plan()

    take(database, keys, transfer("IN-1", transfer_reference(keys, "L-LIN-1")))

    with database.read() as connection:
        assert connection.scalar(select(func.sum(PlanReceipt.amount_minor))) == 30_000
