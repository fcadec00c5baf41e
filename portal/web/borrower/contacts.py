"""The contacts page: who reached for the borrower, when, by whom, what the rules say, and what suits."""

from __future__ import annotations

from datetime import time

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.contacts import ground, log, log_queries
from portal.contacts.log import Wish
from portal.contacts.queries import holds_in_force
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("contacts", __name__)

#: Contacts a page.
PAGE = 50


@blueprint.get("/contacts")
@borrower_only
def page(borrower: SignedInBorrower) -> Response:
    """Every contact, what is used up of today's calls, what stops them, and the borrower's wishes."""
    return _page(borrower)


@blueprint.post("/contacts/wishes")
@borrower_only
def wishes(borrower: SignedInBorrower) -> WerkzeugResponse:
    """Keep what the borrower wishes for; hours that cannot be kept are said on the same page."""
    p = portal()
    try:
        wish = _asked()
        p.db.write(
            lambda session: log.wish(
                session,
                borrower_id=borrower.borrower_id,
                wish=wish,
                pack=jurisdictions.pack(p.settings.bank.jurisdiction),
                now=p.clock.now(),
            )
        )
    except log.BadHours:
        return _page(borrower, trouble=True)
    return redirect(url_for("borrower.contacts.page", _anchor="wishes", kept="1"), 303)


def _asked() -> Wish:
    form = request.form
    return Wish(
        no_calls="no_calls" in form,
        no_messages="no_messages" in form,
        no_visits="no_visits" in form,
        opens=_hour(form.get("opens", "")),
        closes=_hour(form.get("closes", "")),
    )


def _hour(text: str) -> time | None:
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise log.BadHours from None


def _page(borrower: SignedInBorrower, *, trouble: bool = False) -> Response:
    p = portal()
    pack = jurisdictions.pack(p.settings.bank.jurisdiction)
    now = p.clock.now()
    at = p.clock.local(now)
    number = max(1, whole_number(request.args.get("page")))
    with p.db.read() as connection:
        total = log_queries.contact_count(connection, borrower.borrower_id)
        found = log_queries.contacts_for(
            connection, p.keys, borrower.borrower_id, limit=PAGE, offset=(number - 1) * PAGE
        )
        grounds = ground.read(connection, [borrower.borrower_id], since=at - ground.reach(pack))
        holds = holds_in_force(connection, borrower.borrower_id, now=now)
    call = ground.answer(grounds, borrower.borrower_id, channel="call", number="", at=at, pack=pack)
    html = render_template(
        "borrower/contacts/page.html",
        contacts=found,
        number=number,
        pages=max(1, -(-total // PAGE)),
        total=total,
        call=call,
        holds=holds,
        hours=pack.contact_hours,
        wishes=grounds.wishes_at(borrower.borrower_id, at),
        hour_choices=_hours_of(pack.contact_hours.opens, pack.contact_hours.closes),
        complaints=next((one.number for one in pack.help_numbers if one.purpose == "complaints"), ""),
        local=p.clock.local,
        trouble=trouble,
        kept=request.args.get("kept") == "1",
    )
    return make_response(html, 422 if trouble else 200)


def _hours_of(opens: time, closes: time) -> list[str]:
    """The full hours of the law, as they are written."""
    return [f"{hour:02d}:00" for hour in range(opens.hour, closes.hour + 1)]
