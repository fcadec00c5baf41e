"""The sandbox's page for testers: every payment with what a payer's bank, a provider or time can do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, render_template, request

from portal.demo.stripe_sandbox_book import MANNERS, ApiError, Book
from portal.web.locale import HTML_LANG, amount_formatter

#: How many payments the page shows.
SHOWN = 30


def add_testing_page(app: Flask, book: Book) -> None:
    """GET /testing shows the payments, POST does one thing to one of them."""

    @app.get("/testing")
    def testing() -> str:
        return _page(book)

    @app.post("/testing")
    def act() -> Any:
        act = _ACTS.get(request.form.get("act", ""))
        name = request.form.get("name", "")
        if act is None:
            return _page(book, problem=True), 400
        try:
            act(book, name)
        except ApiError:
            return _page(book, problem=True), 409
        return redirect(f"/testing?lang={_locale()}#{name}", 303)

    @app.after_request
    def own_forms_only(response: Response) -> Response:
        if request.path == "/testing":
            response.headers["Content-Security-Policy"] = (
                "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"
            )
        return response


def _manner(how: str) -> Callable[[Book, str], object]:
    return lambda book, name: book.use_manner(name, how)


_ACTS: dict[str, Callable[[Book, str], object]] = {
    "dispute": lambda book, name: book.open_dispute(name),
    "inquiry": lambda book, name: book.open_dispute(name, inquiry=True),
    "win": lambda book, name: book.close_dispute(name, won=True),
    "lose": lambda book, name: book.close_dispute(name, won=False),
    "fail_refund": lambda book, name: book.settle_refund(name, succeeds=False),
    "pay_out": lambda book, name: book.pay_out(),
    **{f"saved_{how}": _manner(how) for how in MANNERS},
}


def _locale() -> str:
    wanted = request.args.get("lang", "") or request.form.get("lang", "")
    return wanted if wanted in HTML_LANG else "zh"


def _page(book: Book, *, problem: bool = False) -> str:
    locale = _locale()
    request.sandbox_locale = locale  # type: ignore[attr-defined]
    charges, _more = book.listed("charge", limit=SHOWN)
    return render_template(
        "demo/sandbox/testing.html",
        lang=HTML_LANG[locale],
        locale=locale,
        payments=[_of(book, charge, locale) for charge in charges],
        saved=[one for one in book.listed("payment_method", limit=SHOWN)[0] if one["customer"]],
        problem=problem,
    )


def _of(book: Book, charge: dict[str, Any], locale: str) -> dict[str, Any]:
    """A payment with its refunds and its newest dispute, amounts as they are read."""
    shown = amount_formatter(locale, charge["currency"].upper(), True)
    intent = charge["payment_intent"]
    disputes, _more = book.listed("dispute", limit=1, payment_intent=intent)
    refunds, _more = book.listed("refund", payment_intent=intent)
    return {
        "intent": intent,
        "reference": charge["metadata"].get("payment", ""),
        "amount": shown(charge["amount"]),
        "method": charge["payment_method_details"]["type"],
        "dispute": disputes[0] if disputes else None,
        "refunds": [one | {"shown": shown(one["amount"])} for one in refunds],
        "can_be_disputed": not charge["disputed"] and charge["amount_refunded"] < charge["amount"],
    }
