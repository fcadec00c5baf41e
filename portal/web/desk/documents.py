"""Papers on the desk: rendered pages for reviewers, each opening on record, and the verdict on each paper."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.audit import Actor
from portal.documents import operations
from portal.documents.operations import NoSuchDocument
from portal.states import NotAllowed
from portal.web.context import portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("documents", __name__)

#: Headers of a rendered page: a picture of ours and nothing else, for these eyes only.
PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
    "Content-Disposition": "inline",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@blueprint.get("/documents/<public_ref>/pages/<int:number>")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff, public_ref: str, number: int) -> Response:
    """One page as pixels; that this person opened it is written down."""
    p = portal()
    try:
        sealed = p.db.write(
            lambda session: operations.page_for_reviewer(
                session, public_ref=public_ref, number=number, actor=_actor(staff), now=p.clock.now()
            )
        )
    except NoSuchDocument:
        abort(404)
    response = make_response(operations.open_page(p.store, p.keys, sealed))
    response.mimetype = "image/jpeg"
    response.headers.update(PICTURE_HEADERS)
    return response


@blueprint.post("/documents/<public_ref>/accept")
@staff_only("reviewer", "supervisor")
def accept(staff: SignedInStaff, public_ref: str) -> WerkzeugResponse:
    """The paper can be used."""
    now = portal().clock.now()
    return _judged(
        lambda session: operations.accept(session, public_ref=public_ref, actor=_actor(staff), now=now)
    )


@blueprint.post("/documents/<public_ref>/unsuitable")
@staff_only("reviewer", "supervisor")
def unsuitable(staff: SignedInStaff, public_ref: str) -> WerkzeugResponse:
    """The paper cannot be used, for one of the reasons the borrower is told."""
    now = portal().clock.now()
    reason = request.form.get("reason", "")
    return _judged(
        lambda session: operations.mark_unsuitable(
            session, public_ref=public_ref, reason=reason, actor=_actor(staff), now=now
        )
    )


def _judged(unit: Callable[[Session], None]) -> WerkzeugResponse:
    """Do it and go back to the case (`case`, its reference), or to the queue."""
    try:
        portal().db.write(unit)
    except NoSuchDocument:
        abort(404)
    except NotAllowed:
        abort(409)
    except ValueError:
        abort(400)
    case = request.form.get("case", "")
    if case:
        return redirect(url_for("desk.cases.page", reference=case), 303)
    return redirect(url_for("desk.queue.page"), 303)


def _actor(staff: SignedInStaff) -> Actor:
    return Actor("staff", str(staff.staff_id))
