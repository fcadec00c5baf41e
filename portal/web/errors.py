"""Designed pages for what goes wrong: each says what happened and what to do next."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from flask import Flask, Response, make_response, render_template, request
from sqlalchemy.exc import OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException

log = structlog.get_logger()

#: The statuses with a page of their own; others use the nearest of these.
PAGES = {400, 403, 404, 405, 409, 413, 429, 500, 503}


def page(status: int, **facts: Any) -> Response:
    """The designed page for `status`; `retry_after` (seconds) also sets the header."""
    response = make_response(render_template("errors/error.html", status=status, facts=facts), status)
    if facts.get("retry_after"):
        response.headers["Retry-After"] = str(facts["retry_after"])
    return response


def init_app(app: Flask) -> None:
    """Answer every failure with a page."""

    @app.errorhandler(HTTPException)
    def known(error: HTTPException) -> Response:
        status = error.code or 500
        if status in (301, 302, 303, 307, 308):
            return error.get_response()  # type: ignore[return-value]
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
