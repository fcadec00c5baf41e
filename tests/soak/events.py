"""What Stripe would deliver: events as it words and signs them, in any order and any number of copies."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """One payment as the provider knows it."""

    reference: str
    amount_minor: int
    currency: str = "cny"

    @property
    def intent_id(self) -> str:
        """The provider's payment."""
        return f"pi_{self.reference}"

    @property
    def session_id(self) -> str:
        """The provider's checkout."""
        return f"cs_{self.reference}"


@dataclass(frozen=True)
class Delivery:
    """One event's id and body; whose payment it tells of."""

    event_id: str
    reference: str
    body: bytes


def signature(body: bytes, secret: str, *, at: int | None = None) -> str:
    """The Stripe-Signature header of a body, now or at another second."""
    moment = int(time.time()) if at is None else at
    signed = str(moment).encode() + b"." + body
    return f"t={moment},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def intent(told: Told, kind: str, **facts: Any) -> Delivery:
    """An event about the payment."""
    known = {
        "object": "payment_intent",
        "id": told.intent_id,
        "metadata": {"payment": told.reference},
        "amount": told.amount_minor,
        "amount_received": told.amount_minor if kind == "succeeded" else 0,
        "currency": told.currency,
        **facts,
    }
    return _delivery(told, f"payment_intent.{kind}", known)


def session(told: Told, kind: str, *, paid: bool) -> Delivery:
    """An event about the checkout."""
    known = {
        "object": "checkout.session",
        "id": told.session_id,
        "client_reference_id": told.reference,
        "metadata": {"payment": told.reference},
        "payment_intent": told.intent_id,
        "payment_status": "paid" if paid else "unpaid",
        "amount_total": told.amount_minor,
        "currency": told.currency,
    }
    return _delivery(told, f"checkout.session.{kind}", known)


def _delivery(told: Told, kind: str, known: dict[str, Any]) -> Delivery:
    event_id = f"evt_{told.reference}_{kind}"
    event = {
        "id": event_id,
        "object": "event",
        "type": kind,
        "livemode": False,
        "api_version": "2026-10-29.clover",
        "created": int(time.time()),
        "data": {"object": known},
    }
    return Delivery(event_id, told.reference, json.dumps(event).encode())


def of_payment(told: Told) -> list[Delivery]:
    """Every event of one payment that ends paid."""
    declined = {"last_payment_error": {"code": "card_declined"}}
    return [
        session(told, "completed", paid=True),
        intent(told, "processing"),
        intent(told, "payment_failed", **declined),
        intent(told, "succeeded"),
        session(told, "async_payment_succeeded", paid=True),
    ]


def storm(payments: Sequence[Told], count: int, shuffler: random.Random) -> Iterator[Delivery]:
    """`count` deliveries of the payments' events, each event at least once while there is room: out of order
    within a window, so that a payment's events do not come one after the other, with one to five copies."""
    window: list[Delivery] = []
    made = 0
    for told in payments:
        for one in of_payment(told):
            window += [one] * shuffler.choice((1, 1, 2, 2, 5))
        while len(window) > 400 and made < count:
            made += 1
            yield window.pop(shuffler.randrange(len(window)))
    shuffler.shuffle(window)
    while made < count and window:
        made += 1
        yield window.pop()
