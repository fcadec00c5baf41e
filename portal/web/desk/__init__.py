"""The reviewers' door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.desk import (
    cases,
    dashboard,
    documents,
    imports,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
)

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
for feature in (
    cases,
    dashboard,
    documents,
    imports,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
):
    blueprint.register_blueprint(feature.blueprint)
