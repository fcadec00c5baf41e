"""Reports of fakes at the desk: groups, what is suspect in them, one decision at a time."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.audit import Actor
from portal.contacts import wrong_number_queries
from portal.copies import queries as copy_queries
from portal.fakes import queries
from portal.fakes.lifecycle import GroupAction
from portal.fakes.masking import masked, unclickable
from portal.fakes.operations import LONGEST_NOTE, LONGEST_TEXT, UnableToDecide, Word, decide
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.published import published
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("fakes", __name__)

_ACTIONS = (GroupAction.CONFIRM, GroupAction.CLEAR, GroupAction.OWN, GroupAction.REOPEN)


@blueprint.get("/fakes")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The groups that wait, those with most reports first; or those decided."""
    p, decided = portal(), request.args.get("show") == "decided"
    with p.db.read() as connection:
        rows = queries.queue(connection, p.keys, decided=decided)
        waiting, copied = queries.open_count(connection), copy_queries.copied_count(connection)
        networks = copy_queries.network_count(connection)
        wrong_numbers = wrong_number_queries.waiting(connection)
    return render_template(
        "desk/fakes/page.html",
        staff=staff,
        tab="fakes",
        rows=rows,
        decided=decided,
        waiting=waiting,
        copied=copied,
        networks=networks,
        wrong_numbers=wrong_numbers,
    )


@blueprint.get("/fakes/<int(max=999999999999):group_id>")
@staff_only("reviewer", "supervisor")
def group(staff: SignedInStaff, group_id: int) -> str:
    """One group."""
    return _group(staff, group_id)


@blueprint.post("/fakes/<int(max=999999999999):group_id>")
@staff_only("reviewer", "supervisor")
@says_so_itself
def decision(staff: SignedInStaff, group_id: int) -> Response | WerkzeugResponse:
    """Decide on the group as it was seen; what was typed stays where somebody was faster."""
    p = portal()
    word = _word()
    try:
        p.db.write(
            lambda session: decide(
                session,
                keys=p.keys,
                group_id=group_id,
                word=word,
                staff_ref=staff.staff_ref,
                actor=Actor("staff", str(staff.staff_id)),
                now=p.clock.now(),
            )
        )
    except UnableToDecide as error:
        if error.reason == "gone":
            abort(404)
        status = 409 if error.reason == "meanwhile" else 422
        return make_response(_group(staff, group_id, error.reason), status)
    return redirect(url_for("desk.fakes.group", group_id=group_id), 303)


@blueprint.get("/fakes/pictures/<int(max=999999999999):report_id>.jpg")
@staff_only("reviewer", "supervisor")
def picture(staff: SignedInStaff, report_id: int) -> Response:
    """The picture of a report."""
    p = portal()
    with p.db.read() as connection:
        jpeg = queries.picture(connection, p.keys, report_id)
    if jpeg is None:
        abort(404)
    return Response(jpeg, mimetype="image/jpeg")


def _group(staff: SignedInStaff, group_id: int, trouble: str = "") -> str:
    p, ours = portal(), published()
    with p.db.read() as connection:
        detail = queries.group(connection, p.keys, group_id, published=ours)
    if detail is None:
        abort(404)
    typed = request.form if trouble else None
    return render_template(
        "desk/fakes/group.html",
        staff=staff,
        tab="fakes",
        detail=detail,
        trouble=trouble,
        note=typed.get("note", "")[:LONGEST_NOTE] if typed else "",
        words=typed.get("words", "")[:LONGEST_TEXT] if typed else masked(_first_words(detail)),
        unclickable=unclickable,
    )


def _first_words(detail: queries.GroupDetail) -> str:
    return next((view.text for view in reversed(detail.reports) if view.text), "")


def _word() -> Word:
    form = request.form
    action = form.get("action", "")
    if action not in _ACTIONS or not form.get("version", "").isdecimal():
        abort(400)
    return Word(
        action=GroupAction(action),
        version=int(form["version"][:18]),
        note=form.get("note", "")[:LONGEST_NOTE],
        text=form.get("words", "")[:LONGEST_TEXT],
        links=tuple(sorted(set(form.getlist("links"))))[:50],
        numbers=tuple(sorted(set(form.getlist("numbers"))))[:50],
    )
