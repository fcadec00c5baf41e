"""The payment sandbox: a small server of its own that speaks so much of Stripe's API as the portal uses.

It keeps checkouts, replays idempotency keys, shows a payment page on its own origin, and sends signed
events - late, doubled or reordered on request. No money moves, no card number is asked for, and it
refuses to start beside production settings.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import stripe
from flask import Flask, Response, abort, redirect, render_template, request, send_from_directory
from flask_babel import Babel
from werkzeug.datastructures import MultiDict
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from portal.demo.stripe_sandbox_book import (
    LONGEST_LIFE,
    SHORTEST_LIFE,
    ApiError,
    Behaviour,
    Book,
    Work,
    invalid,
)
from portal.money import EXPONENTS
from portal.web.locale import HTML_LANG, amount_formatter

ROOT = Path(__file__).parents[2]
METHODS = ("card", "alipay", "wechat_pay")
LOCALES = {"zh": "zh", "zh-HK": "zh_Hant", "zh-TW": "zh_Hant", "en": "en", "en-GB": "en"}
OUTCOMES = ("pay", "decline", "settle", "bounce")
#: What the tester may choose on the payment page.
DELIVERIES = {
    "at_once": Behaviour(),
    "late": Behaviour(delay_seconds=20.0),
    "doubled": Behaviour(copies=2),
    "reordered": Behaviour(copies=2, reorder=True),
}
#: Parameters of a new checkout that the portal may send; Stripe refuses what it does not know.
_KNOWN = frozenset(
    {"mode", "client_reference_id", "metadata", "payment_intent_data", "payment_method_types"}
    | {"payment_method_options", "line_items", "adaptive_pricing", "success_url", "cancel_url"}
    | {"locale", "expires_at", "expand"}
)
#: Tries before an event is given up, and the longest pause between two.
MOST_TRIES, LONGEST_PAUSE = 40, 60.0


class ProductionSettings(RuntimeError):
    """The sandbox was asked to run beside production settings."""


def create_sandbox(book: Book, *, behaviour: Behaviour | None = None) -> Flask:
    """The sandbox as a WSGI application over `book`."""
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=2**18, BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "translations"))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    Babel(app, locale_selector=lambda: getattr(request, "sandbox_locale", "en"), default_locale="en")
    app.jinja_env.add_extension("jinja2.ext.i18n")
    _api(app, book)
    _hosted_page(app, book, behaviour)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; style-src 'self'")
        return response

    @app.errorhandler(ApiError)
    def refused(error: ApiError) -> tuple[Response, int]:
        return Response(json.dumps(error.body), mimetype="application/json"), error.status

    return app


def _api(app: Flask, book: Book) -> None:
    """Stripe's addresses, as far as the portal calls them."""

    @app.before_request
    def known_key() -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/v1/") and not key.startswith("sk_test_"):
            raise ApiError(401, "invalid_request_error", "api_key_invalid", "The sandbox takes test keys.")

    @app.post("/v1/checkout/sessions")
    def create() -> Response:
        def make() -> dict[str, Any]:
            account = request.headers.get("Stripe-Account")
            return book.new_session(_session_facts(nested(request.form)), account=account, origin=_origin())

        return _once(book, make)

    @app.get("/v1/checkout/sessions/<name>")
    def retrieve(name: str) -> Response:
        session = book.session(name)
        if "payment_intent" in request.args.getlist("expand[0]") and session["payment_intent"]:
            session["payment_intent"] = book.find("payment_intent", session["payment_intent"])
        return _json(json.dumps(session))

    @app.post("/v1/checkout/sessions/<name>/expire")
    def expire(name: str) -> Response:
        return _once(book, lambda: book.expire(name))

    @app.get("/v1/payment_intents/<name>")
    def intent(name: str) -> Response:
        return _json(json.dumps(book.find("payment_intent", name)))


def _hosted_page(app: Flask, book: Book, behaviour: Behaviour | None) -> None:
    """The page on which a payer pays, on the sandbox's own origin."""

    @app.get("/pay/<name>")
    def page(name: str) -> Response:
        return _page(_payable(book, name))

    @app.post("/pay/<name>")
    def choose(name: str) -> Any:
        session = _payable(book, name)
        method, outcome = request.form.get("method", ""), request.form.get("outcome", "")
        if method not in session["payment_method_types"] or outcome not in OUTCOMES:
            return _page(session, problem=True)
        manner = behaviour or DELIVERIES.get(request.form.get("delivery", ""), Behaviour())
        after = book.pay(name, method, outcome, manner)
        back = after["success_url"] if after["status"] == "complete" else f"/pay/{name}?declined=1"
        return redirect(back, 303)

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(ROOT / "static", name)


