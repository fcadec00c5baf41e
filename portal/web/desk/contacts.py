"""Contacts that broke a rule: the supervisor's queue, and what was done about each."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.contacts import log, log_queries
from portal.contacts.lifecycle import BreachAction, BreachState
from portal.documents.card_numbers import has_card_number
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("contacts", __name__)

#: Breaches a page.
PAGE = 100


@blueprint.get("/contacts")
@staff_only("supervisor")
def page(staff: SignedInStaff) -> str:
    """Breaches by state, kind and agency; those that nobody worked yet unless asked otherwise."""
    p = portal()
    state = request.args.get("state", BreachState.OPEN)
    number = max(1, whole_number(request.args.get("page")))
    chosen = {
        "state": "" if state == "all" else state[:8],
        "kind": request.args.get("kind", "")[:24],
        "agency_ref": request.args.get("agency", "")[:16],
    }
    with p.db.read() as connection:
        rows = log_queries.breach_rows(
            connection, p.keys, **chosen, limit=PAGE + 1, offset=(number - 1) * PAGE
        )
        counts = log_queries.breach_counts(connection)
        kinds, agencies = log_queries.breach_choices(connection)
    return render_template(
        "desk/contacts/page.html",
        staff=staff,
        tab="contacts",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        number=number,
        counts=counts,
        kinds=kinds,
        agencies=agencies,
        chosen=chosen | {"state": state},
    )


@blueprint.get("/contacts/<int(max=999999999999):breach_id>")
@staff_only("supervisor")
def breach(staff: SignedInStaff, breach_id: int) -> Response:
    """One breach: the contact, the rule with its source, and what was done."""
    return _breach(staff, breach_id, "")


@blueprint.post("/contacts/<int(max=999999999999):breach_id>")
@staff_only("supervisor")
def work(staff: SignedInStaff, breach_id: int) -> WerkzeugResponse:
    """Note it, or write down that the agency was told."""
    p = portal()
    note = request.form.get("note", "")
    if request.form.get("action") not in tuple(BreachAction):
        abort(400)
    if has_card_number(note):
        return _breach(staff, breach_id, "card_number")
    try:
        p.db.write(
            lambda session: log.work_breach(
                session,
                keys=p.keys,
                breach_id=breach_id,
                action=BreachAction(request.form["action"]),
                note=note,
                staff_ref=staff.staff_ref,
                now=p.clock.now(),
            )
        )
    except log.CannotWork as error:
        return _breach(staff, breach_id, error.reason)
    return redirect(url_for("desk.contacts.breach", breach_id=breach_id), 303)


def _breach(staff: SignedInStaff, breach_id: int, trouble: str) -> Response:
    p = portal()
    with p.db.read() as connection:
        row = log_queries.breach_row(connection, p.keys, breach_id) or abort(404)
    html = render_template(
        "desk/contacts/breach.html",
        staff=staff,
        tab="contacts",
        row=row,
        trouble=trouble,
        note="" if trouble == "card_number" else request.form.get("note", ""),
    )
    return make_response(html, 409 if trouble == "gone" else 422 if trouble else 200)
