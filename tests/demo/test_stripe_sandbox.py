"""The payment sandbox: keys replayed, one page that pays once, events late, doubled, reordered and tried again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from werkzeug.datastructures import MultiDict

from portal.dates import Clock
from portal.demo.stripe_sandbox import ProductionSettings, Sandbox, main, refuse_production
from portal.demo.stripe_sandbox_api import nested
from portal.demo.stripe_sandbox_book import Behaviour
from portal.gateways.stripe import Checkout, ProviderEventSeen, Report, StripeGateway
from portal.money import Money
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SECRET = "whsec_sandbox"


class Listener:
    """A portal's callback address that answers as told and remembers what came."""

    def __init__(self) -> None:
        self.came: list[tuple[bytes, str]] = []
        self.refusals = 0
        self._heard = threading.Condition()
        self._server = make_server("127.0.0.1", 0, self._answer, handler_class=_Quiet)
        self.address = f"http://127.0.0.1:{self._server.server_port}/callbacks/stripe"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02))
        self._thread.start()

    def _answer(self, environ: Any, begin: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with self._heard:
            refused = self.refusals > 0
            self.refusals -= refused
            self.came.append((body, environ["HTTP_STRIPE_SIGNATURE"]))
            self._heard.notify_all()
        begin("500 No" if refused else "200 OK", [("Content-Length", "0")])
        return [b""]

    def hear(self, count: int) -> list[tuple[bytes, str]]:
        """The first `count` deliveries, waited for."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.came) >= count, timeout=10), self.kinds
            return self.came[:count]

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.came]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *words: Any) -> None:
        return


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.stop()


@pytest.fixture
def sandbox(listener: Listener) -> Iterator[Sandbox]:
    made = Sandbox(webhook_url=listener.address, secret=SECRET)
    made.start()
    yield made
    made.stop()


def gateway(sandbox: Sandbox) -> StripeGateway:
    return StripeGateway(api_key="sk_test_x", webhook_secrets=(SECRET,), api_base=sandbox.origin)


def open_one(sandbox: Sandbox, *, key: str = "key-1", locale: str = "zh") -> Checkout:
    return gateway(sandbox).create_checkout(
        reference="P-7KQF-3MWD2",
        amount=Money(12_345, "CNY"),
        methods=["alipay", "card", "wechat_pay"],
        title="港湾银行 P-7KQF-3MWD2",
        return_url="http://127.0.0.1:1/my/pay/P-7KQF-3MWD2?back=1",
        cancel_url="http://127.0.0.1:1/my/pay/P-7KQF-3MWD2",
        locale=locale,
        idempotency_key=key,
        expires_at=Clock("UTC").real_now() + timedelta(minutes=60),
    )


def choose(
    made: Checkout, outcome: str, *, method: str = "alipay", delivery: str = "at_once"
) -> requests.Response:
    data = {"method": method, "outcome": outcome, "delivery": delivery}
    return requests.post(made.url, data=data, allow_redirects=False, timeout=5)


def seen(sandbox: Sandbox, body: bytes, header: str) -> ProviderEventSeen:
    return gateway(sandbox).verify_event(body, header, now=datetime.fromtimestamp(time.time(), UTC))


def test_a_payment_sends_signed_events_and_the_payer_back(sandbox: Sandbox, listener: Listener) -> None:
    made = open_one(sandbox)

    answer = choose(made, "pay")

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "http://127.0.0.1:1/my/pay/P-7KQF-3MWD2?back=1",
    )
    events = [seen(sandbox, body, header) for body, header in listener.hear(2)]
    assert [event.kind for event in events] == ["payment_intent.succeeded", "checkout.session.completed"]
    assert {event.payment.report for event in events} == {Report.PAID}
    assert {(e.payment.reference, e.payment.amount_minor, e.payment.currency) for e in events} == {
        ("P-7KQF-3MWD2", 12_345, "CNY")
    }
    assert gateway(sandbox).fetch(made.session_id).report is Report.PAID


def test_a_page_pays_once_however_often_it_is_clicked(sandbox: Sandbox, listener: Listener) -> None:
    made = open_one(sandbox, locale="en")

    for _ in range(5):
        choose(made, "pay")

    listener.hear(2)
    until_nothing_is_due(sandbox)
    assert len(listener.came) == 2
    assert "You cannot pay here twice." in requests.get(made.url, timeout=5).text


def until_nothing_is_due(sandbox: Sandbox) -> None:
    wait_until(lambda: sandbox.book.next_due_in() is None, every=0.02)


def test_a_decline_leaves_the_page_open(sandbox: Sandbox, listener: Listener) -> None:
    made = open_one(sandbox)

    answer = choose(made, "decline", method="card")
    ((body, header),) = listener.hear(1)

    assert answer.headers["Location"] == f"/pay/{made.session_id}?declined=1"
    assert seen(sandbox, body, header).payment.report is Report.DECLINED
    assert seen(sandbox, body, header).payment.code == "insufficient_funds"
    assert choose(made, "pay").headers["Location"].endswith("back=1")


def test_a_slow_payment_is_processing_first_and_settles_later(sandbox: Sandbox, listener: Listener) -> None:
    made = open_one(sandbox)

    choose(made, "settle")
    listener.hear(2)
    assert gateway(sandbox).fetch(made.session_id).report is Report.PROCESSING
    sandbox.book.settle(made.session_id, succeeds=True)

    listener.hear(4)
    assert listener.kinds == [
        "payment_intent.processing",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    assert gateway(sandbox).fetch(made.session_id).report is Report.PAID


def test_events_come_doubled_and_reordered_on_request(sandbox: Sandbox, listener: Listener) -> None:
    choose(open_one(sandbox), "pay", delivery="reordered")

    events = [json.loads(body) for body, _ in listener.hear(4)]

    kinds = [event["type"] for event in events]
    assert kinds == ["checkout.session.completed"] * 2 + ["payment_intent.succeeded"] * 2
    assert len({event["id"] for event in events}) == 2


def test_a_late_event_is_kept_until_its_time(sandbox: Sandbox, listener: Listener) -> None:
    choose(open_one(sandbox), "pay", delivery="late")

    due = sandbox.book.next_due_in()

    assert due is not None
    assert 15 < due <= 20
    assert listener.came == []


def test_an_event_that_is_not_accepted_comes_again_newly_signed(sandbox: Sandbox, listener: Listener) -> None:
    listener.refusals = 2
    made = open_one(sandbox)

    choose(made, "decline")

    first, *_rest, last = listener.hear(3)
    assert first[0] == last[0]
    assert seen(sandbox, *last).payment.report is Report.DECLINED


def test_what_was_begun_survives_a_restart(tmp_path: Path, listener: Listener) -> None:
    path = str(tmp_path / "sandbox.sqlite")
    before = Sandbox(webhook_url=listener.address, secret=SECRET, path=path)
    before.start()
    made = open_one(before)
    before.book.pay(made.session_id, "card", "pay", Behaviour(delay_seconds=0.4))
    before.stop()

    after = Sandbox(webhook_url=listener.address, secret=SECRET, path=path)
    after.start()
    try:
        assert gateway(after).fetch(made.session_id).report is Report.PAID
        assert open_one(after, key="key-2").session_id != made.session_id
        listener.hear(2)
    finally:
        after.stop()


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": "setup"}, "mode"),
        ({"surprise": "1"}, "surprise"),
        ({"success_url": ""}, "success_url"),
        ({"line_items[0][price_data][unit_amount]": "-5"}, "line_items"),
        ({"line_items[0][price_data][unit_amount]": "1.5"}, "line_items"),
        ({"line_items[0][price_data][currency]": "CNY"}, "line_items"),
        ({"payment_method_types[0]": "cash"}, "payment_method_types"),
        ({"payment_method_types[0]": "wechat_pay"}, "payment_method_options"),
        ({"expires_at": "1"}, "expires_at"),
        ({"locale": "xx"}, "locale"),
    ],
)
def test_what_stripe_would_refuse_is_refused(sandbox: Sandbox, changes: dict[str, str], param: str) -> None:
    given = {
        "mode": "payment",
        "success_url": "http://127.0.0.1:1/",
        "payment_method_types[0]": "card",
        "line_items[0][price_data][unit_amount]": "100",
        "line_items[0][price_data][currency]": "cny",
        "expires_at": str(int(time.time()) + 3600),
    }
    headers = {"Authorization": "Bearer sk_test_x"}

    answer = requests.post(
        f"{sandbox.origin}/v1/checkout/sessions", data=given | changes, headers=headers, timeout=5
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_live_key_or_none_is_turned_away(sandbox: Sandbox) -> None:
    for headers in ({}, {"Authorization": "Bearer sk_live_x"}):
        assert (
            requests.get(f"{sandbox.origin}/v1/payment_intents/pi_1", headers=headers, timeout=5).status_code
            == 401
        )


def test_the_page_says_what_it_is_in_the_payers_language(sandbox: Sandbox) -> None:
    html = requests.get(open_one(sandbox, locale="en").url, timeout=5)

    assert "This is the payment sandbox. No money moves." in html.text
    assert 'lang="en"' in html.text
    assert "123.45" in html.text
    assert "form-action 'self' http://127.0.0.1:1" in html.headers["Content-Security-Policy"]
    assert "cardnumber" not in html.text


def test_a_tester_opens_a_dispute_answers_nothing_and_decides_it(
    sandbox: Sandbox, listener: Listener
) -> None:
    made = open_one(sandbox, locale="en")
    choose(made, "pay")
    page = f"{sandbox.origin}/testing"
    (intent,), _more = sandbox.book.listed("payment_intent")

    requests.post(page, data={"act": "dispute", "name": intent["id"], "lang": "en"}, timeout=5)
    disputed = requests.get(page, params={"lang": "en"}, timeout=5).text
    (dispute,), _more = sandbox.book.listed("dispute")
    requests.post(page, data={"act": "win", "name": dispute["id"], "lang": "en"}, timeout=5)
    again = requests.post(page, data={"act": "dispute", "name": intent["id"], "lang": "en"}, timeout=5)

    assert "waits for the bank" in disputed
    assert "123.45" in disputed
    assert again.status_code == 409
    listener.hear(6)
    assert listener.kinds[2:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]


def test_what_nobody_can_do_changes_nothing(sandbox: Sandbox) -> None:
    page = f"{sandbox.origin}/testing"

    assert requests.post(page, data={"act": "steal", "name": "x"}, timeout=5).status_code == 400
    assert requests.post(page, data={"act": "dispute", "name": "pi_none"}, timeout=5).status_code == 409


def test_an_unknown_page_is_not_found(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.origin}/pay/cs_test_none", timeout=5).status_code == 404


def test_beside_production_settings_it_does_not_start() -> None:
    with pytest.raises(ProductionSettings):
        refuse_production({"PORTAL_ENVIRONMENT": "production"})


def test_bracketed_fields_become_a_tree() -> None:
    form = MultiDict([("a[b][0]", "1"), ("a[b][1]", "2"), ("c", "3")])

    assert nested(form) == {"a": {"b": {"0": "1", "1": "2"}}, "c": "3"}


def test_as_a_process_of_its_own_it_needs_the_portals_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_STRIPE_WEBHOOK_SECRETS", raising=False)
    with pytest.raises(SystemExit):
        main(["--port", "0", "--webhook-url", "http://127.0.0.1:1/callbacks/stripe"])


def test_as_a_process_of_its_own_it_refuses_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_STRIPE_WEBHOOK_SECRETS", "whsec_x")
    monkeypatch.setenv("PORTAL_ENVIRONMENT", "production")
    with pytest.raises(ProductionSettings):
        main(["--port", "0", "--webhook-url", "http://127.0.0.1:1/callbacks/stripe"])
