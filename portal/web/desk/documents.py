"""Papers on the desk: rendered pages for reviewers, each opening on record. The case screen judges them."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from portal.audit import Actor
from portal.documents import operations
from portal.documents.operations import NoSuchDocument
from portal.web.context import portal
from portal.web.pictures import picture_response
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("documents", __name__)


@blueprint.get("/documents/<public_ref>/pages/<int(max=999):number>")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff, public_ref: str, number: int) -> Response:
    """One page as pixels; that this person opened it is written down."""
    p = portal()
    actor = Actor("staff", staff.staff_ref)
    try:
        sealed = p.db.write(
            lambda session: operations.page_for_reviewer(
                session, public_ref=public_ref, number=number, actor=actor, now=p.clock.now()
            )
        )
    except NoSuchDocument:
        abort(404)
    return picture_response(operations.open_page(p.store, p.keys, sealed))
