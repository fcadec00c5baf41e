"""The visits page: who comes when and why, which visits are off, and what a visitor may not do."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.contacts.queries import holds_in_force
from portal.visits.queries import visits_for
from portal.web.context import portal
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("visits", __name__)


@blueprint.get("/visits")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """Visits still to come first, then those that are over or off."""
    p = portal()
    now = p.clock.now()
    with p.db.read() as connection:
        visits = visits_for(connection, p.keys, borrower.borrower_id)
        holds = holds_in_force(connection, borrower.borrower_id, now=now)
    coming = [visit for visit in visits if visit.state in ("planned", "paused") and visit.ends_at > now]
    return render_template(
        "borrower/visits/page.html",
        coming=coming,
        earlier=[visit for visit in reversed(visits) if visit not in coming],
        holds=holds,
        local=p.clock.local,
    )
