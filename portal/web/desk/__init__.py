"""The reviewers' door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.desk import (
    cases,
    dashboard,
    documents,
    queue,
    sign_in,
)

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
for feature in (
    cases,
    dashboard,
    documents,
    queue,
    sign_in,
):
    blueprint.register_blueprint(feature.blueprint)
