"""The borrower's door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.borrower import (
    agreement,
    as_of,
    balance,
    complaints,
    contacts,
    documents,
    more,
    negotiation,
    pay,
    pay_links,
    plan,
    plan_change,
    propose,
    receipts,
    record,
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
    complaints,
    contacts,
    documents,
    more,
    negotiation,
    pay,
    pay_links,
    plan,
    plan_change,
    propose,
    receipts,
    record,
    saved,
    situation,
    statement,
    visits,
    why,
):
    blueprint.register_blueprint(feature.blueprint)