def _payable(book: Book, name: str) -> dict[str, Any]:
    try:
        session = book.session(name)
    except ApiError:
        abort(404)
    request.sandbox_locale = LOCALES.get(session["locale"], "en")  # type: ignore[attr-defined]
    return session


def _page(session: Mapping[str, Any], *, problem: bool = False) -> Response:
    locale = LOCALES.get(session["locale"], "en")
    currency = session["currency"].upper()
    html = render_template(
        "demo/sandbox/pay.html",
        checkout=session,
        amount=amount_formatter(locale, currency, True)(session["amount_total"]),
        lang=HTML_LANG[locale],
        problem=problem,
        declined="declined" in request.args,
        back=session["cancel_url"] if session["status"] != "complete" else session["success_url"],
    )
    response = Response(html)
    back_origin = "/".join(session["success_url"].split("/")[:3])
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {back_origin}; frame-ancestors 'none'"
    )
    return response


def _once(book: Book, make: Any) -> Response:
    key = request.headers.get("Idempotency-Key")
    fingerprint = [request.path, sorted(request.form.items(multi=True))]
    status, body, replayed = book.once(key, fingerprint, make)
    response = _json(body)
    response.status_code = status
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _json(body: str) -> Response:
    response = Response(body, mimetype="application/json")
    response.headers["Request-Id"] = f"req_{secrets.token_hex(7)}"
    return response


def _origin() -> str:
    return request.host_url.rstrip("/")


def nested(form: MultiDict[str, str]) -> dict[str, Any]:
    """Stripe's bracketed form fields as one tree: `a[b][0]=c` becomes {"a": {"b": {"0": "c"}}}."""
    tree: dict[str, Any] = {}
    for name, value in form.items(multi=True):
        path = name.replace("]", "").split("[")
        branch = tree
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
            if not isinstance(branch, dict):
                raise invalid("parameter_invalid", f"Invalid {name}", name)
        branch[path[-1]] = value
    return tree


def _session_facts(params: Mapping[str, Any]) -> dict[str, Any]:
    """The checkout that these parameters ask for, or Stripe's refusal of the first that is wrong."""
    for name in params:
        if name not in _KNOWN:
            raise invalid("parameter_unknown", f"Received unknown parameter: {name}", name)
    if params.get("mode") != "payment":
        raise invalid("parameter_invalid", "The sandbox knows mode=payment only.", "mode")
    for name in ("success_url", "line_items", "payment_method_types", "expires_at"):
        if not params.get(name):
            raise invalid("parameter_missing", f"Missing required param: {name}.", name)
    methods = list(params["payment_method_types"].values())
    amount, currency = _price(params["line_items"])
    return {
        "amount_total": amount,
        "currency": currency,
        "title": params["line_items"]["0"]["price_data"].get("product_data", {}).get("name", ""),
        "client_reference_id": params.get("client_reference_id"),
        "metadata": dict(params.get("metadata", {})),
        "payment_metadata": dict(params.get("payment_intent_data", {}).get("metadata", {})),
        "payment_method_types": _methods(methods, params),
        "success_url": params["success_url"],
        "cancel_url": params.get("cancel_url") or params["success_url"],
        "locale": _one_of(params.get("locale", "en"), LOCALES, "locale"),
        "expires_at": _life(params["expires_at"]),
    }


def _price(items: Mapping[str, Any]) -> tuple[int, str]:
    price = items.get("0", {}).get("price_data", {})
    amount, currency = price.get("unit_amount", ""), price.get("currency", "")
    if not (amount.isascii() and amount.isdigit() and 0 < int(amount) <= 99_999_999):
        raise invalid("parameter_invalid_integer", "unit_amount has one to eight digits", "line_items")
    if currency.upper() not in EXPONENTS or currency != currency.lower():
        raise invalid("parameter_invalid", "Invalid currency", "line_items")
    return int(amount), currency


def _methods(methods: list[str], params: Mapping[str, Any]) -> list[str]:
    for method in methods:
        _one_of(method, METHODS, "payment_method_types")
    client = params.get("payment_method_options", {}).get("wechat_pay", {}).get("client")
    if "wechat_pay" in methods and client != "web":
        raise invalid("parameter_missing", "wechat_pay needs client=web", "payment_method_options")
    return methods


