"""Codes that may have been copied: the notices that wait, and the answer that lifts the warning or replaces the code."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.audit import Actor
from portal.copies import operations as copies
from portal.copies import queries as copy_queries
from portal.copies.operations import Telling, Word
from portal.documents.card_numbers import has_card_number
from portal.intake.queries import demonstration_batches
from portal.notices.operations import Sending
from portal.web.context import guards, portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("copied", __name__)


@blueprint.get("/copied")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The notices that wait for an answer, the longest first; what was just answered."""
    p = portal()
    with p.db.read() as connection:
        rows = copy_queries.copied_rows(connection, p.keys)
    return render_template(
        "desk/copied/page.html", staff=staff, tab="fakes", rows=rows, done=request.args.get("done", "")
    )


@blueprint.get("/copied/<int(max=999999999999):notice_id>")
@staff_only("reviewer", "supervisor")
def notice(staff: SignedInStaff, notice_id: int) -> WerkzeugResponse:
    """One notice."""
    return _notice(staff, notice_id, "")


@blueprint.post("/copied/<int(max=999999999999):notice_id>")
@staff_only("reviewer", "supervisor")
def answer(staff: SignedInStaff, notice_id: int) -> WerkzeugResponse:
    """It was the household, or the code is replaced; as it was seen."""
    p, action, note = portal(), request.form.get("action", ""), request.form.get("note", "")
    seen_at = _instant(request.form.get("seen_at", ""))
    if action not in ("clear", "reissue") or seen_at is None:
        abort(400)
    if has_card_number(note):
        return _notice(staff, notice_id, "card_number")
    telling = _telling()
    word = Word(note, staff.staff_ref, Actor("staff", staff.staff_ref), p.clock.now())

    def unit(session: Session) -> None:
        asked: dict[str, Any] = {"keys": p.keys, "notice_id": notice_id, "seen_at": seen_at, "word": word}
        if action == "clear":
            copies.clear(session, guards=guards(), **asked)
        else:
            copies.reissue(session, telling=telling, real_now=p.clock.real_now(), **asked)

    try:
        p.db.write(unit)
    except copies.CannotAnswer as error:
        return _notice(staff, notice_id, error.reason)
    return redirect(url_for("desk.copied.page", done=action), 303)


def _telling() -> Telling:
    p = portal()
    bank = p.settings.bank
    sending = Sending(
        base_url=p.settings.base_url.rstrip("/"),
        links_in_sms=bank.links_in_sms,
        zone=bank.zone,
        signature=bank.sms_signature,
        host=bank.host,
        phone=bank.phone,
    )
    with p.db.read() as connection:
        return Telling(sending, demonstration_batches(connection))


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    return at if at.tzinfo else None


def _notice(staff: SignedInStaff, notice_id: int, trouble: str) -> WerkzeugResponse:
    p = portal()
    with p.db.read() as connection:
        detail = copy_queries.copied_detail(connection, p.keys, notice_id)
    if detail is None:
        return redirect(url_for("desk.copied.page", done="gone"), 303) if trouble else _gone()
    html = render_template(
        "desk/copied/notice.html",
        staff=staff,
        tab="fakes",
        detail=detail,
        trouble=trouble,
        note="" if trouble == "card_number" else request.form.get("note", ""),
        more=guards().more_networks,
        most=guards().networks.most,
        ended=detail.row.status != "live" or detail.row.expires_on < p.clock.today(),
    )
    return make_response(html, {"": 200, "meanwhile": 409, "ended": 409}.get(trouble, 422))


def _gone() -> Response:
    abort(404)
