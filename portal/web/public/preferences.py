"""Language and text size: a cookie each, changed by POST, remembered for a year."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request

from portal.web.context import portal
from portal.web.forms import own_path
from portal.web.locale import LANGUAGE_COOKIE, LOCALES

blueprint = Blueprint("preferences", __name__)

TEXT_SIZES = ("normal", "large")
TEXT_SIZE_COOKIE = "text_size"
_YEAR_SECONDS = 365 * 24 * 3600


@blueprint.post("/preferences")
def change() -> Response:
    """Keep the chosen language or text size, and go back to the page it was chosen on."""
    response = redirect(own_path(request.form.get("back")) or "/", 303)
    for cookie, field, allowed in (
        (LANGUAGE_COOKIE, "language", LOCALES),
        (TEXT_SIZE_COOKIE, "text_size", TEXT_SIZES),
    ):
        value = request.form.get(field)
        if value is not None and value in allowed:
            response.set_cookie(
                cookie,
                value,
                max_age=_YEAR_SECONDS,
                samesite="Lax",
                httponly=True,
                secure=portal().settings.secure_cookies,
            )
    return response  # type: ignore[return-value]
