"""Visits at the desk: today's, places asked for, and the words for somebody who rings the bank."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.audit import Actor
from portal.states import NotAllowed
from portal.visits import changes, desk
from portal.visits.changes import NoSuchVisit
from portal.visits.words import Words
from portal.web.context import portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("visits", __name__)


@blueprint.get("/visits")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """Today's visits, those that wait for an answer first."""
    return _page(staff)


@blueprint.post("/visits/<visit_ref>/words")
@staff_only("reviewer", "supervisor")
def words(staff: SignedInStaff, visit_ref: str) -> str:
    """Show both words of one visit; that somebody looked is recorded."""
    p = portal()
    try:
        told = p.db.write(
            lambda session: desk.tell_words(
                session, keys=p.keys, visit_ref=visit_ref, actor=_actor(staff), now=p.clock.now()
            )
        )
    except NoSuchVisit:
        abort(404)
    return _page(staff, told_ref=visit_ref, told=told)


@blueprint.post("/visits/<visit_ref>/place")
@staff_only("reviewer", "supervisor")
def place(staff: SignedInStaff, visit_ref: str) -> Response | str:
    """Agree to the place asked for, or call the visit off."""
    verb: Callable[..., None] = (
        changes.agree_place if request.form.get("answer") == "agree" else changes.decline_place
    )
    p = portal()

    def unit(session: Session) -> None:
        verb(session, visit_ref=visit_ref, actor=_actor(staff), now=p.clock.now())

    try:
        p.db.write(unit)
    except NoSuchVisit:
        abort(404)
    except NotAllowed:
        return _page(staff, problem=True)
    return redirect(url_for("desk.visits.page"), 303)


def _page(
    staff: SignedInStaff, *, told_ref: str = "", told: Words | None = None, problem: bool = False
) -> str:
    p = portal()
    start = datetime.combine(p.clock.today(), time(), ZoneInfo(p.clock.zone))
    facts: dict[str, Any] = {"told_ref": told_ref, "told": told, "problem": problem}
    with p.db.read() as connection:
        visits = desk.visits_of_day(
            connection, p.keys, day=(start, start + timedelta(days=1)), now=p.clock.now()
        )
    return render_template("desk/visits/page.html", staff=staff, visits=visits, **facts)


def _actor(staff: SignedInStaff) -> Actor:
    return Actor("staff", str(staff.staff_id))
