"""Networks that checked many codes of ours: an office, or somebody with a list; looked at and answered."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.audit import Actor
from portal.copies import operations as copies
from portal.copies import queries as copy_queries
from portal.copies.operations import Word
from portal.documents.card_numbers import has_card_number
from portal.notices.lifecycle import NetworkAction
from portal.web.context import guards, portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("networks", __name__)

_ACTIONS = (NetworkAction.SHARE, NetworkAction.DISTRUST)


@blueprint.get("/networks")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The networks that wait for an answer, the longest first; or those answered."""
    answered = request.args.get("show") == "answered"
    with portal().db.read() as connection:
        rows = copy_queries.network_rows(connection, answered=answered)
    return render_template(
        "desk/networks/page.html", staff=staff, tab="fakes", rows=rows, answered=answered, most=_most()
    )


@blueprint.get("/networks/<int(max=999999999999):network_id>")
@staff_only("reviewer", "supervisor")
def network(staff: SignedInStaff, network_id: int) -> Response:
    """One network, and the notices it asked about."""
    return _network(staff, network_id, "")


@blueprint.post("/networks/<int(max=999999999999):network_id>")
@staff_only("reviewer", "supervisor")
def answer(staff: SignedInStaff, network_id: int) -> WerkzeugResponse:
    """Many people stand behind it, or somebody has a list of our codes."""
    p, form = portal(), request.form
    note, version = form.get("note", ""), form.get("version", "")
    if form.get("action") not in _ACTIONS or not version.isdecimal():
        abort(400)
    if has_card_number(note):
        return _network(staff, network_id, "card_number")
    word = Word(note, staff.staff_ref, Actor("staff", staff.staff_ref), p.clock.now())
    try:
        p.db.write(
            lambda session: copies.judge_network(
                session,
                keys=p.keys,
                network_id=network_id,
                action=NetworkAction(form["action"]),
                version=int(version[:18]),
                word=word,
                guards=guards(),
            )
        )
    except copies.CannotAnswer as error:
        return _network(staff, network_id, error.reason)
    return redirect(url_for("desk.networks.network", network_id=network_id), 303)


def _most() -> int:
    return guards().real_codes.most


def _network(staff: SignedInStaff, network_id: int, trouble: str) -> Response:
    p = portal()
    with p.db.read() as connection:
        detail = copy_queries.network_detail(connection, p.keys, network_id)
    if detail is None:
        abort(404)
    html = render_template(
        "desk/networks/network.html",
        staff=staff,
        tab="fakes",
        detail=detail,
        trouble=trouble,
        note="" if trouble == "card_number" else request.form.get("note", ""),
        most=_most(),
        days=guards().shared_for.days,
    )
    return make_response(html, {"": 200, "meanwhile": 409}.get(trouble, 422))
