"""*This is not me*: the reports that wait for the bank's answer, and what it answered."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.audit import Actor
from portal.contacts import wrong_number_queries, wrong_numbers
from portal.contacts.lifecycle import NumberAction
from portal.contacts.wrong_number_queries import NumberRow
from portal.documents.card_numbers import has_card_number
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("wrong_numbers", __name__)

#: Reports a page.
PAGE = 100
_ACTIONS = (NumberAction.CORRECT, NumberAction.KEEP, NumberAction.BAR)


@blueprint.get("/wrong-numbers")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The reports that wait, the longest first; or those answered."""
    p, answered = portal(), request.args.get("show") == "answered"
    number = max(1, whole_number(request.args.get("page")))
    with p.db.read() as connection:
        rows = wrong_number_queries.number_rows(
            connection, p.keys, answered=answered, limit=PAGE + 1, offset=(number - 1) * PAGE
        )
        waiting = wrong_number_queries.waiting(connection)
    return render_template(
        "desk/wrong_numbers/page.html",
        staff=staff,
        tab="fakes",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        number=number,
        answered=answered,
        waiting=waiting,
        due=_due,
        today=p.clock.today(),
    )


@blueprint.get("/wrong-numbers/<int(max=999999999999):number_id>")
@staff_only("reviewer", "supervisor")
def number(staff: SignedInStaff, number_id: int) -> Response:
    """One reported number."""
    return _number(staff, number_id, "")


@blueprint.post("/wrong-numbers/<int(max=999999999999):number_id>")
@staff_only("reviewer", "supervisor")
def answer(staff: SignedInStaff, number_id: int) -> WerkzeugResponse:
    """Answer the report as it was seen; what was typed stays where somebody was faster."""
    p, form = portal(), request.form
    note, version = form.get("note", ""), form.get("version", "")
    if form.get("action") not in _ACTIONS or not version.isdecimal():
        abort(400)
    if has_card_number(note):
        return _number(staff, number_id, "card_number")
    try:
        p.db.write(
            lambda session: wrong_numbers.answer(
                session,
                keys=p.keys,
                number_id=number_id,
                action=NumberAction(form["action"]),
                version=int(version[:18]),
                note=note,
                staff_ref=staff.staff_ref,
                actor=Actor("staff", staff.staff_ref),
                now=p.clock.now(),
            )
        )
    except wrong_numbers.CannotAnswer as error:
        return _number(staff, number_id, error.reason)
    return redirect(url_for("desk.wrong_numbers.number", number_id=number_id), 303)


def _due(row: NumberRow) -> date:
    """The last day of the promise: so many working days after the report."""
    p = portal()
    day = p.clock.local(row.since).date()
    return p.working_days.add(day, p.settings.bank.checks.wrong_number_working_days)


def _number(staff: SignedInStaff, number_id: int, trouble: str) -> Response:
    p = portal()
    with p.db.read() as connection:
        detail = wrong_number_queries.number_detail(connection, p.keys, number_id)
    if detail is None:
        abort(404)
    html = render_template(
        "desk/wrong_numbers/number.html",
        staff=staff,
        tab="fakes",
        detail=detail,
        trouble=trouble,
        note="" if trouble == "card_number" else request.form.get("note", ""),
        due=_due(detail.row),
        today=p.clock.today(),
    )
    return make_response(html, {"": 200, "meanwhile": 409}.get(trouble, 422))
