"""The Stripe gateway: signed events under attack, and the contract it keeps with its provider.

The contract tests run against the sandbox over loopback HTTP. To run the same tests against Stripe
itself, set STRIPE_CONTRACT_KEY to a test key (sk_test_...) of an account with cards enabled:
`STRIPE_CONTRACT_KEY=sk_test_... pytest tests/gateways -k contract`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from portal.dates import Clock
from portal.gateways.stripe import (
    Checkout,
    NotGenuine,
    ProviderRefused,
    ProviderUnavailable,
    Report,
    StripeGateway,
    gateway_for,
)
from portal.money import Money
from portal.settings import Settings

SECRET = "whsec_one"
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def gateway(**changes: Any) -> StripeGateway:
    given: dict[str, Any] = {"api_key": "sk_test_portal", "webhook_secrets": (SECRET,)}
    return StripeGateway(**(given | changes))


def event(**changes: Any) -> bytes:
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 12_000,
        "amount_received": 12_000,
        "currency": "cny",
        "status": "succeeded",
        "metadata": {"payment": "P-7KQF-3MWD2"},
    }
    body = {
        "id": "evt_1",
        "object": "event",
        "livemode": False,
        "type": "payment_intent.succeeded",
        "data": {"object": intent},
    }
    return json.dumps(body | changes).encode()


def header(body: bytes, *, at: datetime = NOW, secret: str = SECRET, scheme: str = "v1") -> str:
    stamp = int(at.timestamp())
    signature = hmac.new(secret.encode(), str(stamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},{scheme}={signature}"


def test_a_genuine_event_is_read_into_our_words() -> None:
    seen = gateway().verify_event(event(), header(event()), now=NOW)

    assert (seen.event_id, seen.kind, seen.object_id) == ("evt_1", "payment_intent.succeeded", "pi_1")
    assert seen.payment.report is Report.PAID
    assert (seen.payment.reference, seen.payment.amount_minor, seen.payment.currency) == (
        "P-7KQF-3MWD2",
        12_000,
        "CNY",
    )


def test_our_signature_is_the_one_stripes_own_library_makes() -> None:
    made = stripe.WebhookSignature.generate_signature_header(event().decode(), SECRET, int(NOW.timestamp()))

    assert gateway().verify_event(event(), made, now=NOW).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_within_five_minutes_early_or_late_is_accepted(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)

    assert gateway().verify_event(event(), header(event(), at=at), now=NOW)


def test_during_a_rotation_either_secret_does() -> None:
    rotating = gateway(webhook_secrets=("whsec_new", SECRET))

    assert rotating.verify_event(event(), header(event()), now=NOW)
    assert rotating.verify_event(event(), header(event(), secret="whsec_new"), now=NOW)


FORGERIES: dict[str, Callable[[], tuple[bytes, str | None]]] = {
    "no header": lambda: (event(), None),
    "empty header": lambda: (event(), ""),
    "no time": lambda: (event(), header(event()).split(",")[1]),
    "two times": lambda: (event(), f"t={int(NOW.timestamp()) + 9999}," + header(event())),
    "time that is no number": lambda: (event(), header(event()).replace("t=", "t=+")),
    "made with another secret": lambda: (event(), header(event(), secret="whsec_other")),
    "made with an empty secret": lambda: (event(), header(event(), secret="")),
    "only the old scheme": lambda: (event(), header(event(), scheme="v0")),
    "301 seconds old": lambda: (event(), header(event(), at=NOW - timedelta(seconds=301))),
    "301 seconds ahead": lambda: (event(), header(event(), at=NOW + timedelta(seconds=301))),
    "a year ahead": lambda: (event(), header(event(), at=NOW + timedelta(days=365))),
    "body changed after signing": lambda: (event(id="evt_2"), header(event())),
    "space added after signing": lambda: (event() + b" ", header(event())),
    "time changed after signing": lambda: (
        event(),
        header(event()).replace(f"t={int(NOW.timestamp())}", f"t={int(NOW.timestamp()) - 1}"),
    ),
    "live event on a test key": lambda: (event(livemode=True), header(event(livemode=True))),
    "mode as text": lambda: (event(livemode="false"), header(event(livemode="false"))),
    "another account's": lambda: (event(account="acct_2"), header(event(account="acct_2"))),
    "signature in capitals and cut": lambda: (event(), header(event())[:-2]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(name: str) -> None:
    body, signature = FORGERIES[name]()

    with pytest.raises(NotGenuine):
        gateway().verify_event(body, signature, now=NOW)


def test_a_hundred_random_signatures_are_refused() -> None:
    for _ in range(100):
        forged = f"t={int(NOW.timestamp())},v1={secrets.token_hex(32)}"
        with pytest.raises(NotGenuine, match="signature"):
            gateway().verify_event(event(), forged, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id": 1, "type": "x"}',
        b'{"id": "", "type": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(NotGenuine):
        gateway().verify_event(body, header(body), now=NOW)


def test_an_unknown_kind_or_a_thin_event_is_only_noted() -> None:
    unknown = event(
        type="radar.early_fraud_warning.created", data={"object": {"id": "issfr_1", "object": "x"}}
    )
    thin = event(
        object="v2.core.event", type="v2.core.account.updated", data=None, related_object={"id": "acct_9"}
    )

    seen = [gateway().verify_event(body, header(body), now=NOW) for body in (unknown, thin)]

    assert [one.payment.report for one in seen] == [Report.OTHER, Report.OTHER]
    assert [one.object_id for one in seen] == ["issfr_1", "acct_9"]


def test_a_live_key_takes_live_events_only() -> None:
    live = gateway(api_key="sk_live_x")
    body = event(livemode=True)

    assert live.verify_event(body, header(body), now=NOW)
    with pytest.raises(NotGenuine, match="livemode"):
        live.verify_event(event(), header(event()), now=NOW)


def test_an_account_takes_only_its_own_events() -> None:
    ours = gateway(account="acct_1")
    body = event(account="acct_1")

    assert ours.verify_event(body, header(body), now=NOW)
    with pytest.raises(NotGenuine, match="account"):
        ours.verify_event(event(), header(event()), now=NOW)


@pytest.mark.parametrize("tolerance", [0, None, -1])
def test_a_gateway_without_an_age_limit_is_not_made(tolerance: Any) -> None:
    with pytest.raises(ValueError, match="replayed"):
        gateway(tolerance_seconds=tolerance)


def test_without_a_secret_nothing_is_genuine() -> None:
    with pytest.raises(NotGenuine):
        gateway(webhook_secrets=("", " ")).verify_event(event(), header(event(), secret=""), now=NOW)


def test_without_a_key_the_gateway_is_not_available(settings: Settings) -> None:
    assert gateway_for(settings).available
    assert not gateway_for(replace(settings, stripe_api_key="", stripe_webhook_secrets=())).available


def test_no_answer_is_told_apart_from_a_no() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = gateway(api_base=f"http://127.0.0.1:{taken.getsockname()[1]}", timeouts=(0.5, 0.5))
        with pytest.raises(ProviderUnavailable):
            dead.fetch("cs_test_1")


# --- the contract, kept by the sandbox and by Stripe alike ---


def begin(provider: StripeGateway, **changes: Any) -> Checkout:
    real_now = Clock("UTC").real_now().replace(microsecond=0)
    given: dict[str, Any] = {
        "reference": "P-7KQF-3MWD2",
        "amount": Money(12_000, "CNY"),
        "methods": ["card"],
        "title": "Harbour Bank P-7KQF-3MWD2",
        "return_url": "http://localhost/my/pay/P-7KQF-3MWD2?back=1",
        "cancel_url": "http://localhost/my/pay/P-7KQF-3MWD2",
        "locale": "zh",
        "idempotency_key": f"contract-{secrets.token_hex(8)}",
        "expires_at": real_now + timedelta(minutes=60),
    }
    return provider.create_checkout(**(given | changes))


def test_contract_a_checkout_opens_and_is_reported_open(provider: StripeGateway) -> None:
    made = begin(provider)

    report = provider.fetch(made.session_id)

    assert made.session_id.startswith("cs_test_")
    assert made.url.startswith("http")
    assert report.report is Report.OPEN
    assert (report.reference, report.amount_minor, report.currency) == ("P-7KQF-3MWD2", 12_000, "CNY")


def test_contract_the_same_key_gives_the_same_checkout(provider: StripeGateway) -> None:
    key, ends = f"contract-{secrets.token_hex(8)}", Clock("UTC").real_now() + timedelta(minutes=60)

    first = begin(provider, idempotency_key=key, expires_at=ends)
    again = begin(provider, idempotency_key=key, expires_at=ends)

    assert first.session_id == again.session_id


def test_contract_the_same_key_for_another_amount_is_refused(provider: StripeGateway) -> None:
    key = f"contract-{secrets.token_hex(8)}"
    begin(provider, idempotency_key=key)

    with pytest.raises(ProviderRefused):
        begin(provider, idempotency_key=key, amount=Money(13_000, "CNY"))


def test_contract_an_expired_checkout_stays_expired(provider: StripeGateway) -> None:
    made = begin(provider)

    closed = provider.expire(made.session_id, idempotency_key=f"contract-{secrets.token_hex(8)}")

    assert closed.report is Report.EXPIRED
    assert provider.fetch(made.session_id).report is Report.EXPIRED
    with pytest.raises(ProviderRefused):
        provider.expire(made.session_id, idempotency_key=f"contract-{secrets.token_hex(8)}")


def test_contract_what_does_not_exist_is_a_clear_no(provider: StripeGateway) -> None:
    with pytest.raises(ProviderRefused, match="resource_missing"):
        provider.fetch("cs_test_none")


def test_contract_a_life_that_is_over_is_refused(provider: StripeGateway) -> None:
    with pytest.raises(ProviderRefused):
        begin(provider, expires_at=Clock("UTC").real_now() - timedelta(minutes=5))
