"""Stripe: opens checkouts, asks how they stand, and reads signed events. Receives Money, sends minor units.

Only codes, ids and amounts leave this module; no card number ever reaches us. The same tests run
against the sandbox (portal/demo/stripe_sandbox.py) and against Stripe itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import stripe

from portal.money import Money
from portal.settings import Settings

#: How far an event's signature may lie before or after our own clock.
TOLERANCE_SECONDS = 300
#: Connect and read timeouts of one call, in seconds.
TIMEOUTS = (3.05, 10.0)
#: One more try of a call that carries an idempotency key or changes nothing.
RETRIES = 1
#: The largest amount Stripe takes in one payment: eight digits of minor units.
LARGEST_MINOR = 99_999_999
#: The pages of ours that Stripe speaks, by our locale.
CHECKOUT_LOCALES = {"zh": "zh", "zh_Hant": "zh-HK", "en": "en-GB"}


class Report(StrEnum):
    """What an event or an answer says about a payment, in our words."""

    PAID = "paid"
    PROCESSING = "processing"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    OPEN = "open"
    OTHER = "other"


class NotGenuine(Exception):
    """An event that Stripe did not sign for us, now; `reason` is a stable code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderUnavailable(Exception):
    """No answer: the call may or may not have had its effect. Ask again with the same key."""


class ProviderRefused(Exception):
    """A clear no: nothing was made. `code` is the provider's own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Checkout:
    """An open checkout: where the payer goes, and what it is called there."""

    session_id: str
    url: str
    intent_id: str | None


@dataclass(frozen=True)
class PaymentReport:
    """What the provider says about one payment; amounts as it states them, not yet believed."""

    report: Report
    reference: str
    session_id: str | None
    intent_id: str | None
    amount_minor: int | None
    currency: str
    code: str = ""


@dataclass(frozen=True)
class ProviderEventSeen:
    """One genuine event."""

    event_id: str
    kind: str
    object_id: str
    payment: PaymentReport


class StripeGateway:
    """Stripe, or a sandbox that speaks its language at `api_base`."""

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secrets: Sequence[str],
        api_base: str | None = None,
        account: str | None = None,
        tolerance_seconds: int = TOLERANCE_SECONDS,
        timeouts: tuple[float, float] = TIMEOUTS,
    ) -> None:
        if not tolerance_seconds or tolerance_seconds < 0:
            raise ValueError("a signature without an age limit can be replayed for ever")
        self.available = bool(api_key)
        self._secrets = tuple(secret for secret in webhook_secrets if secret.strip())
        self._tolerance = tolerance_seconds
        self._account = account
        self._livemode = api_key.startswith(("sk_live_", "rk_live_"))
        self._client = stripe.StripeClient(
            api_key or "none",
            stripe_account=account,
            base_addresses={"api": api_base} if api_base else {},
            http_client=stripe.RequestsClient(timeout=timeouts),
            max_network_retries=RETRIES,
        )

    def create_checkout(
        self,
        *,
        reference: str,
        amount: Money,
        methods: Sequence[str],
        title: str,
        return_url: str,
        cancel_url: str,
        locale: str,
        idempotency_key: str,
        expires_at: datetime,
    ) -> Checkout:
        """Open a checkout for `amount`; `title` is what the payer sees there. The same key and the same
        arguments give the same checkout. Raises ProviderUnavailable and ProviderRefused."""
        params: dict[str, Any] = {
            "mode": "payment",
            "client_reference_id": reference,
            "metadata": {"payment": reference},
            "payment_intent_data": {"metadata": {"payment": reference}},
            "payment_method_types": list(methods),
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": amount.currency.lower(),
                        "unit_amount": amount.minor,
                        "product_data": {"name": title},
                    },
                }
            ],
            "adaptive_pricing": {"enabled": False},
            "success_url": return_url,
            "cancel_url": cancel_url,
            "locale": CHECKOUT_LOCALES[locale],
            "expires_at": int(expires_at.timestamp()),
        }
        if "wechat_pay" in methods:
            params["payment_method_options"] = {"wechat_pay": {"client": "web"}}
        with _translated():
            made = self._client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return Checkout(made.id, made.url or "", _id_of(made.payment_intent))

    def fetch(self, session_id: str) -> PaymentReport:
        """How a checkout and its payment stand now. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            found = self._client.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})
        return _of_session(found.to_dict(), None)

    def expire(self, session_id: str, *, idempotency_key: str) -> PaymentReport:
        """Close a checkout so that nobody can pay in it any more; ProviderRefused when it is complete."""
        with _translated():
            found = self._client.v1.checkout.sessions.expire(
                session_id, None, {"idempotency_key": idempotency_key}
            )
        return _of_session(found.to_dict(), None)

    def verify_event(self, body: bytes, header: str | None, *, now: datetime) -> ProviderEventSeen:
        """The event in `body` when Stripe signed exactly these bytes for us within the tolerance of
        `now` (a real instant), early or late, in our mode and for our account. Raises NotGenuine."""
        self._check_signature(body, header, now)
        event = _object_in(body)
        if event.get("livemode") is not self._livemode:
            raise NotGenuine("livemode")
        if event.get("account") != self._account:
            raise NotGenuine("account")
        return _seen(event)

    def _check_signature(self, body: bytes, header: str | None, now: datetime) -> None:
        timestamp, signatures = _parts_of(header)
        if not self._secrets:
            raise NotGenuine("no_secret")
        signed = str(timestamp).encode() + b"." + body
        expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in self._secrets]
        if not any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures):
            raise NotGenuine("signature")
        if abs(int(now.timestamp()) - timestamp) > self._tolerance:
            raise NotGenuine("age")


