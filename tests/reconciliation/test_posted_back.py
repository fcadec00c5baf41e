"""What the bank's core has posted itself takes the place of ours, and stays what it was: paid, or taken back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_refund
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import UnableToPost, rebalance, self_check
from portal.accounts.reconcile_core import give_way, park_overpaid
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.payments.models import Dispute, Payment
from portal.payments.operations import locked
from portal.payments.returns import settle
from portal.reconciliation.posted_back import posted_back
from tests.payments.telling import NOW, begin, books, lin, said, tell

COMPONENTS = ("cost", "fee", "penalty_interest", "interest", "principal")


def _left(database: Database) -> int:
    with database.read() as connection:
        assert self_check(connection) == []
        loan = select(LoanBalance.left_minor - LoanBalance.suspense_minor).join(Loan)
        return int(connection.scalar(loan.where(Loan.loan_ref == "L-LIN-1")) or 0)


def _ours(database: Database, kind: str) -> list[Any]:
    with database.read() as connection:
        table = LedgerLine.__table__
        wanted = (table.c.source == "portal") & (table.c.kind == kind)
        return list(connection.execute(select(table).where(wanted).order_by(table.c.id)).all())


def _core_posts(database: Database, line: Any, *, undoes: str = "", less: int = 0) -> None:
    """The bank's own line of one of ours, named by its reference, as an intake adds it; of a payment it may
    count less, from the principal."""

    def unit(session: Session) -> None:
        original = (
            session.scalar(select(LedgerLine.id).where(LedgerLine.line_ref == undoes)) if undoes else None
        )
        session.add(
            LedgerLine(
                created_at=NOW,
                loan_id=line.loan_id,
                line_ref=f"T-{line.id}",
                source="core",
                posted_on=line.posted_on,
                kind="reversal" if undoes else "payment",
                reverses_id=original,
                external_ref=line.line_ref,
                **{f"{name}_minor": line._mapping[f"{name}_minor"] for name in COMPONENTS[:-1]},
                principal_minor=line.principal_minor + less,
            )
        )
        session.flush()
        give_way(session, posted_back=posted_back(session), now=NOW)
        park_overpaid(session, loan_ids=[line.loan_id], posted_on=line.posted_on, label="2", now=NOW)
        rebalance(session, loan_ids=[line.loan_id], as_of=line.posted_on, now=NOW)

    database.write(unit)


@pytest.fixture
def disputed(database: Database, keys: Keys) -> Database:
    """A payment of Lin's that was charged back; the bank has posted both."""
    _dispute(database, keys)
    (paid,), (taken,) = _ours(database, "payment"), _ours(database, "charge_back")
    _core_posts(database, paid)
    _core_posts(database, taken, undoes=f"T-{paid.id}")
    return database


def _dispute(database: Database, keys: Keys) -> None:
    """A payment of Lin's, and all of it charged back."""
    lin(database, keys)
    attempt = begin(database, 1)
    tell(database, keys, said(attempt, Report.PAID))

    _disputed(database, reference="D-1111-11111", provider="dp_1")
    _settle(database, keys)


def _disputed(database: Database, *, reference: str, provider: str, minor: int | None = None) -> None:
    """The provider has told of a lost dispute over the payment, or over `minor` of it."""

    def charge_back(session: Session) -> None:
        payment = session.scalars(select(Payment)).one()
        session.add(
            Dispute(
                created_at=NOW,
                reference=reference,
                payment_id=payment.id,
                provider_dispute=provider,
                amount_minor=minor or payment.amount_minor,
                currency="CNY",
                reason="fraudulent",
                state="lost",
                withdrawn=True,
                provider_created=1,
                asked_at=NOW,
            )
        )
        session.flush()

    database.write(charge_back)


def _settle(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> None:
        payment = locked(session, Payment.id == 1)
        assert payment is not None
        settle(session, payment, books(keys))

    database.write(unit)


def test_what_the_bank_has_taken_back_is_not_taken_back_again(disputed: Database, keys: Keys) -> None:
    before = _left(disputed)

    _settle(disputed, keys)

    assert _left(disputed) == before
    assert len(_ours(disputed, "charge_back")) == 1


def test_a_dispute_won_after_the_bank_posted_it_credits_the_money_until_the_bank_does(
    disputed: Database, keys: Keys
) -> None:
    before = _left(disputed)
    amount = disputed.write(lambda session: session.scalars(select(Payment.amount_minor)).one())
    disputed.write(lambda session: session.execute(update(Dispute).values(reinstated=True, state="won")))

    _settle(disputed, keys)
    _settle(disputed, keys)

    assert _left(disputed) == before - amount
    again = _ours(disputed, "payment")[-1]
    _core_posts(disputed, again)
    assert _left(disputed) == before - amount


def test_what_gave_way_to_the_banks_own_refund_still_counts_as_given_back(
    database: Database, keys: Keys
) -> None:
    lin(database, keys)
    tell(database, keys, said(begin(database, 1), Report.PAID))
    (paid,) = _ours(database, "payment")
    whole = {name: -paid._mapping[f"{name}_minor"] for name in COMPONENTS}

    def refund(ref: str) -> None:
        values = {"line_id": paid.id, "parts": whole, "suspense_minor": 0, "posted_on": paid.posted_on}
        database.write(lambda session: post_refund(session, **values, line_ref=ref, memo="", now=NOW))

    _core_posts(database, paid)
    refund("R-1")
    (given,) = _ours(database, "refund")
    _core_posts(database, given, undoes=f"T-{paid.id}")

    with pytest.raises((UnableToPost, IntegrityError)):
        refund("R-2")


def test_no_more_goes_back_than_the_bank_has_counted(database: Database, keys: Keys) -> None:
    _dispute(database, keys)
    before = _left(database)
    (paid,) = _ours(database, "payment")

    _core_posts(database, paid, less=-paid.principal_minor)
    _settle(database, keys)

    assert _left(database) == before
    kinds = [row.kind for row in _ours(database, "charge_back")]
    assert kinds == ["charge_back", "charge_back"]
    database.write(lambda session: session.execute(update(Dispute).values(reinstated=True, state="won")))
    _settle(database, keys)
    assert _left(database) == before + sum(paid._mapping[f"{name}_minor"] for name in COMPONENTS[:-1])


def test_what_comes_back_of_a_taking_the_bank_cut_short_can_be_disputed_again(
    database: Database, keys: Keys
) -> None:
    _dispute(database, keys)
    (paid,) = _ours(database, "payment")
    _core_posts(database, paid, less=1)
    database.write(lambda session: session.execute(update(Dispute).values(reinstated=True, state="won")))
    _settle(database, keys)
    before = _left(database)

    _disputed(database, reference="D-2222-22222", provider="dp_2", minor=5_000)
    _settle(database, keys)

    assert _left(database) == before + 5_000
