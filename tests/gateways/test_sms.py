"""Both SMS gateways behind one contract, and what is particular to the one that leaves the house."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import text

from portal.db import Database
from portal.gateways.sms import (
    DemoSms,
    HttpSms,
    SmsGateway,
    SmsNotSent,
    SmsRefused,
    SmsUnknown,
    gateway_for,
    phone_texts,
)
from portal.keys import Keys
from portal.settings import Settings

SECRET = "a-secret-of-the-tests"
PHONE, TEXT = "13900000034", "【港湾银行】您有一份服务通知。"


@dataclass
class Provider:
    """A provider on the loopback: keeps each key once, and can be told to fail."""

    url: str = ""
    status: int = 200
    body: bytes | None = None
    arrived: dict[str, dict[str, str]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def provider() -> Iterator[Provider]:
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
            genuine = self.headers["webhook-signature"] == f"v1,{mac}"
            answer = state.body
            if genuine and state.status == 200 and answer is None:
                content = json.loads(body)
                state.arrived.setdefault(content["idempotency_key"], content)
                place = list(state.arrived).index(content["idempotency_key"])
                answer = json.dumps({"ref": f"ref-{place}"}).encode()
            self.send_response(state.status if genuine else 401)
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/sms"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["demo", "http"])
def gateway(
    request: pytest.FixtureRequest, sqlite_database: Database, keys: Keys, provider: Provider
) -> tuple[SmsGateway, Callable[[], list[tuple[str, str]]]]:
    """A gateway and what has arrived at its other end, oldest first."""
    if request.param == "http":
        return HttpSms(provider.url, SECRET), lambda: [
            (content["phone"], content["text"]) for content in provider.arrived.values()
        ]

    def arrived() -> list[tuple[str, str]]:
        with sqlite_database.read() as connection:
            return [(one.phone, one.text) for one in reversed(phone_texts(connection, keys))]

    return DemoSms(sqlite_database, keys), arrived


def test_a_text_arrives_with_its_number(gateway: tuple[SmsGateway, Callable[[], object]]) -> None:
    sms, arrived = gateway

    reference = sms.send(PHONE, TEXT, "notice:1", False)

    assert reference
    assert arrived() == [(PHONE, TEXT)]


def test_the_same_key_again_is_the_same_message(gateway: tuple[SmsGateway, Callable[[], object]]) -> None:
    sms, arrived = gateway

    first = sms.send(PHONE, TEXT, "notice:1", False)
    second = sms.send(PHONE, TEXT, "notice:1", False)
    other = sms.send(PHONE, TEXT, "notice:2", False)

    assert first == second != other
    assert arrived() == [(PHONE, TEXT), (PHONE, TEXT)]


def test_a_row_of_the_demonstration_never_leaves_the_house(provider: Provider) -> None:
    with pytest.raises(SmsRefused):
        HttpSms(provider.url, SECRET).send(PHONE, TEXT, "notice:1", True)

    assert provider.headers == []


def test_the_demonstrations_phone_keeps_nothing_in_clear(database: Database, keys: Keys) -> None:
    DemoSms(database, keys).send(PHONE, TEXT, "notice:1", True)

    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM demo_phone")).one()
    stored = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row
    )
    assert PHONE.encode() not in stored
    assert "服务通知".encode() not in stored


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (400, b"", SmsRefused),
        (422, b"", SmsRefused),
        (429, b"", SmsNotSent),
        (503, b"", SmsNotSent),
        (500, b"", SmsUnknown),
        (302, b"", SmsUnknown),
        (200, b"no json", SmsUnknown),
        (200, b"[]", SmsUnknown),
        (200, b"{}", SmsUnknown),
    ],
)
def test_every_answer_is_told_apart(
    provider: Provider, status: int, body: bytes, raised: type[Exception]
) -> None:
    provider.status, provider.body = status, body

    with pytest.raises(raised):
        HttpSms(provider.url, SECRET).send(PHONE, TEXT, "notice:1", False)


def test_nobody_listening_means_certainly_not_sent() -> None:
    with pytest.raises(SmsNotSent):
        HttpSms("http://127.0.0.1:9/sms", SECRET).send(PHONE, TEXT, "notice:1", False)


def test_a_wrong_secret_is_refused_by_the_provider(provider: Provider) -> None:
    with pytest.raises(SmsRefused):
        HttpSms(provider.url, "another-secret").send(PHONE, TEXT, "notice:1", False)


def test_a_refusal_names_neither_number_nor_text(provider: Provider) -> None:
    provider.status = 400

    with pytest.raises(SmsRefused) as refused:
        HttpSms(provider.url, SECRET).send(PHONE, TEXT, "notice:1", False)

    assert PHONE not in repr(refused.value)
    assert SECRET not in repr(HttpSms(provider.url, SECRET))


def test_production_gets_no_demonstration_phone(
    settings: Settings, sqlite_database: Database, keys: Keys
) -> None:
    with pytest.raises(RuntimeError):
        gateway_for(replace(settings, environment="production"), sqlite_database, keys)

    real = replace(
        settings, environment="production", sms_gateway="http", sms_url="https://sms.example", sms_secret="s"
    )
    assert isinstance(gateway_for(real, sqlite_database, keys), HttpSms)
    assert isinstance(gateway_for(settings, sqlite_database, keys), DemoSms)