def _one_of(value: str, allowed: Any, name: str) -> str:
    if value not in allowed:
        raise invalid("parameter_invalid", f"Invalid {name}: {value}", name)
    return value


def _life(text: str) -> int:
    ends = int(text) if text.isascii() and text.isdigit() else 0
    if not time.time() + SHORTEST_LIFE - 5 <= ends <= time.time() + LONGEST_LIFE + 5:
        raise invalid("parameter_invalid", "expires_at is 30 minutes to 24 hours away", "expires_at")
    return ends


class Courier:
    """Delivers events one by one, signed at the moment of each try, until the portal says 2xx."""

    def __init__(self, book: Book, webhook_url: str, secret: str) -> None:
        self._book, self._url, self._secret = book, webhook_url, secret
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-courier", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the piece of work in hand and end."""
        self._stopping.set()
        with self._book.changed:
            self._book.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with requests.Session() as http:
            while not self._stopping.is_set():
                work = self._book.due()
                if work is not None:
                    self._do(http, work)
                    continue
                with self._book.changed:
                    if not self._stopping.is_set():
                        self._book.changed.wait(self._book.next_due_in())

    def _do(self, http: requests.Session, work: Work) -> None:
        if work.kind == "settle":
            facts = json.loads(work.body)
            self._book.settle(facts["session"], succeeds=facts["succeeds"])
            self._book.done(work.number)
        elif self._delivered(http, work.body) or work.tries >= MOST_TRIES:
            self._book.done(work.number)
        else:
            self._book.again(work.number, after=min(LONGEST_PAUSE, 0.25 * 2**work.tries))

    def _delivered(self, http: requests.Session, body: str) -> bool:
        header = stripe.WebhookSignature.generate_signature_header(body, self._secret)
        headers = {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
        try:
            answer = http.post(self._url, data=body.encode(), headers=headers, timeout=10)
        except requests.RequestException:
            return False
        return 200 <= answer.status_code < 300


class _Quiet(WSGIRequestHandler):
    """No line per request: the terminal belongs to the portal."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return


class Sandbox:
    """A running sandbox: `start`, then `origin`; `stop` ends its threads."""

    def __init__(
        self,
        *,
        webhook_url: str,
        secret: str,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = ":memory:",
        behaviour: Behaviour | None = None,
    ) -> None:
        refuse_production(os.environ)
        self.book = Book(path)
        self._courier = Courier(self.book, webhook_url, secret)
        app = create_sandbox(self.book, behaviour=behaviour)
        self._server: BaseWSGIServer = make_server(host, port, app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
        self.origin = f"http://{host}:{self._server.server_port}"

    def start(self) -> None:
        """Serve and deliver in the background."""
        self._courier.start()
        self._thread.start()

    def stop(self) -> None:
        """End serving and delivering."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._courier.stop()
        self.book.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def wait(self) -> None:
        """Serve until the process is told to end."""
        self._thread.join()


def refuse_production(environ: Mapping[str, str]) -> None:
    """Raise ProductionSettings where the environment says production."""
    if environ.get("PORTAL_ENVIRONMENT") == "production":
        raise ProductionSettings("the payment sandbox does not start beside production settings")


def serve(
    host: str = "127.0.0.1", port: int = 8001, *, webhook_url: str, secret: str, path: str = ":memory:"
) -> None:
    """Run the sandbox until the process ends; `path` is its SQLite file. Raises ProductionSettings."""
    sandbox = Sandbox(webhook_url=webhook_url, secret=secret, host=host, port=port, path=path)
    sandbox.start()
    sandbox.wait()


def main(arguments: list[str] | None = None) -> None:
    """`python -m portal.demo.stripe_sandbox`: the secret is the first of PORTAL_STRIPE_WEBHOOK_SECRETS."""
    parser = argparse.ArgumentParser(prog="stripe_sandbox", description="The payment sandbox.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--webhook-url", required=True, help="the portal's /callbacks/stripe")
    parser.add_argument("--state", default=":memory:", help="SQLite file that keeps what was begun")
    chosen = parser.parse_args(arguments)
    secret = os.environ.get("PORTAL_STRIPE_WEBHOOK_SECRETS", "").split(",")[0].strip()
    if not secret:
        parser.error("PORTAL_STRIPE_WEBHOOK_SECRETS is missing")
    serve(chosen.host, chosen.port, webhook_url=chosen.webhook_url, secret=secret, path=chosen.state)


if __name__ == "__main__":
    main()
