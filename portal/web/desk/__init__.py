"""The reviewers' door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.desk import (
    cases,
    complaints,
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
    records,
    sign_in,
    suspense,
    visits,
    wrong_numbers,
)

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
for feature in (
    cases,
    complaints,
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
    records,
    sign_in,
    suspense,
    visits,
    wrong_numbers,
):
    blueprint.register_blueprint(feature.blueprint)
