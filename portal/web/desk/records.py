"""Records of visits at the desk: what is missing or late, what is contradicted, and officers in sum."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, abort, render_template, request

from portal.disputes import desk
from portal.disputes.record import RATINGS
from portal.disputes.record_queries import story_at_desk
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("records", __name__)

#: Visits a page.
PAGE = 100
#: How far back officers are summed up.
SUMMED = timedelta(days=180)


@blueprint.get("/records")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The list, those that contradict first; the supervisor also sees each officer in sum."""
    p = portal()
    now = p.clock.now()
    show = request.args.get("show", desk.SHOWN[0])
    show = show if show in desk.SHOWN else desk.SHOWN[0]
    number = max(1, whole_number(request.args.get("page")))
    with p.db.read() as connection:
        rows = desk.record_rows(
            connection, p.keys, show=show, now=now, limit=PAGE + 1, offset=(number - 1) * PAGE
        )
        counts = desk.counts(connection, now=now)
        sums = (
            desk.officer_sums(connection, since=now - SUMMED, now=now) if staff.role == "supervisor" else ()
        )
    return render_template(
        "desk/records/page.html",
        staff=staff,
        tab="visits",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        number=number,
        show=show,
        shown=desk.SHOWN,
        counts=counts,
        sums=sums,
        ratings=RATINGS,
        days=SUMMED.days,
        today=p.clock.today(),
        local=p.clock.local,
    )


@blueprint.get("/records/<visit_ref>")
@staff_only("reviewer", "supervisor")
def one(staff: SignedInStaff, visit_ref: str) -> str:
    """One visit: the officer's record and the borrower's answer side by side."""
    p = portal()
    with p.db.read() as connection:
        story = story_at_desk(connection, p.keys, p.ring, visit_ref) or abort(404)
    return render_template("desk/records/one.html", staff=staff, tab="visits", story=story)
