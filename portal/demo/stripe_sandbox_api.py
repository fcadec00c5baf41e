"""Stripe's addresses, as far as the portal calls them, over the sandbox's book."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.datastructures import MultiDict

from portal.demo.stripe_sandbox_book import (
    LONGEST_LIFE,
    SAVEABLE,
    SHORTEST_LIFE,
    TEST_METHODS,
    ApiError,
    Book,
    invalid,
)
from portal.money import EXPONENTS

METHODS = ("card", "alipay", "wechat_pay")
LOCALES = {"zh": "zh", "zh-HK": "zh_Hant", "zh-TW": "zh_Hant", "en": "en", "en-GB": "en"}
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
#: Parameters of a new checkout that the portal may send; Stripe refuses what it does not know.
_SESSION = frozenset(
    {"mode", "client_reference_id", "metadata", "payment_intent_data", "payment_method_types"}
    | {"payment_method_options", "line_items", "adaptive_pricing", "success_url", "cancel_url"}
    | {"locale", "expires_at", "expand", "customer_creation"}
)
_REFUND = frozenset({"payment_intent", "amount", "reason", "metadata"})
_INTENT = frozenset(
    {"amount", "currency", "customer", "payment_method", "payment_method_types", "off_session", "confirm"}
    | {"metadata"}
)


def add_addresses(app: Flask, book: Book) -> None:
    """Every address under /v1."""

    @app.before_request
    def known_key() -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/v1/") and not key.startswith("sk_test_"):
            raise ApiError(401, "invalid_request_error", "api_key_invalid", "The sandbox takes test keys.")

    @app.errorhandler(ApiError)
    def refused(error: ApiError) -> tuple[Response, int]:
        return Response(json.dumps(error.body), mimetype="application/json"), error.status

    _checkouts(app, book)
    _payments(app, book)
    _returns(app, book)
    _lists(app, book)


def _checkouts(app: Flask, book: Book) -> None:
    @app.post("/v1/checkout/sessions")
    def create_session() -> Response:
        def make() -> dict[str, Any]:
            origin = request.host_url.rstrip("/")
            return book.new_session(
                _session_facts(nested(request.form), book.now()), account=_account(), origin=origin
            )

        return _once(book, make)

    @app.get("/v1/checkout/sessions/<name>")
    def retrieve_session(name: str) -> Response:
        session = book.session(name)
        wanted = request.args.getlist("expand[0]") + request.args.getlist("expand[1]")
        if any(one.startswith("payment_intent") for one in wanted) and session["payment_intent"]:
            session["payment_intent"] = _intent(
                book, session["payment_intent"], with_charge="payment_intent.latest_charge" in wanted
            )
        return _json(session)

    @app.post("/v1/checkout/sessions/<name>/expire")
    def expire_session(name: str) -> Response:
        return _once(book, lambda: book.expire(name))


def _payments(app: Flask, book: Book) -> None:
    @app.post("/v1/payment_intents")
    def create_intent() -> Response:
        def make() -> dict[str, Any]:
            return book.charge_saved(_intent_facts(nested(request.form)), account=_account())

        return _once(book, make)

    @app.get("/v1/payment_intents/<name>")
    def retrieve_intent(name: str) -> Response:
        return _json(_intent(book, name, with_charge="latest_charge" in request.args.getlist("expand[0]")))

    @app.post("/v1/payment_methods/<name>/detach")
    def detach(name: str) -> Response:
        return _once(book, lambda: book.detach(name))


def _returns(app: Flask, book: Book) -> None:
    @app.post("/v1/refunds")
    def create_refund() -> Response:
        return _once(book, lambda: book.refund(_refund_facts(nested(request.form))))

    @app.get("/v1/refunds/<name>")
    def retrieve_refund(name: str) -> Response:
        return _json(book.find("refund", name))

    @app.post("/v1/files")
    def upload_file() -> Response:
        sent = request.files.get("file")
        if sent is None or request.form.get("purpose") != "dispute_evidence":
            raise invalid("parameter_missing", "Missing required param: file.", "file")
        data = sent.read()
        name = sent.filename or "blob"
        seen = hashlib.sha256(data).hexdigest()
        return _once(book, lambda: book.take_file(data, name), seen)

    @app.get("/v1/disputes/<name>")
    def retrieve_dispute(name: str) -> Response:
        return _json(book.find("dispute", name))

    @app.post("/v1/disputes/<name>")
    def answer_dispute(name: str) -> Response:
        given = nested(request.form)
        evidence, submit = given.get("evidence", {}), given.get("submit") in ("true", "True")
        return _once(book, lambda: book.answer_dispute(name, evidence, submit=submit))


def _lists(app: Flask, book: Book) -> None:
    @app.get("/v1/refunds")
    def list_refunds() -> Response:
        wanted = request.args.get("payment_intent")
        return _list(book, "refund", payment_intent=wanted)

    @app.get("/v1/balance_transactions")
    def list_movements() -> Response:
        expands = request.args.getlist("expand[0]") == ["data.source"]
        return _list(book, "balance_transaction", each=book.with_source if expands else None)

    @app.get("/v1/events")
    def list_events() -> Response:
        kinds = {value for name, value in request.args.items() if name.startswith("types[")}
        return _list(book, "event", kinds=kinds)


def _list(
    book: Book,
    kind: str,
    *,
    kinds: set[str] | None = None,
    each: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    **facts: str | None,
) -> Response:
    """One page of a list, the newest first, as Stripe's lists are read."""
    rows, more = book.listed(
        kind,
        since=_number("created[gte]", 0),
        before=_number("created[lt]", 2**40),
        limit=_number("limit", 10),
        after=request.args.get("starting_after"),
        **{name: value for name, value in facts.items() if value is not None},
    )
    if kinds and rows:
        last = rows[-1]
        rows = [row for row in rows if row["type"] in kinds] or ([] if not more else [last])
    data = [each(row) for row in rows] if each else rows
    return _json({"object": "list", "url": request.path, "has_more": more, "data": data})


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else otherwise


