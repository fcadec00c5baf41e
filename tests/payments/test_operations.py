"""Starting a payment: limits worked out here, and one attempt however often the form is sent."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.db import Database
from portal.gateways.stripe import Checkout
from portal.keys import Keys
from portal.money import Money
from portal.payments import operations
from portal.payments.lifecycle import PaymentAction
from portal.payments.models import Payment, TransferReference
from portal.payments.operations import UnableToPay
from portal.payments.references import reference_from, transfer_reference
from tests import people
from tests.payments.telling import NOW, OFFERED, begin


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    database.write(lambda session: people.zhao(session, keys))
    return database.write(lambda session: people.lin(session, keys))


@pytest.mark.parametrize(
    ("loan_ref", "minor", "reason"),
    [
        ("L-LIN-1", 0, "zero"),
        ("L-LIN-1", -5, "zero"),
        ("L-LIN-1", 1_212_001, "above_left"),
        ("L-ZHAO-1", 100, "target"),
        ("L-NONE-1", 100, "target"),
        (None, 100, "target"),
    ],
)
def test_what_the_form_says_is_checked_here(
    database: Database, borrower_id: int, loan_ref: str | None, minor: int, reason: str
) -> None:
    with pytest.raises(UnableToPay) as refused:
        begin(database, borrower_id, minor, loan_ref=loan_ref)

    assert refused.value.reason == reason


def test_another_currency_than_the_loans_is_refused(database: Database, borrower_id: int) -> None:
    def unit(session: Session) -> None:
        operations.create_attempt(
            session,
            borrower_id=borrower_id,
            loan_ref="L-LIN-1",
            amount=Money(100, "USD"),
            form_key="x",
            offered=OFFERED,
            now=NOW,
            real_now=NOW,
        )

    with pytest.raises(UnableToPay, match="currency"):
        database.write(unit)


def test_all_that_is_left_may_be_paid_to_the_cent(database: Database, borrower_id: int) -> None:
    assert begin(database, borrower_id, 1_212_000).amount == Money(1_212_000, "CNY")


def test_the_same_form_gives_the_first_attempt(database: Database, borrower_id: int) -> None:
    first = begin(database, borrower_id, 500)
    again = begin(database, borrower_id, 700)

    assert again.reference == first.reference
    assert again.amount == Money(500, "CNY")
    assert again.repeated


def test_two_tabs_with_the_same_amount_share_one_open_attempt(database: Database, borrower_id: int) -> None:
    first = begin(database, borrower_id, 500, form_key="tab-1")
    second = begin(database, borrower_id, 500, form_key="tab-2")

    assert second.reference == first.reference


def test_after_the_first_is_closed_the_same_amount_may_be_paid_again(
    database: Database, borrower_id: int
) -> None:
    first = begin(database, borrower_id, 500, form_key="tab-1", session_id=None)
    database.write(
        lambda session: operations.closed(
            session, payment_id=first.payment_id, action=PaymentAction.CANCEL, code="", now=NOW
        )
    )

    assert begin(database, borrower_id, 500, form_key="tab-2").reference != first.reference


def test_forty_submits_at_once_make_one_attempt(database: Database, borrower_id: int) -> None:
    barrier = threading.Barrier(40)
    references: list[str] = []

    def submit(number: int) -> None:
        barrier.wait()
        attempt = begin(database, borrower_id, 500, form_key=f"tab-{number % 2}", session_id=None)
        references.append(attempt.reference)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(references) == 40
    assert len(set(references)) == 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Payment)) == 1


def test_the_key_is_written_with_the_row_before_any_call(database: Database, borrower_id: int) -> None:
    attempt = begin(database, borrower_id, session_id=None)

    with database.read() as connection:
        row = connection.execute(select(Payment.idempotency_key, Payment.provider_session)).one()
    assert tuple(row) == (f"checkout-{attempt.reference}", None)


def test_a_second_answer_to_the_same_key_changes_nothing(database: Database, borrower_id: int) -> None:
    attempt = begin(database, borrower_id, session_id="cs_1")
    other = Checkout("cs_2", "http://pay.example/cs_2", None)

    database.write(
        lambda session: operations.opened(
            session, payment_id=attempt.payment_id, checkout=other, real_now=NOW, now=NOW
        )
    )

    with database.read() as connection:
        assert connection.scalar(select(Payment.provider_session)) == "cs_1"


def test_transfer_references_are_written_once_and_found_as_typed(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    written = database.write(lambda session: operations.ensure_references(session, keys=keys, now=NOW))
    again = database.write(lambda session: operations.ensure_references(session, keys=keys, now=NOW))
    database.write(lambda session: people.loan(session, borrower_id=borrower_id, loan_ref="L-LIN-2"))
    later = database.write(lambda session: operations.ensure_references(session, keys=keys, now=NOW))

    with database.read() as connection:
        stored = set(connection.scalars(select(TransferReference.reference)))
    assert (written, again, later) == (3, 0, 1)
    typed = transfer_reference(keys, "L-LIN-1").lower().replace("-", "　")
    assert reference_from(typed) in stored


@given(st.text(alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=1, max_size=16))
@settings(max_examples=200)
def test_a_reference_with_one_wrong_character_is_none(ref: str) -> None:
    keys = Keys(pepper=bytes(range(32)), master=bytes(range(32)))
    right = transfer_reference(keys, ref)
    wrong = ("A" if right[0] != "A" else "B") + right[1:]

    assert reference_from(right) == right
    assert reference_from(wrong) == ""
