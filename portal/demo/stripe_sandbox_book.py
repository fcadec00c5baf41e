"""What the payment sandbox remembers: checkouts, payments, keys already used, and events still to send.

One SQLite file (or memory) behind one lock; objects have the shape of Stripe's, so far as we use them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Stripe's own limits of a checkout's life, in seconds.
SHORTEST_LIFE, LONGEST_LIFE = 30 * 60, 24 * 3600
API_VERSION = "2026-10-28.endive"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS used_key (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS work (
  number INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, kind TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
"""


class ApiError(Exception):
    """An answer with Stripe's error body."""

    def __init__(self, status: int, kind: str, code: str, message: str, param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, "param": param}}


def invalid(code: str, message: str, param: str = "") -> ApiError:
    """A 400 of Stripe's commonest kind."""
    return ApiError(400, "invalid_request_error", code, message, param)


@dataclass(frozen=True)
class Behaviour:
    """How events are delivered: `delay_seconds` late, each `copies` times, `reorder` last first."""

    delay_seconds: float = 0.0
    copies: int = 1
    reorder: bool = False


@dataclass(frozen=True)
class Work:
    """Something that is due: an event to deliver, or a delayed payment to settle."""

    number: int
    kind: str
    tries: int
    body: str


class Book:
    """The sandbox's state. Every method is one step under the lock."""

    def __init__(self, path: str = ":memory:") -> None:
        self.changed = threading.Condition(threading.RLock())
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self.changed:
            self._connection.close()

    def once(self, key: str | None, fingerprint: object, make: Any) -> tuple[int, str, bool]:
        """The answer of `make()` (status, body), kept under `key`; True when it is a replay.

        The same key with another fingerprint is refused, as Stripe does.
        """
        digest = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()
        with self.changed:
            if key is not None:
                found = self._one("SELECT digest, status, body FROM used_key WHERE key = ?", key)
                if found and found[0] != digest:
                    message = "Keys for idempotent requests can only be used with the same parameters."
                    raise ApiError(400, "idempotency_error", "idempotency_error", message)
                if found:
                    return int(found[1]), str(found[2]), True
            try:
                status, answer = 200, make()
            except ApiError as error:
                status, answer = error.status, error.body
            body = json.dumps(answer)
            if key is not None:
                self._run("INSERT INTO used_key VALUES (?, ?, ?, ?)", key, digest, status, body)
            return status, body, False

    def new_session(self, facts: Mapping[str, Any], *, account: str | None, origin: str) -> dict[str, Any]:
        """A new open checkout; its payment comes into being with the first try to pay."""
        name = f"cs_test_{secrets.token_hex(12)}"
        session = {
            "id": name,
            "object": "checkout.session",
            "created": int(time.time()),
            "livemode": False,
            "mode": "payment",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "url": f"{origin}/pay/{name}",
            **facts,
        }
        return self._keep(session, account)

    def find(self, kind: str, name: str) -> dict[str, Any]:
        """The object of that kind and id; 404 as Stripe words it."""
        with self.changed:
            found = self._one("SELECT body FROM object WHERE id = ? AND kind = ?", name, kind)
        if found is None:
            missing = f"No such {kind}: '{name}'"
            raise ApiError(404, "invalid_request_error", "resource_missing", missing, "id")
        return dict(json.loads(found[0]))

    def session(self, name: str) -> dict[str, Any]:
        """A checkout, expired by now if its time is over."""
        with self.changed:
            session = self.find("checkout.session", name)
            if session["status"] == "open" and session["expires_at"] <= time.time():
                return self.expire(name)
            return session

    def expire(self, name: str) -> dict[str, Any]:
        """Close an open checkout and tell of it; refused for a complete one."""
        with self.changed:
            session = self.find("checkout.session", name)
            if session["status"] != "open":
                raise invalid("", "Only Checkout Sessions with a status in [open] can be expired.")
            session = self._keep(session | {"status": "expired", "url": None})
            self.tell(("checkout.session.expired", session))
            return session

    def pay(self, name: str, method: str, outcome: str, behaviour: Behaviour) -> dict[str, Any]:
        """The payer's choice on the hosted page: ``pay``, ``decline``, or a delayed method that will
        ``settle`` or ``bounce``. A second click on a complete checkout changes nothing."""
        with self.changed:
            session = self.session(name)
            if session["status"] != "open":
                return session
            intent = self._intent_of(session, method)
            if outcome == "decline":
                intent = self._declined(intent)
                self._keep(session | {"payment_intent": intent["id"]})
                self.tell(("payment_intent.payment_failed", intent), behaviour=behaviour)
                return session
            paid = outcome == "pay"
            intent = self._keep(intent | _settled(intent) if paid else intent | {"status": "processing"})
            session = self._keep(
                session
                | {
                    "status": "complete",
                    "payment_status": "paid" if paid else "unpaid",
                    "payment_intent": intent["id"],
                }
            )
            kind = "payment_intent.succeeded" if paid else "payment_intent.processing"
            self.tell((kind, intent), ("checkout.session.completed", session), behaviour=behaviour)
            if not paid:
                self._later("settle", {"session": name, "succeeds": outcome == "settle"}, after=6.0)
            return session

    def settle(self, name: str, *, succeeds: bool) -> None:
        """A delayed payment is decided."""
        with self.changed:
            session = self.find("checkout.session", name)
            intent = self.find("payment_intent", session["payment_intent"])
            if succeeds:
                intent = self._keep(intent | _settled(intent))
                session = self._keep(session | {"payment_status": "paid"})
                self.tell(
                    ("payment_intent.succeeded", intent),
                    ("checkout.session.async_payment_succeeded", session),
                )
            else:
                intent = self._declined(intent)
                self.tell(
                    ("payment_intent.payment_failed", intent),
                    ("checkout.session.async_payment_failed", session),
                )

    def tell(self, *events: tuple[str, dict[str, Any]], behaviour: Behaviour | None = None) -> None:
        """Queue events for delivery in this order, or as `behaviour` bends it."""
        manner = behaviour or Behaviour()
        ordered = tuple(reversed(events)) if manner.reorder else events
        for kind, about in ordered:
            event = {
                "id": f"evt_{secrets.token_hex(12)}",
                "object": "event",
                "api_version": API_VERSION,
                "created": int(time.time()),
                "livemode": False,
                "type": kind,
                "data": {"object": about},
            }
            account = self._account_of(about["id"])
            for _ in range(manner.copies):
                self._later(
                    "deliver", event | ({"account": account} if account else {}), after=manner.delay_seconds
                )

    def due(self) -> Work | None:
        """The next piece of work whose time has come."""
        with self.changed:
            found = self._one(
                "SELECT number, kind, tries, body FROM work WHERE due_at <= ? ORDER BY due_at, number",
                time.time(),
            )
        return None if found is None else Work(*found)

    def next_due_in(self) -> float | None:
        """Seconds until the next piece of work, or nothing when there is none."""
        with self.changed:
            found = self._one("SELECT min(due_at) FROM work")
        return None if found is None or found[0] is None else max(0.0, float(found[0]) - time.time())

    def done(self, number: int) -> None:
        """That piece of work is finished."""
        with self.changed:
            self._run("DELETE FROM work WHERE number = ?", number)

    def again(self, number: int, *, after: float) -> None:
        """That piece of work failed and is due again later."""
        with self.changed:
            self._run(
                "UPDATE work SET tries = tries + 1, due_at = ? WHERE number = ?", time.time() + after, number
            )

    def _intent_of(self, session: Mapping[str, Any], method: str) -> dict[str, Any]:
        if session["payment_intent"]:
            return self.find("payment_intent", session["payment_intent"]) | {"payment_method_types": [method]}
        intent = {
            "id": f"pi_{secrets.token_hex(12)}",
            "object": "payment_intent",
            "created": int(time.time()),
            "livemode": False,
            "amount": session["amount_total"],
            "amount_received": 0,
            "currency": session["currency"],
            "status": "requires_payment_method",
            "metadata": session["payment_metadata"],
            "payment_method_types": [method],
            "last_payment_error": None,
        }
        return self._keep(intent, self._account_of(session["id"]))

    def _declined(self, intent: dict[str, Any]) -> dict[str, Any]:
        error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
        return self._keep(intent | {"status": "requires_payment_method", "last_payment_error": error})

    def _keep(self, body: dict[str, Any], account: str | None = None) -> dict[str, Any]:
        self._run(
            "INSERT INTO object VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            body["id"],
            body["object"],
            account,
            json.dumps(body),
        )
        return body

    def _account_of(self, name: str) -> str | None:
        found = self._one("SELECT account FROM object WHERE id = ?", name)
        return None if found is None else found[0]

    def _later(self, kind: str, body: Mapping[str, Any], *, after: float) -> None:
        with self.changed:
            self._run(
                "INSERT INTO work (due_at, kind, body) VALUES (?, ?, ?)",
                time.time() + after,
                kind,
                json.dumps(body),
            )
            self.changed.notify_all()

    def _one(self, statement: str, *values: object) -> Any:
        return self._connection.execute(statement, values).fetchone()

    def _run(self, statement: str, *values: object) -> None:
        with self.changed:
            self._connection.execute(statement, values)


def _settled(intent: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
