"""Pay links: what a helper may pay with one, once and together at most, and what the receipt tells whom."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.money import Money
from portal.payments import payers
from portal.payments.models import PayLink, Payment, Refund
from portal.payments.operations import Attempt, UnableToPay
from portal.payments.payers import AboveLimit, LinkClosed, LinkView, LinkWish, UnableToLink
from tests import people
from tests.payments.telling import NOW, OFFERED, lin, said, tell

TODAY = people.BUSINESS_DATE
WISH = LinkWish("L-LIN-1", "fixed", Money(30_000, "CNY"), 14, "姐姐", "form-1")


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return lin(database, keys)


def make(database: Database, keys: Keys, borrower_id: int, **changes: Any) -> LinkView:
    wish = replace(WISH, **changes)
    reference = database.write(
        lambda session: payers.make_link(
            session, keys=keys, borrower_id=borrower_id, wish=wish, today=TODAY, now=NOW
        )
    )
    return view(database, keys, borrower_id, reference)


def view(database: Database, keys: Keys, borrower_id: int, reference: str) -> LinkView:
    with database.read() as connection:
        links = payers.links_for(connection, keys, borrower_id, today=TODAY)
    return next(link for link in links if link.reference == reference)


def begin(
    database: Database,
    keys: Keys,
    token: str,
    amount: int | None = None,
    *,
    form_key: str = "k",
    days: int = 0,
) -> Attempt:
    return database.write(
        lambda session: payers.begin(
            session,
            keys=keys,
            token=token,
            amount=Money(amount, "CNY") if amount is not None else None,
            form_key=form_key,
            offered=OFFERED,
            today=TODAY + timedelta(days=days),
            now=NOW,
            real_now=NOW,
        )
    )


def test_a_link_stores_no_token_or_label_in_clear_and_the_same_form_makes_one(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    link = make(database, keys, borrower_id)

    assert make(database, keys, borrower_id) == link
    assert len(link.token) == 26
    with database.read() as connection:
        (row,) = connection.execute(select(PayLink.__table__)).all()
    assert link.token not in str(tuple(row))
    assert "姐姐" not in str(tuple(row))


def test_a_helper_pays_the_fixed_amount_once_and_the_borrower_sees_it(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    link = make(database, keys, borrower_id)

    attempt = begin(database, keys, link.token, 1)  # the form's own amount does not count
    assert begin(database, keys, link.token, 1) == replace(attempt, repeated=True)
    with pytest.raises(LinkClosed, match="used"):
        begin(database, keys, link.token, form_key="another")
    tell(database, keys, said(attempt, Report.PAID))

    assert attempt.amount == Money(30_000, "CNY")
    seen = view(database, keys, borrower_id, link.reference)
    assert (seen.state, seen.paid, seen.under_way) == ("used", Money(30_000, "CNY"), Money(0, "CNY"))


def test_a_payment_given_up_leaves_the_link_open(database: Database, keys: Keys, borrower_id: int) -> None:
    link = make(database, keys, borrower_id)
    attempt = begin(database, keys, link.token)

    tell(database, keys, said(attempt, Report.EXPIRED, kind="checkout.session.expired", session_id=None))

    assert view(database, keys, borrower_id, link.reference).state == "open"
    assert begin(database, keys, link.token, form_key="again").amount == attempt.amount


def test_up_to_a_limit_parts_are_paid_and_never_more_together(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    link = make(database, keys, borrower_id, kind="up_to")
    begin(database, keys, link.token, 20_000)

    with pytest.raises(AboveLimit) as refused:
        begin(database, keys, link.token, 10_001, form_key="b")
    assert refused.value.room == Money(10_000, "CNY")
    begin(database, keys, link.token, 10_000, form_key="c")
    with pytest.raises(LinkClosed, match="used"):
        begin(database, keys, link.token, 1, form_key="d")


def test_ten_helpers_at_once_stay_within_the_limit(database: Database, keys: Keys, borrower_id: int) -> None:
    link = make(database, keys, borrower_id, kind="up_to")
    barrier = threading.Barrier(10)

    def pay(number: int) -> None:
        barrier.wait()
        with contextlib.suppress(AboveLimit, LinkClosed):
            begin(database, keys, link.token, 7_000 + number, form_key=f"k{number}")

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        sums = connection.scalars(select(Payment.amount_minor)).all()
    assert len(sums) == 4
    assert sum(sums) <= 30_000


def test_borrower_and_helper_may_each_pay_the_same_amount(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    from tests.payments.telling import begin as borrower_begins

    link = make(database, keys, borrower_id)
    own = borrower_begins(database, borrower_id)
    helper = begin(database, keys, link.token)

    assert own.reference != helper.reference
    tell(database, keys, said(own, Report.PAID))
    tell(database, keys, said(helper, Report.PAID, event_id="evt_2", intent_id="pi_2"))
    with database.read() as connection:
        rows = connection.execute(
            select(Payment.state, Payment.pay_link_id.is_not(None)).order_by(Payment.id)
        )
        assert [tuple(row) for row in rows] == [("posted", 0), ("posted", 1)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "all"}, "kind"),
        ({"days": 0}, "days"),
        ({"days": 61}, "days"),
        ({"label": "4111 1111 1111 1111"}, "card_number"),
        ({"label": "x" * 41}, "label"),
        ({"limit": Money(1_212_001, "CNY")}, "above_left"),
        ({"limit": Money(100, "USD")}, "above_left"),
        ({"limit": Money(0, "CNY")}, "zero"),
    ],
)
def test_a_link_that_cannot_be_is_not_made(
    database: Database, keys: Keys, borrower_id: int, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnableToLink, match=reason):
        make(database, keys, borrower_id, **changes)


def test_a_link_is_for_ones_own_loans_only(database: Database, keys: Keys, borrower_id: int) -> None:
    database.write(lambda session: people.zhao(session, keys))

    with pytest.raises(UnableToPay, match="target"):
        make(database, keys, borrower_id, loan_ref="L-ZHAO-1")


def test_a_closed_link_begins_nothing(database: Database, keys: Keys, borrower_id: int) -> None:
    link = make(database, keys, borrower_id)
    other = database.write(lambda session: people.zhao(session, keys))

    def revoke(who: int) -> bool:
        return database.write(
            lambda session: payers.revoke(session, borrower_id=who, reference=link.reference, now=NOW)
        )

    with pytest.raises(LinkClosed, match="expired"):
        begin(database, keys, link.token, days=15)
    assert (revoke(other), revoke(borrower_id), revoke(borrower_id)) == (False, True, False)
    for token, reason in ((link.token, "revoked"), ("0" * 26, "unknown"), ("x", "unknown")):
        with pytest.raises(LinkClosed, match=reason):
            begin(database, keys, token)


def test_the_receipt_opens_with_its_own_key_only(database: Database, keys: Keys, borrower_id: int) -> None:
    link = make(database, keys, borrower_id)
    attempt = begin(database, keys, link.token)
    key = payers.receipt_key(keys, attempt.reference)

    with database.read() as connection:
        receipt = payers.receipt_of(connection, keys, attempt.reference, key)
        assert receipt is not None
        assert (receipt.amount, receipt.state) == (attempt.amount, "created")
        assert payers.receipt_of(connection, keys, attempt.reference, "0" * 26) is None
        assert payers.receipt_of(connection, keys, "P-0000-00000", key) is None


def test_the_receipt_says_what_of_it_was_sent_back(database: Database, keys: Keys, borrower_id: int) -> None:
    link = make(database, keys, borrower_id)
    attempt = begin(database, keys, link.token)
    key = payers.receipt_key(keys, attempt.reference)

    def refund(state: str, minor: int) -> Refund:
        return Refund(
            reference=f"R-{state}",
            payment_id=attempt.payment_id,
            amount_minor=minor,
            currency="CNY",
            reason="paid_twice",
            state=state,
            form_key=state,
            idempotency_key=state,
            asked_at=NOW,
            created_at=NOW,
        )

    database.write(
        lambda session: session.add_all(refund(*one) for one in (("succeeded", 40_00), ("processing", 5_00)))
    )
    with database.read() as connection:
        receipt = payers.receipt_of(connection, keys, attempt.reference, key)

    assert receipt is not None
    assert receipt.sent_back == Money(40_00, "CNY")
