"""Complaints at the desk: the queue by its clock, one page, and each step; more time needs a second person."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.disputes import operations
from portal.disputes.complaint_queries import complaint_at_desk, counts, desk_rows
from portal.disputes.complaints import ABOUT, LONGEST, outcomes_of
from portal.disputes.deadlines import times_of
from portal.disputes.lifecycle import LIFECYCLE, Action, State
from portal.disputes.operations import House, Staff, Step, UnableToAct
from portal.disputes.telling import Teller
from portal.jurisdictions import Jurisdiction
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("complaints", __name__)

#: Complaints a page.
PAGE = 100
_FILTERS = ("open", "all", "late", *State)


@blueprint.get("/complaints")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The queue, what is due first in front; the filters stay in the address."""
    p = portal()
    today, args = p.clock.today(), request.args
    state = args.get("state", "open")
    state = state if state in _FILTERS else "open"
    about = args.get("about", "") if args.get("about") in ABOUT else ""
    number = max(1, whole_number(args.get("page")))
    with p.db.read() as connection:
        rows = desk_rows(
            connection,
            p.keys,
            state="" if state in ("all", "late") else state,
            about=about,
            conduct=args.get("conduct") == "1",
            before=today if state == "late" else None,
            limit=PAGE + 1,
            offset=(number - 1) * PAGE,
        )
        found = counts(connection, today=today)
    return render_template(
        "desk/complaints/page.html",
        staff=staff,
        tab="complaints",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        number=number,
        chosen={"state": state, "about": about, "conduct": args.get("conduct", "")[:1]},
        counts=found,
        abouts=ABOUT,
        today=today,
    )


@blueprint.get("/complaints/<reference>")
@staff_only("reviewer", "supervisor")
def one(staff: SignedInStaff, reference: str) -> Response:
    """One complaint: what was said, its clock, and the steps that this person may take."""
    return _one(staff, reference)


@blueprint.post("/complaints/<reference>")
@says_so_itself
@staff_only("reviewer", "supervisor")
def act(staff: SignedInStaff, reference: str) -> Response | WerkzeugResponse:
    """One step on the version that was seen; what was typed stays where it cannot be taken."""
    p, form = portal(), request.form
    if form.get("action") not in tuple(Action):
        abort(400)
    step = Step(
        Action(form["action"]),
        whole_number(form.get("version")),
        form.get("text", "")[: LONGEST * 2],
        form.get("outcome", "")[:12],
    )
    who = Staff(staff.staff_id, staff.staff_ref, staff.human_ref, staff.role)
    try:
        p.db.write(
            lambda session: operations.act(
                session, house=_house(), reference=reference, staff=who, step=step, now=p.clock.now()
            )
        )
    except UnableToAct as error:
        if error.reason == "gone":
            abort(404)
        return _one(staff, reference, error.reason)
    return redirect(url_for("desk.complaints.one", reference=reference), 303)


def _house() -> House:
    p = portal()
    bank = p.settings.bank
    teller = Teller(bank.host, p.settings.is_demonstration, p.clock.real_now())
    return House(p.keys, _pack(), ZoneInfo(p.clock.zone), teller)


def _pack() -> Jurisdiction:
    return jurisdictions.pack(portal().settings.bank.jurisdiction)


def _one(staff: SignedInStaff, reference: str, trouble: str = "") -> Response:
    p, times = portal(), times_of(_pack())
    with p.db.read() as connection:
        view = complaint_at_desk(connection, p.keys, reference) or abort(404)
    may = {action for action in Action if LIFECYCLE.allows(State(view.state), action)}
    if times.complex is None or view.track == "complex":
        may.discard(Action.WIDEN)
    if times.extension is None:
        may.discard(Action.ASK_TIME)
    is_second = staff.role == "supervisor" and view.asked_by != staff.human_ref
    if not is_second:
        may -= {Action.APPROVE, Action.REFUSE}
    html = render_template(
        "desk/complaints/one.html",
        staff=staff,
        tab="complaints",
        view=view,
        may=may,
        times=times,
        outcomes=outcomes_of(view.about),
        today=p.clock.today(),
        trouble=trouble,
        typed=request.form if trouble else {},
        longest=LONGEST,
    )
    status = {"": 200, "meanwhile": 409, "same_person": 403}.get(trouble, 422)
    return make_response(html, status)
