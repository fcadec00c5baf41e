"""The payment sandbox: a small server of its own that speaks so much of Stripe's API as the portal uses.

It keeps checkouts, replays idempotency keys, shows a payment page on its own origin, and sends signed
events - late, doubled or reordered on request. No money moves, no card number is asked for, and it
refuses to start beside production settings.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import stripe
from flask import Flask, Response, abort, redirect, render_template, request, send_from_directory
from flask_babel import Babel
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from portal.demo.stripe_sandbox_api import LOCALES, add_addresses
from portal.demo.stripe_sandbox_book import ApiError, Behaviour, Book, Work
from portal.demo.stripe_sandbox_testing import add_testing_page
from portal.web.locale import HTML_LANG, amount_formatter

ROOT = Path(__file__).parents[2]
OUTCOMES = ("pay", "decline", "settle", "bounce")
#: What the tester may choose on the payment page.
DELIVERIES = {
    "at_once": Behaviour(),
    "late": Behaviour(delay_seconds=20.0),
    "doubled": Behaviour(copies=2),
    "reordered": Behaviour(copies=2, reorder=True),
}
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
    add_addresses(app, book)
    _hosted_page(app, book, behaviour)
    add_testing_page(app, book)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; style-src 'self'")
        return response

    return app


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
        elif work.kind == "refund":
            facts = json.loads(work.body)
            self._book.settle_refund(facts["refund"], succeeds=facts["succeeds"])
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
