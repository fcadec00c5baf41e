"""What the payment sandbox remembers: objects by id, keys already used, events told and work still to do.

One SQLite file (or memory) behind one lock; objects have the shape of Stripe's, so far as we use them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

API_VERSION = "2026-10-28.endive"
#: The most a list gives at once, as at Stripe.
LONGEST_LIST = 100

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind);
CREATE TABLE IF NOT EXISTS used_key (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS work (
  number INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, kind TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
"""


class ApiError(Exception):
    """An answer with Stripe's error body; `more` goes into it as it is."""

    def __init__(
        self, status: int, kind: str, code: str, message: str, param: str = "", **more: object
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, "param": param, **more}}


def invalid(code: str, message: str, param: str = "") -> ApiError:
    """A 400 of Stripe's commonest kind."""
    return ApiError(400, "invalid_request_error", code, message, param)


@dataclass(frozen=True)
class Behaviour:
    """How events are delivered: `delay_seconds` late, each `copies` times, `reorder` last first, or not
    at all (`lost`): they are only found in the list of events."""

    delay_seconds: float = 0.0
    copies: int = 1
    reorder: bool = False
    lost: bool = False


@dataclass(frozen=True)
class Work:
    """Something that is due: an event to deliver, or a delayed payment or refund to settle."""

    number: int
    kind: str
    tries: int
    body: str


class Store:
    """Objects, keys, events and work. Every method is one step under the lock."""

    def __init__(self, path: str = ":memory:", *, now: Callable[[], float] = time.time) -> None:
        self.changed = threading.Condition(threading.RLock())
        #: the provider's clock; a test may put another in its place
        self.now = now
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

    def forget_keys(self) -> None:
        """Forget which keys were used, as Stripe does after a day."""
        with self.changed:
            self._run("DELETE FROM used_key")

    def find(self, kind: str, name: str) -> dict[str, Any]:
        """The object of that kind and id; 404 as Stripe words it."""
        with self.changed:
            found = self._one("SELECT body FROM object WHERE id = ? AND kind = ?", name, kind)
        if found is None:
            missing = f"No such {kind}: '{name}'"
            raise ApiError(404, "invalid_request_error", "resource_missing", missing, "id")
        return dict(json.loads(found[0]))

    def listed(
        self,
        kind: str,
        *,
        since: float = 0,
        before: float = 2**40,
        limit: int = 10,
        after: str | None = None,
        **facts: str,
    ) -> tuple[list[dict[str, Any]], bool]:
        """Objects of a kind made in [since, before), the newest first, and whether there are more.

        `after` is the last id of the page before; `facts` are fields an object must have.
        """
        where = ["kind = ?", "json_extract(body, '$.created') >= ?", "json_extract(body, '$.created') < ?"]
        values: list[object] = [kind, since, before]
        for name, value in facts.items():
            where.append(f"json_extract(body, '$.{name}') = ?")
            values.append(value)
        if after is not None:
            where.append("rowid < (SELECT rowid FROM object WHERE id = ?)")
            values.append(after)
        wanted = max(1, min(limit, LONGEST_LIST))
        statement = (
            f"SELECT body FROM object WHERE {' AND '.join(where)} "  # noqa: S608 - names are ours
            "ORDER BY rowid DESC LIMIT ?"
        )
        with self.changed:
            rows = self._connection.execute(statement, [*values, wanted + 1]).fetchall()
        return [json.loads(row[0]) for row in rows[:wanted]], len(rows) > wanted

    def tell(self, *events: tuple[str, dict[str, Any]], behaviour: Behaviour | None = None) -> None:
        """Keep events and queue them for delivery in this order, or as `behaviour` bends it."""
        manner = behaviour or Behaviour()
        ordered = tuple(reversed(events)) if manner.reorder else events
        for kind, about in ordered:
            account = self._account_of(about["id"])
            event = {
                "id": f"evt_{secrets.token_hex(12)}",
                "object": "event",
                "api_version": API_VERSION,
                "created": int(self.now()),
                "livemode": False,
                "type": kind,
                "data": {"object": about},
            } | ({"account": account} if account else {})
            self._keep(event, account)
            for _ in range(0 if manner.lost else manner.copies):
                self._later("deliver", event, after=manner.delay_seconds)

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

    def _new(self, prefix: str, kind: str, **facts: Any) -> dict[str, Any]:
        """A new object, not kept yet."""
        return {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": int(self.now()),
            "livemode": False,
            **facts,
        }

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
