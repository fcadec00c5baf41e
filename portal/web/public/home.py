"""The first page: check what you received, sign in, find help."""

from __future__ import annotations

from flask import Blueprint

from portal.web.public import still

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def page() -> str:
    """The first page."""
    return still.page("public/home/page.html")
