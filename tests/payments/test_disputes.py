"""Disputes over the sandbox: seen, answered once, won or lost, and answers whose fate nobody knows."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.gateways.stripe import ProviderUnavailable, StripeGateway
from portal.payments import checkout, desk_queries, disputes, provider_calls
from portal.payments.checkout import books_of
from portal.payments.desk_queries import DisputeView
from portal.payments.disputes import UnableToAnswer
from portal.payments.models import Dispute
from tests import people
from tests.conftest import StandingClock
from tests.payments.conftest import Shop
from tests.payments.telling import standing

pytestmark = pytest.mark.slow


def disputed(shop: Shop, *, inquiry: bool = False) -> int:
    """A paid payment whose payer objects; its id."""
    attempt = shop.pay()
    shop.sandbox.book.open_dispute(shop.intent(), inquiry=inquiry)
    shop.catch_up()
    return attempt.payment_id


def dispute_of(shop: Shop, payment_id: int) -> DisputeView:
    with shop.portal.db.read() as connection:
        (found,) = desk_queries.disputes_of(connection, shop.portal.keys, payment_id)
    return found


def answer(shop: Shop, text: str = "Signed in with a code, agreement K-1.") -> disputes.AnswerCall:
    portal = shop.portal

    def unit(session):  # type: ignore[no-untyped-def]
        staff_id = people.mei(session, portal.keys)
        reference = session.scalar(select(Dispute.reference))
        return disputes.answer(
            session,
            keys=portal.keys,
            staff_id=staff_id,
            reference=reference,
            text=text,
            now=portal.clock.now(),
            real_now=portal.clock.real_now(),
        )

    return portal.db.write(unit)


def net(shop: Shop, payment_id: int) -> tuple[str, int]:
    with shop.portal.db.read() as connection:
        end = standing(connection, payment_id)
    return end.state, end.net


def test_the_money_leaves_and_a_won_dispute_brings_it_back(shop: Shop) -> None:
    payment_id = disputed(shop)
    taken, seen = net(shop, payment_id), dispute_of(shop, payment_id)

    provider_calls.send_answer(shop.portal, answer(shop), books_of(shop.portal))
    sent = dispute_of(shop, payment_id)
    shop.sandbox.book.close_dispute(seen.provider_dispute, won=True)
    shop.catch_up()
    won = dispute_of(shop, payment_id)

    assert taken == ("disputed", 0)
    assert (seen.state, seen.withdrawn, seen.can_be_answered) == ("needs_answer", True, True)
    assert seen.answer_by is not None
    assert (sent.state, sent.answer_state, sent.answer) == (
        "under_review",
        "sent",
        "Signed in with a code, agreement K-1.",
    )
    assert (won.state, won.reinstated) == ("won", True)
    assert net(shop, payment_id) == ("posted", 30_000)


def test_a_lost_dispute_stays_taken_and_an_inquiry_takes_nothing(shop: Shop) -> None:
    payment_id = disputed(shop, inquiry=True)
    asked = net(shop, payment_id)
    shop.sandbox.book.close_dispute(dispute_of(shop, payment_id).provider_dispute, won=False)
    shop.sandbox.book.open_dispute(shop.intent())
    (newest,), _more = shop.sandbox.book.listed("dispute", limit=1)
    shop.sandbox.book.close_dispute(newest["id"], won=False)
    shop.catch_up()

    assert asked == ("posted", 30_000)
    assert net(shop, payment_id) == ("disputed", 0)


class Lost(StripeGateway):
    """The provider takes the answer, and its own answer never arrives."""

    def answer_dispute(self, *given, **asked):  # type: ignore[no-untyped-def]
        super().answer_dispute(*given, **asked)
        raise ProviderUnavailable("timeout")


def test_an_answer_whose_fate_is_unknown_is_sent_again_with_its_key(shop: Shop, clock: StandingClock) -> None:
    from dataclasses import replace

    payment_id = disputed(shop)
    lost = Lost(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)
    with pytest.raises(ProviderUnavailable):
        provider_calls.send_answer(replace(shop.portal, stripe=lost), answer(shop), books_of(shop.portal))
    assert dispute_of(shop, payment_id).answer_state == "sending"

    clock.advance(minutes=4)
    checkout.sweep(shop.portal)

    assert dispute_of(shop, payment_id).answer_state == "sent"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("  ", "empty"), ("x" * 20_001, "too_long"), ("paid with 4242424242424242", "card_number")],
)
def test_an_answer_that_is_none_is_refused(shop: Shop, text: str, reason: str) -> None:
    disputed(shop)

    with pytest.raises(UnableToAnswer, match=reason):
        answer(shop, text)


def test_after_the_deadline_no_answer_is_taken(shop: Shop, clock: StandingClock) -> None:
    disputed(shop)
    clock.advance(days=15)

    with pytest.raises(UnableToAnswer, match="too_late"):
        answer(shop)
