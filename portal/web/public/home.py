"""The first page: check what you received, sign in, find help."""

from __future__ import annotations

from flask import Blueprint, render_template

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def page() -> str:
    """The first page."""
    return render_template("public/home/page.html")
