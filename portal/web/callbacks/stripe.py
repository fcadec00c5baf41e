"""The payment provider's events: raw body and signature in, one operation, 2xx only after the commit."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, jsonify, request

from portal.payments.checkout import NotGenuine, books_of
from portal.payments.receipts import Outcome, receive
from portal.web.context import portal

blueprint = Blueprint("stripe", __name__)
log = structlog.get_logger()

#: The largest event read; the provider's own are a few kilobytes.
LARGEST_BYTES = 256 * 1024


@blueprint.post("/stripe")
def event() -> tuple[Response, int]:
    """Take one event; 400 when it is not the provider's, 413 when it is no event's size."""
    p = portal()
    request.max_content_length = LARGEST_BYTES
    body = request.get_data(cache=False)
    try:
        seen = p.stripe.verify_event(body, request.headers.get("Stripe-Signature"), now=p.clock.real_now())
    except NotGenuine as error:
        log.warning("provider_event_refused", reason=error.reason)
        return jsonify(error="not genuine"), 400
    outcome = p.db.write(lambda session: receive(session, event=seen, books=books_of(p)))
    if outcome is Outcome.SUSPENSE:
        log.error("provider_money_set_aside", event=seen.event_id)
    return jsonify(outcome=outcome), 200