def _intent(book: Book, name: str, *, with_charge: bool) -> dict[str, Any]:
    intent = book.find("payment_intent", name)
    if with_charge and intent["latest_charge"]:
        intent["latest_charge"] = book.find("charge", intent["latest_charge"])
    return intent


def _once(book: Book, make: Callable[[], dict[str, Any]], *seen: str) -> Response:
    key = request.headers.get("Idempotency-Key")
    fingerprint = [request.path, sorted(request.form.items(multi=True)), *seen]
    status, body, replayed = book.once(key, fingerprint, make)
    response = _json(json.loads(body))
    response.status_code = status
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _json(answer: Mapping[str, Any]) -> Response:
    response = Response(json.dumps(answer), mimetype="application/json")
    response.headers["Request-Id"] = f"req_{secrets.token_hex(7)}"
    return response


def _account() -> str | None:
    return request.headers.get("Stripe-Account")


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


def _refuse_unknown(params: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in params:
        if name not in known:
            raise invalid("parameter_unknown", f"Received unknown parameter: {name}", name)


def _session_facts(params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The checkout that these parameters ask for, or Stripe's refusal of the first that is wrong."""
    _refuse_unknown(params, _SESSION)
    if params.get("mode") != "payment":
        raise invalid("parameter_invalid", "The sandbox knows mode=payment only.", "mode")
    for name in ("success_url", "line_items", "payment_method_types", "expires_at"):
        if not params.get(name):
            raise invalid("parameter_missing", f"Missing required param: {name}.", name)
    methods = list(params["payment_method_types"].values())
    amount, currency = _price(params["line_items"])
    intent_data = params.get("payment_intent_data", {})
    return {
        "amount_total": amount,
        "currency": currency,
        "title": params["line_items"]["0"]["price_data"].get("product_data", {}).get("name", ""),
        "client_reference_id": params.get("client_reference_id"),
        "metadata": dict(params.get("metadata", {})),
        "payment_metadata": dict(intent_data.get("metadata", {})),
        "setup_future_usage": _future(intent_data.get("setup_future_usage"), methods),
        "payment_method_types": _methods(methods, params),
        "success_url": params["success_url"],
        "cancel_url": params.get("cancel_url") or params["success_url"],
        "locale": _one_of(params.get("locale", "en"), LOCALES, "locale"),
        "expires_at": _life(params["expires_at"], now),
    }


def _future(usage: str | None, methods: list[str]) -> str | None:
    if usage is None:
        return None
    if usage != "off_session" or not set(methods) <= set(SAVEABLE):
        raise invalid("parameter_invalid", "Only cards and Alipay can be saved.", "setup_future_usage")
    return usage


def _refund_facts(params: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_unknown(params, _REFUND)
    if not params.get("payment_intent"):
        raise invalid("parameter_missing", "Missing required param: payment_intent.", "payment_intent")
    reason = params.get("reason")
    return {
        "payment_intent": params["payment_intent"],
        "amount": _minor(params["amount"], "amount") if "amount" in params else None,
        "reason": _one_of(reason, REASONS, "reason") if reason else None,
        "metadata": dict(params.get("metadata", {})),
    }


def _intent_facts(params: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_unknown(params, _INTENT)
    is_test = params.get("payment_method") in TEST_METHODS
    for name in ("amount", "currency", "payment_method", "confirm", "customer", "off_session"):
        if not params.get(name) and not (is_test and name in ("customer", "off_session")):
            raise invalid("parameter_missing", f"The sandbox charges saved methods only: {name}.", name)
    return {
        "amount": _minor(params["amount"], "amount"),
        "currency": params["currency"],
        "customer": params.get("customer"),
        "payment_method": params["payment_method"],
        "metadata": dict(params.get("metadata", {})),
    }


def _price(items: Mapping[str, Any]) -> tuple[int, str]:
    price = items.get("0", {}).get("price_data", {})
    amount, currency = price.get("unit_amount", ""), price.get("currency", "")
    if currency.upper() not in EXPONENTS or currency != currency.lower():
        raise invalid("parameter_invalid", "Invalid currency", "line_items")
    return _minor(amount, "line_items"), currency


def _minor(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 99_999_999):
        raise invalid("parameter_invalid_integer", "An amount has one to eight digits", name)
    return int(text)


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


def _life(text: str, now: float) -> int:
    ends = int(text) if text.isascii() and text.isdigit() else 0
    if not now + SHORTEST_LIFE - 5 <= ends <= now + LONGEST_LIFE + 5:
        raise invalid("parameter_invalid", "expires_at is 30 minutes to 24 hours away", "expires_at")
    return ends
