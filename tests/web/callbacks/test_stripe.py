"""The provider's door: raw body and signature decide, an answer comes after the commit, forgeries change nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.accounts.models import LedgerLine
from portal.db import Database
from portal.keys import Keys
from portal.payments.models import Payment, ProviderEvent
from portal.payments.operations import Attempt
from tests.payments.test_receipts import begin, lin

SECRET = "whsec_portal_test"


def body_of(attempt: Attempt, *, event_id: str = "evt_1", minor: int | None = None, **changes: Any) -> bytes:
    amount = attempt.amount.minor if minor is None else minor
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount,
        "currency": "cny",
        "metadata": {"payment": attempt.reference},
    }
    event = {
        "id": event_id,
        "livemode": False,
        "type": "payment_intent.succeeded",
        "data": {"object": intent},
    }
    return json.dumps(event | changes).encode()


def signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={signature}"}


def post(client: FlaskClient, body: bytes, headers: dict[str, str]) -> int:
    answer = client.post("/callbacks/stripe", data=body, headers=headers, content_type="application/json")
    return answer.status_code


@pytest.fixture
def attempt(database: Database, keys: Keys) -> Attempt:
    return begin(database, lin(database, keys))


def effects(database: Database) -> tuple[int, int, str | None]:
    with database.read() as connection:
        lines = connection.scalar(select(func.count()).where(LedgerLine.payment_id.is_not(None)))
        events = connection.scalar(select(func.count()).select_from(ProviderEvent))
        return lines or 0, events or 0, connection.scalar(select(Payment.state))


def test_a_genuine_event_is_credited_and_answered_after_the_commit(
    client: FlaskClient, database: Database, attempt: Attempt, clock: Any
) -> None:
    body = body_of(attempt)

    answer = client.post("/callbacks/stripe", data=body, headers=signed(body, clock.real_now()))

    assert (answer.status_code, answer.json) == (200, {"outcome": "credited"})
    assert effects(database) == (1, 1, "posted")
    assert "Set-Cookie" not in answer.headers


def test_the_same_event_fifty_times_in_parallel_and_a_year_later_has_one_effect(
    portal_app: Flask, database: Database, attempt: Attempt, clock: Any
) -> None:
    body = body_of(attempt)
    headers = signed(body, clock.real_now())
    barrier, answers = threading.Barrier(50), []

    def deliver() -> None:
        client = portal_app.test_client()
        barrier.wait()
        answers.append(post(client, body, headers))

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.advance(days=365)
    answers.append(post(portal_app.test_client(), body, signed(body, clock.real_now())))

    assert answers == [200] * 51
    assert effects(database) == (1, 1, "posted")


def test_fifteen_forgeries_change_nothing(
    client: FlaskClient, database: Database, attempt: Attempt, clock: Any
) -> None:
    now, body = clock.real_now(), body_of(attempt)
    right = signed(body, now)["Stripe-Signature"]
    other_mode, other_account = body_of(attempt, livemode=True), body_of(attempt, account="acct_other")
    forgeries: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, {"Stripe-Signature": ""}),
        (body, {"Stripe-Signature": "t=1"}),
        (body, {"Stripe-Signature": right.split(",")[1]}),
        (body, {"Stripe-Signature": right.replace("v1=", "v0=")}),
        (body, {"Stripe-Signature": right[:-1] + ("0" if right[-1] != "0" else "1")}),
        (body, signed(body, now, "whsec_other")),
        (body, signed(body, now, "")),
        (body, signed(body, now - timedelta(seconds=301))),
        (body, signed(body, now + timedelta(seconds=301))),
        (body, signed(body, now + timedelta(days=365))),
        (body_of(attempt, minor=1), {"Stripe-Signature": right}),
        (body + b"\n", {"Stripe-Signature": right}),
        (other_mode, signed(other_mode, now)),
        (other_account, signed(other_account, now)),
    ]

    assert [post(client, forged, headers) for forged, headers in forgeries] == [400] * 15
    assert effects(database) == (0, 0, "created")


def test_what_is_too_large_is_refused_unread(
    client: FlaskClient, database: Database, attempt: Attempt
) -> None:
    assert post(client, b"x" * (256 * 1024 + 1), {}) == 413
    assert effects(database) == (0, 0, "created")


def test_an_unknown_kind_is_kept_and_answered(
    client: FlaskClient, database: Database, attempt: Attempt, clock: Any
) -> None:
    body = body_of(attempt, type="charge.updated", data={"object": {"id": "ch_1", "object": "charge"}})

    assert post(client, body, signed(body, clock.real_now())) == 200
    assert effects(database) == (0, 1, "created")


def test_a_signed_body_that_is_no_json_is_a_bad_request(
    client: FlaskClient, database: Database, attempt: Attempt, clock: Any
) -> None:
    assert post(client, b"{", signed(b"{", clock.real_now())) == 400


def test_only_post_is_answered(client: FlaskClient, attempt: Attempt) -> None:
    assert client.get("/callbacks/stripe").status_code == 405
