"""The visits page: who comes when and why, what may be done about it, and the page for the door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.contacts.queries import holds_in_force
from portal.disputes.record_queries import unanswered_for
from portal.states import NotAllowed
from portal.visits import changes
from portal.visits.changes import NoPlace, NoSuchVisit, NotFree
from portal.visits.faces import visit_face_for
from portal.visits.queries import visits_for
from portal.visits.windows import Rule, Window, rule_of
from portal.web.context import portal
from portal.web.doors import Door, door_of
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
        none_wanted = changes.wants_none(connection, borrower.borrower_id)
        unanswered = unanswered_for(connection, borrower.borrower_id)
    ahead = ("planned", "paused", "place_asked")
    coming = [visit for visit in visits if visit.state in ahead and visit.ends_at > now]
    return render_template(
        "borrower/visits/page.html",
        coming=coming,
        earlier=[visit for visit in reversed(visits) if visit not in coming],
        holds=holds,
        none_wanted=none_wanted,
        unanswered=unanswered,
        local=p.clock.local,
    )


@blueprint.get("/visits/<visit_ref>")
@borrower_only
def door(borrower: SignedInBorrower, visit_ref: str) -> str:
    """The page for the door: the words in their order, who comes, and what may be done."""
    return render_template("borrower/visits/door.html", door=_door(borrower, visit_ref))


@blueprint.get("/visits/<visit_ref>/photo/<int(max=999):number>")
@borrower_only
def photo(borrower: SignedInBorrower, visit_ref: str, number: int) -> Response:
    """The photograph of who comes."""
    return _door(borrower, visit_ref).photo(number)


@blueprint.get("/visits/<visit_ref>/change")
@borrower_only
def change(borrower: SignedInBorrower, visit_ref: str) -> Response:
    """Another window, another place, or not at all."""
    return _change_page(borrower, visit_ref)


@blueprint.post("/visits/<visit_ref>/move")
@borrower_only
def move(borrower: SignedInBorrower, visit_ref: str) -> Response | WerkzeugResponse:
    """Move the visit to a free window."""
    try:
        starts_at = datetime.fromisoformat(request.form.get("window", ""))
    except ValueError:
        return _change_page(borrower, visit_ref, _("Choose one of the times."))
    if starts_at.tzinfo is None:
        abort(400)
    return _do(
        borrower,
        visit_ref,
        lambda session, given: changes.move(
            session, starts_at=starts_at, rule=_rule(), asked_on=portal().clock.today(), **given
        ),
    )


@blueprint.post("/visits/<visit_ref>/place")
@borrower_only
def place(borrower: SignedInBorrower, visit_ref: str) -> Response | WerkzeugResponse:
    """Ask for another place."""
    wanted = request.form.get("place", "")
    return _do(
        borrower,
        visit_ref,
        lambda session, given: changes.ask_place(session, keys=portal().keys, place=wanted, **given),
    )


@blueprint.post("/visits/<visit_ref>/refuse")
@borrower_only
def refuse(borrower: SignedInBorrower, visit_ref: str) -> Response | WerkzeugResponse:
    """Not this visit."""
    return _do(borrower, visit_ref, lambda session, given: changes.refuse(session, **given))


@blueprint.post("/visits/none")
@borrower_only
def none(borrower: SignedInBorrower) -> WerkzeugResponse:
    """No visits any more, or visits again."""
    p = portal()
    verb = changes.lift_no_visits if request.form.get("wish") == "again" else changes.ask_no_visits
    p.db.write(lambda session: verb(session, borrower_id=borrower.borrower_id, now=p.clock.now()))
    return redirect(url_for("borrower.visits.page"), 303)


def _do(
    borrower: SignedInBorrower, visit_ref: str, verb: Callable[[Session, dict[str, Any]], object]
) -> Response | WerkzeugResponse:
    """One change, then the visits; what cannot be done is said on the page it was asked on."""
    p = portal()
    given = {"borrower_id": borrower.borrower_id, "visit_ref": visit_ref, "now": p.clock.now()}
    try:
        p.db.write(lambda session: verb(session, given))
    except NoSuchVisit:
        abort(404)
    except NotFree:
        return _change_page(borrower, visit_ref, _("That time has just been taken. Choose another."))
    except NoPlace:
        return _change_page(borrower, visit_ref, _("Write where you would like to meet, in a line or two."))
    except NotAllowed:
        return _change_page(borrower, visit_ref, _("That cannot be done any more: the visit has changed."))
    return redirect(url_for("borrower.visits.page"), 303)


def _change_page(borrower: SignedInBorrower, visit_ref: str, problem: str = "") -> Response:
    p = portal()
    with p.db.read() as connection:
        face = visit_face_for(connection, borrower.borrower_id, visit_ref)
        if face is None:
            abort(404)
        windows = changes.windows_for(
            connection,
            borrower.borrower_id,
            visit_ref,
            rule=_rule(),
            asked_on=p.clock.today(),
            now=p.clock.now(),
        )
    shown = render_template(
        "borrower/visits/change.html",
        face=face,
        problem=problem,
        days=_by_day(windows),
        is_on=face.state == "planned" and face.ends_at > p.clock.now(),
    )
    return make_response(shown, 422 if problem else 200)


def _by_day(windows: tuple[Window, ...]) -> dict[Any, list[Window]]:
    days: dict[Any, list[Window]] = {}
    for window in windows:
        days.setdefault(portal().clock.local(window.starts_at).date(), []).append(window)
    return days


def _door(borrower: SignedInBorrower, visit_ref: str) -> Door:
    with portal().db.read() as connection:
        face = visit_face_for(connection, borrower.borrower_id, visit_ref)
        if face is None:
            abort(404)
        return door_of(connection, face)


def _rule() -> Rule:
    p = portal()
    pack = jurisdictions.pack(p.settings.bank.jurisdiction)
    return rule_of(pack, p.working_days.is_holiday, p.clock.zone)
