"""The contract of what comes after a payment - movements, refunds, disputes, saved methods, the list of events -
kept by the sandbox and by Stripe alike (see test_stripe.py for running it against Stripe itself)."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest

from portal.dates import Clock
from portal.gateways.stripe import ProviderRefused, Report, StripeGateway
from portal.gateways.stripe_reports import DisputeWord, Movement, MovementKind, RefundWord
from portal.money import Money
from tests.documents import corpus
from tests.waiting import wait_until


def paid(provider: StripeGateway, *, method: str = "pm_card_visa", reference: str = "P-7KQF-3MWD2") -> str:
    """A payment of 120.00 made without a page, by the test mode's own card; its id."""
    params: dict[str, Any] = {
        "amount": 12_000,
        "currency": "cny",
        "payment_method": method,
        "payment_method_types": ["card"],
        "confirm": True,
        "metadata": {"payment": reference},
    }
    made = provider._client.v1.payment_intents.create(params)  # type: ignore[arg-type]
    assert made.status == "succeeded"
    return str(made.id)


def key() -> str:
    return f"contract-{secrets.token_hex(8)}"


def movements(provider: StripeGateway, intent_id: str) -> list[Movement]:
    now = Clock("UTC").real_now()
    found = provider.list_movements(now - timedelta(hours=1), now + timedelta(hours=1))
    return [one for one in found if one.intent_id == intent_id]


def test_contract_a_charge_and_its_refund_are_movements_of_the_day(provider: StripeGateway) -> None:
    intent_id = paid(provider)
    refund = provider.refund(
        reference="R-7KQF-3MWD2",
        intent_id=intent_id,
        amount=Money(2_000, "CNY"),
        reason="requested_by_customer",
        idempotency_key=key(),
    )

    back, charge = movements(provider, intent_id)

    assert (charge.kind, charge.gross_minor, charge.currency) == (MovementKind.CHARGE, 12_000, "CNY")
    assert charge.reference == "P-7KQF-3MWD2"
    assert charge.fee_minor > 0
    assert charge.net_minor == charge.gross_minor - charge.fee_minor
    assert (back.kind, back.gross_minor, back.source_id) == (MovementKind.REFUND, -2_000, refund.refund_id)
    assert back.refund_reference == "R-7KQF-3MWD2"


def test_contract_movements_of_another_day_are_not_listed(provider: StripeGateway) -> None:
    paid(provider)
    now = Clock("UTC").real_now()

    assert list(provider.list_movements(now + timedelta(hours=1), now + timedelta(hours=2))) == []


def test_contract_a_refund_is_made_once_per_key_and_found_by_our_reference(provider: StripeGateway) -> None:
    intent_id, once = paid(provider), key()
    asked: dict[str, Any] = {
        "reference": "R-7KQF-3MWD2",
        "intent_id": intent_id,
        "amount": Money(2_000, "CNY"),
        "reason": "duplicate",
        "idempotency_key": once,
    }

    first, again = provider.refund(**asked), provider.refund(**asked)

    assert first.refund_id == again.refund_id
    assert first.word in (RefundWord.SUCCEEDED, RefundWord.PENDING)
    assert (first.intent_id, first.amount_minor, first.currency) == (intent_id, 2_000, "CNY")
    assert provider.fetch_refund(first.refund_id).reference == "R-7KQF-3MWD2"
    found = provider.find_refund(intent_id=intent_id, reference="R-7KQF-3MWD2")
    assert found is not None
    assert found.refund_id == first.refund_id
    assert provider.find_refund(intent_id=intent_id, reference="R-0000-00000") is None
    with pytest.raises(ProviderRefused):
        provider.refund(**(asked | {"amount": Money(3_000, "CNY")}))


def test_contract_more_than_was_paid_is_not_sent_back(provider: StripeGateway) -> None:
    intent_id = paid(provider)
    asked: dict[str, Any] = {"intent_id": intent_id, "reason": "duplicate", "reference": "R-7KQF-3MWD2"}
    provider.refund(**asked, amount=Money(12_000, "CNY"), idempotency_key=key())

    with pytest.raises(ProviderRefused):
        provider.refund(**asked, amount=Money(1, "CNY"), idempotency_key=key())


def dispute_of(provider: StripeGateway, intent_id: str) -> str:
    """The dispute's id, from the events: the provider opens it a moment after the payment."""
    since = Clock("UTC").real_now() - timedelta(hours=1)
    found: list[str] = []

    def is_told() -> bool:
        for event in provider.list_events(since):
            if event.dispute and event.dispute.intent_id == intent_id:
                found.append(event.dispute.dispute_id)
        return bool(found)

    wait_until(is_told)
    return found[0]


def test_contract_a_dispute_takes_the_money_and_is_answered_once(provider: StripeGateway) -> None:
    intent_id = paid(provider, method="pm_card_createDispute")
    dispute_id = dispute_of(provider, intent_id)

    opened = provider.fetch_dispute(dispute_id)
    answered = provider.answer_dispute(dispute_id, text="winning_evidence", idempotency_key=key())

    assert (opened.word, opened.amount_minor) == (DisputeWord.NEEDS_ANSWER, 12_000)
    assert opened.due is not None
    assert opened.due > Clock("UTC").real_now().timestamp()
    assert answered.word in (DisputeWord.UNDER_REVIEW, DisputeWord.WON)
    taken = [one for one in movements(provider, intent_id) if one.kind is MovementKind.DISPUTE]
    assert [one.gross_minor for one in taken] == [-12_000]


def test_contract_the_list_of_events_tells_what_the_endpoint_would_have_been_told(
    provider: StripeGateway,
) -> None:
    intent_id = paid(provider)

    told = list(provider.list_events(Clock("UTC").real_now() - timedelta(hours=1)))

    of_ours = [event for event in told if event.payment.intent_id == intent_id]
    assert "payment_intent.succeeded" in {event.kind for event in of_ours}
    assert Report.PAID in {event.payment.report for event in of_ours}
    assert len({event.event_id for event in told}) == len(told)


def test_contract_papers_are_handed_over_once_and_go_with_the_answer(provider: StripeGateway) -> None:
    dispute_id = dispute_of(provider, paid(provider, method="pm_card_createDispute"))
    made, once = corpus.pdf(1), key()

    first = provider.upload_paper(made, name="receipt.pdf", idempotency_key=once)
    again = provider.upload_paper(made, name="receipt.pdf", idempotency_key=once)
    other = provider.upload_paper(corpus.picture(), name="uncategorized_file.jpg", idempotency_key=key())
    answered = provider.answer_dispute(
        dispute_id,
        text="winning_evidence",
        papers={"receipt": first, "uncategorized_file": other},
        idempotency_key=key(),
    )

    assert first == again != other
    assert answered.word in (DisputeWord.UNDER_REVIEW, DisputeWord.WON)


def test_contract_what_is_no_paper_and_a_paper_nobody_sent_are_refused(provider: StripeGateway) -> None:
    dispute_id = dispute_of(provider, paid(provider, method="pm_card_createDispute"))

    with pytest.raises(ProviderRefused):
        provider.upload_paper(b"hello", name="receipt.txt", idempotency_key=key())
    with pytest.raises(ProviderRefused):
        provider.answer_dispute(
            dispute_id, text="x", papers={"receipt": "file_unknown"}, idempotency_key=key()
        )