def gateway_for(settings: Settings) -> StripeGateway:
    """The gateway these settings describe; without a key it is there but not `available`."""
    return StripeGateway(
        api_key=settings.stripe_api_key,
        webhook_secrets=settings.stripe_webhook_secrets,
        api_base=settings.stripe_api_base,
        account=settings.stripe_account,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's exceptions in our two words: no answer, and no."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.IdempotencyError, stripe.CardError) as error:
        raise ProviderRefused(error.code or "invalid_request") from error
    except stripe.StripeError as error:
        raise ProviderUnavailable(type(error).__name__) from error


def _parts_of(header: str | None) -> tuple[int, list[str]]:
    """The time and the v1 signatures of a Stripe-Signature header; other schemes do not count."""
    times: list[str] = []
    signatures: list[str] = []
    for part in (header or "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and value.isascii():
            signatures.append(value)
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise NotGenuine("header")
    if not signatures:
        raise NotGenuine("scheme")
    return int(times[0]), signatures


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise NotGenuine("json") from None
    if not isinstance(event, dict) or not all(_short_text(event.get(key)) for key in ("id", "type")):
        raise NotGenuine("shape")
    return event


def _short_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 120


def _seen(event: Mapping[str, Any]) -> ProviderEventSeen:
    """Any event, also of a kind or version we do not know: that one is `other` and only kept."""
    kind = str(event["type"])
    data = event.get("data")
    inner = data.get("object") if isinstance(data, dict) else None
    known = inner if isinstance(inner, dict) else {}
    if known.get("object") == "checkout.session":
        payment = _of_session(known, kind)
    elif known.get("object") == "payment_intent":
        payment = _of_intent(known, kind)
    else:
        payment = PaymentReport(Report.OTHER, "", None, None, None, "")
    related = event.get("related_object")
    related_id = related.get("id") if isinstance(related, dict) else None
    return ProviderEventSeen(
        event_id=str(event["id"]),
        kind=kind[:64],
        object_id=_id_of(known.get("id")) or _id_of(related_id) or "",
        payment=payment,
    )


_SESSION_KINDS = {
    "checkout.session.async_payment_succeeded": Report.PAID,
    "checkout.session.async_payment_failed": Report.FAILED,
    "checkout.session.expired": Report.EXPIRED,
}
_INTENT_KINDS = {
    "payment_intent.succeeded": Report.PAID,
    "payment_intent.processing": Report.PROCESSING,
    "payment_intent.payment_failed": Report.DECLINED,
    "payment_intent.canceled": Report.EXPIRED,
}


def _of_session(session: Mapping[str, Any], kind: str | None) -> PaymentReport:
    if kind is None:
        report = _standing(session)
    elif kind == "checkout.session.completed":
        report = Report.PAID if session.get("payment_status") == "paid" else Report.PROCESSING
    else:
        report = _SESSION_KINDS.get(kind, Report.OTHER)
    return PaymentReport(
        report=report,
        reference=_reference_of(session),
        session_id=_id_of(session.get("id")),
        intent_id=_id_of(session.get("payment_intent")),
        amount_minor=_minor(session.get("amount_total")),
        currency=_currency(session),
    )


def _standing(session: Mapping[str, Any]) -> Report:
    """What a fetched checkout says: its own status first, then that of its payment."""
    if session.get("payment_status") == "paid":
        return Report.PAID
    if session.get("status") == "expired":
        return Report.EXPIRED
    if session.get("status") != "complete":
        return Report.OPEN
    intent = session.get("payment_intent")
    status = intent.get("status") if isinstance(intent, dict) else None
    return Report.FAILED if status in ("requires_payment_method", "canceled") else Report.PROCESSING


def _of_intent(intent: Mapping[str, Any], kind: str | None) -> PaymentReport:
    if kind is None:
        by_status = {"succeeded": Report.PAID, "processing": Report.PROCESSING, "canceled": Report.EXPIRED}
        report = by_status.get(str(intent.get("status")), Report.OPEN)
    else:
        report = _INTENT_KINDS.get(kind, Report.OTHER)
    error = intent.get("last_payment_error")
    code = (error.get("decline_code") or error.get("code")) if isinstance(error, dict) else None
    received = "amount_received" if report is Report.PAID else "amount"
    return PaymentReport(
        report=report,
        reference=_reference_of(intent),
        session_id=None,
        intent_id=_id_of(intent.get("id")),
        amount_minor=_minor(intent.get(received)),
        currency=_currency(intent),
        code=str(code or "")[:40] if report is Report.DECLINED else "",
    )


def _reference_of(known: Mapping[str, Any]) -> str:
    metadata = known.get("metadata")
    reference = metadata.get("payment") if isinstance(metadata, dict) else None
    found = reference or known.get("client_reference_id")
    return found if isinstance(found, str) and len(found) <= 20 else ""


def _id_of(value: object) -> str | None:
    """An id, also where the object itself was expanded in its place."""
    if isinstance(value, stripe.StripeObject):
        value = value.to_dict()
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and 0 < len(value) <= 120 else None


def _minor(value: object) -> int | None:
    return value if type(value) is int and abs(value) <= 10**15 else None


def _currency(known: Mapping[str, Any]) -> str:
    value = known.get("currency")
    return value.upper() if isinstance(value, str) and len(value) == 3 else ""
