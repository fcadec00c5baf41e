"""Stripe: opens checkouts, sends money back, answers disputes, charges saved methods, lists movements, and
reads signed events. Receives Money, sends minor units.

Only codes, ids and amounts leave this module; no card number ever reaches us. The same tests run
against the sandbox (portal/demo/stripe_sandbox.py) and against Stripe itself.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import stripe

from portal.gateways.stripe_reports import (
    TELLING_KINDS,
    Checkout,
    DisputeReport,
    Movement,
    PaymentReport,
    ProviderEventSeen,
    RefundReport,
    Report,
    dispute_report,
    event_of,
    id_of,
    intent_report,
    movement_of,
    refund_report,
    session_report,
)
from portal.money import Money
from portal.settings import Settings

__all__ = [
    "Checkout",
    "NotGenuine",
    "PaymentReport",
    "ProviderEventSeen",
    "ProviderRefused",
    "ProviderUnavailable",
    "Report",
    "StripeGateway",
    "gateway_for",
]

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


#: An answer in words alone.
NO_PAPERS: Mapping[str, str] = MappingProxyType({})


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
            base_addresses={"api": api_base, "files": api_base} if api_base else {},
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
        save: bool = False,
    ) -> Checkout:
        """Open a checkout for `amount`; `title` is what the payer sees there. The same key and the same
        arguments give the same checkout. `save` keeps the method for payments to come, as the payer
        agreed. Raises ProviderUnavailable and ProviderRefused."""
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
        if save:
            params["customer_creation"] = "always"
            params["payment_intent_data"]["setup_future_usage"] = "off_session"
        if "wechat_pay" in methods:
            params["payment_method_options"] = {"wechat_pay": {"client": "web"}}
        with _translated():
            made = self._client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return Checkout(made.id, made.url or "", id_of(made.payment_intent))

    def fetch(self, session_id: str) -> PaymentReport:
        """How a checkout and its payment stand now. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            found = self._client.v1.checkout.sessions.retrieve(
                session_id, {"expand": ["payment_intent", "payment_intent.latest_charge"]}
            )
        return session_report(found.to_dict(), None)

    def expire(self, session_id: str, *, idempotency_key: str) -> PaymentReport:
        """Close a checkout so that nobody can pay in it any more; ProviderRefused when it is complete."""
        with _translated():
            found = self._client.v1.checkout.sessions.expire(
                session_id, None, {"idempotency_key": idempotency_key}
            )
        return session_report(found.to_dict(), None)

    def charge_saved(
        self, *, reference: str, amount: Money, customer: str, method: str, kind: str, idempotency_key: str
    ) -> PaymentReport:
        """Take `amount` with a saved method while the payer is away. A decline, or a bank that asks for
        the payer (``authentication_required``), is a report with its code; the same key gives the same
        answer. Raises ProviderUnavailable and ProviderRefused."""
        params: dict[str, Any] = {
            "amount": amount.minor,
            "currency": amount.currency.lower(),
            "customer": customer,
            "payment_method": method,
            "payment_method_types": [kind],
            "off_session": True,
            "confirm": True,
            "metadata": {"payment": reference},
        }
        with _translated():
            try:
                made = self._client.v1.payment_intents.create(
                    params,  # type: ignore[arg-type]
                    {"idempotency_key": idempotency_key},
                )
            except stripe.CardError as error:
                return _declined(error, reference)
        return intent_report(made.to_dict(), None)

    def fetch_intent(self, intent_id: str) -> PaymentReport:
        """How a payment that had no checkout stands now. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            found = self._client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
        return intent_report(found.to_dict(), None)

    def forget_method(self, method: str, *, idempotency_key: str) -> None:
        """Let the provider forget a saved method. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            self._client.v1.payment_methods.detach(method, None, {"idempotency_key": idempotency_key})

    def refund(
        self, *, reference: str, intent_id: str, amount: Money, reason: str, idempotency_key: str
    ) -> RefundReport:
        """Send `amount` of a payment back to whoever paid. `reason`: ``duplicate``, ``fraudulent`` or
        ``requested_by_customer``. The same key and arguments give the same refund. Raises
        ProviderUnavailable and ProviderRefused."""
        params: dict[str, Any] = {
            "payment_intent": intent_id,
            "amount": amount.minor,
            "reason": reason,
            "metadata": {"refund": reference},
        }
        with _translated():
            made = self._client.v1.refunds.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return refund_report(made.to_dict())

    def fetch_refund(self, refund_id: str) -> RefundReport:
        """How a refund stands now. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            return refund_report(self._client.v1.refunds.retrieve(refund_id).to_dict())

    def find_refund(self, *, intent_id: str, reference: str) -> RefundReport | None:
        """The refund of a payment that carries our `reference`, for when nobody knows whether it was
        begun and its key may be forgotten. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            found = self._client.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
            reports = (refund_report(one.to_dict()) for one in found.auto_paging_iter())
            return next((report for report in reports if report.reference == reference), None)

    def fetch_dispute(self, dispute_id: str) -> DisputeReport:
        """How a dispute stands now. Raises ProviderUnavailable and ProviderRefused."""
        with _translated():
            return dispute_report(self._client.v1.disputes.retrieve(dispute_id).to_dict(), None)

    def upload_paper(self, data: bytes, *, name: str, idempotency_key: str) -> str:
        """Hand over a paper for an answer: a PDF, JPEG or PNG, whose `name` ends as its kind does. The
        provider's name of it. Raises ProviderUnavailable and ProviderRefused."""
        file = io.BytesIO(data)
        file.name = name
        with _translated():
            made = self._client.v1.files.create(
                {"purpose": "dispute_evidence", "file": file},
                {"idempotency_key": idempotency_key},
            )
        return made.id

    def answer_dispute(
        self, dispute_id: str, *, text: str, idempotency_key: str, papers: Mapping[str, str] = NO_PAPERS
    ) -> DisputeReport:
        """Submit what the bank has to say, once and for all; `papers` are uploaded ones by what they show.
        Raises ProviderUnavailable and ProviderRefused (also when the time is over)."""
        evidence: dict[str, Any] = {"uncategorized_text": text, **papers}
        with _translated():
            given = self._client.v1.disputes.update(
                dispute_id,
                {"evidence": evidence, "submit": True},  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
        return dispute_report(given.to_dict(), None)

    def list_movements(self, day_start: datetime, day_end: datetime) -> Iterator[Movement]:
        """Every movement on our account made in [`day_start`, `day_end`), the newest first: instants of
        the provider's clock, whole seconds. Raises ProviderUnavailable and ProviderRefused on the way."""
        with _translated():
            found = self._client.v1.balance_transactions.list(
                {
                    "created": {"gte": int(day_start.timestamp()), "lt": int(day_end.timestamp())},
                    "limit": 100,
                    "expand": ["data.source"],
                }
            )
            for one in found.auto_paging_iter():
                yield movement_of(one.to_dict())

    def list_events(self, since: datetime) -> Iterator[ProviderEventSeen]:
        """The events since then that say something to us, the newest first; the provider keeps them for
        30 days. Raises ProviderUnavailable and ProviderRefused on the way."""
        with _translated():
            found = self._client.v1.events.list(
                {"created": {"gte": int(since.timestamp())}, "types": list(TELLING_KINDS), "limit": 100}
            )
            for one in found.auto_paging_iter():
                event = one.to_dict()
                if event.get("livemode") is self._livemode:
                    yield event_of(event)

    def verify_event(self, body: bytes, header: str | None, *, now: datetime) -> ProviderEventSeen:
        """The event in `body` when Stripe signed exactly these bytes for us within the tolerance of
        `now` (a real instant), early or late, in our mode and for our account. Raises NotGenuine."""
        self._check_signature(body, header, now)
        event = _object_in(body)
        if event.get("livemode") is not self._livemode:
            raise NotGenuine("livemode")
        if event.get("account") != self._account:
            raise NotGenuine("account")
        return event_of(event)

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


def _declined(error: stripe.CardError, reference: str) -> PaymentReport:
    """The payment inside a decline, as a report of it."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    told = body.get("error")
    intent = told.get("payment_intent") if isinstance(told, dict) else None
    report = intent_report(intent if isinstance(intent, dict) else {}, "payment_intent.payment_failed")
    code = str(error.code or "card_declined")
    asks = code == "authentication_required"
    return replace(report, reference=reference, code=code if asks else report.code or code[:40])


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
