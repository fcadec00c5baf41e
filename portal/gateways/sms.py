"""Handing one text to one number: to the demonstration's phone, or to a provider over HTTP.

Both behave alike: the same key again is the same message and gets the same provider reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import requests
from sqlalchemy import Connection, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.dates import Clock
from portal.db import Database, Row, upsert
from portal.keys import Keys
from portal.settings import Settings

#: Seconds to connect and to wait for an answer: a worker holds a lease meanwhile.
TIMEOUTS = (3.0, 10.0)
#: A provider, and the demonstration's phone, live on real time.
REAL_CLOCK = Clock("UTC")


class SmsRefused(Exception):
    """The text was not and will not be sent; asking again would change nothing."""


class SmsNotSent(Exception):
    """The text was certainly not sent, and may be tried again later."""


class SmsUnknown(Exception):
    """Nobody can tell whether the text was sent: it must not be sent again."""


class SmsGateway(Protocol):
    """What messages need of a provider."""

    def send(self, phone: str, text: str, idempotency_key: str, demonstration: bool) -> str:
        """Send `text`; the provider's reference. Raises SmsRefused, SmsNotSent or SmsUnknown."""
        ...


class DemoPhoneText(Row):
    """A text on the demonstration's phone, sealed like everything with a number in it."""

    __tablename__ = "demo_phone"
    idempotency_key: Mapped[str] = mapped_column(String(80), unique=True)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class PhoneText:
    """One text as the phone shows it."""

    id: int
    phone: str
    text: str
    received_at: datetime


@dataclass(frozen=True)
class DemoSms:
    """The demonstration's phone: texts arrive in a table of their own, in a transaction of their own."""

    db: Database
    keys: Keys
    now: Callable[[], datetime] = REAL_CLOCK.real_now

    def send(self, phone: str, text: str, idempotency_key: str, demonstration: bool) -> str:
        """Put the text on the phone, once per key."""
        return self.db.write(lambda session: self._arrive(session, phone, text, idempotency_key))

    def _arrive(self, session: Session, phone: str, text: str, idempotency_key: str) -> str:
        values = {
            "idempotency_key": idempotency_key,
            "phone_sealed": self.keys.seal("message.phone", phone),
            "text_sealed": self.keys.seal("message.text", text),
            "created_at": self.now(),
        }
        session.execute(upsert(DemoPhoneText).values(**values).on_conflict_do_nothing())
        key = DemoPhoneText.idempotency_key == idempotency_key
        return f"demo-{session.scalar(select(DemoPhoneText.id).where(key))}"


def phone_texts(connection: Connection, keys: Keys, *, limit: int = 50) -> tuple[PhoneText, ...]:
    """The texts on the demonstration's phone, the newest first."""
    rows = connection.execute(
        select(
            DemoPhoneText.id,
            DemoPhoneText.phone_sealed,
            DemoPhoneText.text_sealed,
            DemoPhoneText.created_at,
        )
        .order_by(DemoPhoneText.id.desc())
        .limit(limit)
    )
    return tuple(
        PhoneText(
            id=row.id,
            phone=keys.unseal("message.phone", row.phone_sealed),
            text=keys.unseal("message.text", row.text_sealed),
            received_at=row.created_at,
        )
        for row in rows
    )


@dataclass(frozen=True)
class HttpSms:
    """A provider that takes signed JSON: `{"phone", "text", "idempotency_key"}`, answered `{"ref"}`.

    The three `webhook-*` headers are those of Standard Webhooks: HMAC-SHA-256 over
    `id.timestamp.body`, so that the receiver knows the sender and can refuse what is old.
    """

    url: str
    secret: str = field(repr=False)
    now: Callable[[], datetime] = REAL_CLOCK.real_now

    def send(self, phone: str, text: str, idempotency_key: str, demonstration: bool) -> str:
        """Hand the text to the provider. A demonstration's row never leaves the house (SmsRefused)."""
        if demonstration:
            raise SmsRefused("a row of a demonstration batch")
        body = json.dumps(
            {"phone": phone, "text": text, "idempotency_key": idempotency_key}, ensure_ascii=False
        ).encode()
        headers = {"Content-Type": "application/json", **self.signature(idempotency_key, body)}
        try:
            answer = requests.post(
                self.url, data=body, headers=headers, timeout=TIMEOUTS, allow_redirects=False
            )
        except (requests.ConnectTimeout, requests.exceptions.InvalidURL) as error:
            raise SmsNotSent(type(error).__name__) from None
        except requests.ConnectionError as error:
            raise _after_connection_error(error) from None
        except requests.RequestException as error:
            raise SmsUnknown(type(error).__name__) from None
        return _reference_in(answer)

    def signature(self, message_id: str, body: bytes) -> dict[str, str]:
        """The headers that sign `body`."""
        timestamp = str(int(self.now().timestamp()))
        signed = b".".join([message_id.encode(), timestamp.encode(), body])
        mac = hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }


def _after_connection_error(error: requests.ConnectionError) -> SmsNotSent | SmsUnknown:
    """A refused connection sent nothing; one that broke off may have."""
    name = type(getattr(error.args[0], "reason", None)).__name__ if error.args else ""
    if name in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
        return SmsNotSent(name)
    return SmsUnknown(name or "ConnectionError")


def _reference_in(answer: requests.Response) -> str:
    if answer.status_code in (429, 503):
        raise SmsNotSent(f"status {answer.status_code}")
    if 400 <= answer.status_code < 500:
        raise SmsRefused(f"status {answer.status_code}")
    if answer.status_code not in (200, 201, 202):
        raise SmsUnknown(f"status {answer.status_code}")
    try:
        content: Any = answer.json()
        return str(content["ref"])[:80]
    except (ValueError, KeyError, TypeError):
        raise SmsUnknown("an answer without a reference") from None


def gateway_for(settings: Settings, database: Database, keys: Keys) -> SmsGateway:
    """The gateway the settings choose; the demonstration's refuses to serve in production (RuntimeError)."""
    if settings.sms_gateway == "http":
        return HttpSms(settings.sms_url or "", settings.sms_secret or "")
    if not settings.is_demonstration:
        raise RuntimeError("the demonstration's phone does not serve in production")
    return DemoSms(database, keys)
