"""The daily reconciliation on the desk: the days, one day's equation and differences, and the work on one."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.payments.checkout import ProviderUnavailable, books_of
from portal.payments.lifecycle import DifferenceAction
from portal.reconciliation import differences
from portal.reconciliation import queries as reconciliation_queries
from portal.reconciliation.differences import UnableToWork, Work
from portal.reconciliation.operations import run_day
from portal.reconciliation.queries import DifferenceDetail
from portal.transfers.suspense import Person
from portal.transfers.suspense_queries import suspense_count
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("reconciliation", __name__)

#: What reached nobody in time is a conflict; the rest was typed wrongly.
_CONFLICTS = {"stale": 409, "state": 409, "kept_already": 409}


@blueprint.get("/reconciliation")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The days compared, the newest first."""
    with portal().db.read() as connection:
        days = reconciliation_queries.days(connection)
        unplaced = suspense_count(connection)
    return render_template(
        "desk/reconciliation/page.html",
        staff=staff,
        tab="reconciliation",
        days=days,
        unplaced=unplaced,
        today=portal().clock.today(),
        silent="silent" in request.args,
    )


@blueprint.post("/reconciliation/run")
@staff_only("reviewer", "supervisor")
def run(staff: SignedInStaff) -> WerkzeugResponse:
    """Compare a day now; again rewrites it."""
    day = _day(request.form.get("day", ""))
    if day is None or day > portal().clock.today():
        abort(400)
    try:
        run_day(portal(), day)
    except ProviderUnavailable:
        return redirect(url_for("desk.reconciliation.page", silent=1), 303)
    currency = portal().settings.bank.currency
    return redirect(url_for("desk.reconciliation.day", day=day.isoformat(), currency=currency), 303)


@blueprint.get("/reconciliation/<day>/<currency>")
@staff_only("reviewer", "supervisor")
def day(staff: SignedInStaff, day: str, currency: str) -> str:
    """One day: both sides of the equation, the core's side, and every difference."""
    wanted = _day(day)
    if wanted is None:
        abort(404)
    with portal().db.read() as connection:
        found = reconciliation_queries.day_of(connection, wanted, currency)
    if found is None:
        abort(404)
    return render_template(
        "desk/reconciliation/day.html",
        staff=staff,
        tab="reconciliation",
        view=found[0],
        differences=found[1],
        all="all" in request.args,
    )


@blueprint.get("/reconciliation/differences/<reference>")
@staff_only("reviewer", "supervisor")
def difference(staff: SignedInStaff, reference: str) -> Response:
    """One difference, what it means, and what can be done."""
    return _difference(staff, reference)


@blueprint.post("/reconciliation/differences/<reference>")
@staff_only("reviewer", "supervisor")
def work(staff: SignedInStaff, reference: str) -> WerkzeugResponse:
    """Do something about it. Who worked on an older state of it is told, and what was typed is kept."""
    p, action = portal(), request.form.get("action", "")
    if action not in set(DifferenceAction):
        return _difference(staff, reference, "action")
    wanted = Work(
        reference=reference,
        version=whole_number(request.form.get("version")),
        action=DifferenceAction(action),
        note=request.form.get("note", ""),
        other=request.form.get("other", "")[:20] if action == DifferenceAction.MATCH else "",
    )
    person, books = Person(staff.staff_id, staff.staff_ref, staff.human_ref), books_of(p)
    try:
        p.db.write(lambda session: differences.work(session, work=wanted, person=person, books=books))
    except UnableToWork as error:
        return _difference(staff, reference, error.reason)
    return redirect(url_for("desk.reconciliation.difference", reference=reference), 303)


def _difference(staff: SignedInStaff, reference: str, trouble: str = "") -> Response:
    with portal().db.read() as connection:
        detail = reconciliation_queries.difference_of(connection, reference)
    if detail is None:
        abort(404)
    html = render_template(
        "desk/reconciliation/difference.html",
        staff=staff,
        tab="reconciliation",
        detail=detail,
        view=detail.view,
        trouble=trouble,
        **_typed(trouble, detail),
    )
    return make_response(html, _CONFLICTS.get(trouble, 422) if trouble else 200)


def _typed(trouble: str, detail: DifferenceDetail) -> dict[str, Any]:
    """What was typed, shown again; never a card number."""
    note = "" if trouble == "card_number" else request.form.get("note", "")
    return {
        "note": note,
        "action": request.form.get("action", ""),
        "other": request.form.get("other", ""),
        "what": detail.view.facts.get("what", "charge"),
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
