"""The borrower's door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.borrower import (
    agreement,
    balance,
    documents,
    more,
    negotiation,
    pay,
    plan,
    propose,
    situation,
    statement,
    visits,
)

blueprint = Blueprint("borrower", __name__, url_prefix="/my")
for feature in (
    agreement,
    balance,
    documents,
    more,
    negotiation,
    pay,
    plan,
    propose,
    situation,
    statement,
    visits,
):
    blueprint.register_blueprint(feature.blueprint)
