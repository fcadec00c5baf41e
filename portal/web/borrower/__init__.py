"""The borrower's door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.borrower import (
    agreement,
    as_of,
    balance,
    contacts,
    documents,
    more,
    negotiation,
    pay,
    pay_links,
    plan,
    propose,
    saved,
    settlement,
    since,
    situation,
    statement,
    visits,
    why,
)

blueprint = Blueprint("borrower", __name__, url_prefix="/my")
for feature in (
    agreement,
    as_of,
    settlement,
    since,
    balance,
    contacts,
    documents,
    more,
    negotiation,
    pay,
    pay_links,
    plan,
    propose,
    saved,
    situation,
    statement,
    visits,
    why,
):
    blueprint.register_blueprint(feature.blueprint)
