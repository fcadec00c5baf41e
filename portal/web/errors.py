"""Designed pages for what goes wrong: each says what happened and what to do next."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import structlog
from flask import Flask, Response, make_response, redirect, render_template, request
from sqlalchemy.exc import OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as WerkzeugResponse

log = structlog.get_logger()

#: The statuses with a page of their own; others use the nearest of these.
PAGES = {400, 403, 404, 405, 409, 413, 422, 429, 500, 503}


def page(status: int, **facts: Any) -> Response:
    """The designed page for `status`; `retry_after` (seconds) also sets the header."""
    response = make_response(render_template("errors/error.html", status=status, facts=facts), status)
    if facts.get("retry_after"):
        response.headers["Retry-After"] = str(facts["retry_after"])
    return response


def init_app(app: Flask) -> None:
    """Answer every failure with a page."""

    @app.before_request
    def moved() -> WerkzeugResponse | None:
        """The router's redirects, by path alone: its own repeat whatever Host the request claimed."""
        error = request.routing_exception
        if not isinstance(error, RequestRedirect):
            return None
        where = urlsplit(error.new_url)
        return redirect(urlunsplit(("", "", where.path, where.query, "")), error.code)

    @app.errorhandler(HTTPException)
    def known(error: HTTPException) -> Response:
        status = error.code or 500
        return page(status if status in PAGES else 400 if status < 500 else 500)

    @app.errorhandler(OperationalError)
    @app.errorhandler(TimeoutError)
    def busy(error: Exception) -> Response:
        log.warning("database_busy", kind=type(error).__name__, endpoint=request.endpoint)
        return page(503, retry_after=5)

    @app.errorhandler(Exception)
    def unknown(error: Exception) -> Response:
        reference = secrets.token_hex(4).upper()
        log.error(
            "unexpected_error", reference=reference, endpoint=request.endpoint, exc_info=not app.testing
        )
        if app.config.get("PROPAGATE_EXCEPTIONS"):
            raise error
        return page(500, reference=reference)
