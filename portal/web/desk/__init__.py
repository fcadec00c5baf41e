"""The reviewers' door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.desk import (
    cases,
    contacts,
    dashboard,
    documents,
    fakes,
    imports,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
    visits,
)

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
for feature in (
    cases,
    contacts,
    dashboard,
    documents,
    fakes,
    imports,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
    visits,
):
    blueprint.register_blueprint(feature.blueprint)
