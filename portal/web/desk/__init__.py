"""The reviewers' door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.desk import (
    cases,
    contacts,
    copied,
    dashboard,
    documents,
    fakes,
    imports,
    networks,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
    visits,
    wrong_numbers,
)

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
for feature in (
    cases,
    contacts,
    copied,
    dashboard,
    documents,
    fakes,
    imports,
    networks,
    payments,
    queue,
    reconciliation,
    sign_in,
    suspense,
    visits,
    wrong_numbers,
):
    blueprint.register_blueprint(feature.blueprint)
