"""Is this visitor ours? With the notice's code and the end of the mobile's number, before signing in.

The code alone says that the notice is ours. What kind it is, when somebody comes and who, is told only
after the last four digits of the mobile, five times a day and code; then an address that runs out shows
the words for the door. Nothing is kept in the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.access import counters
from portal.access.codes import plain_digits
from portal.notices import faces as notices
from portal.notices.tails import Tail, try_tail
from portal.notices.verification import Verdict, asked_for, verdict_on
from portal.visits import passes
from portal.visits.faces import live_notice, visit_face
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.doors import Door, door_of
from portal.web.security import network

blueprint = Blueprint("visit", __name__)

LONGEST = 200


@dataclass(frozen=True)
class Answer:
    """What came of a code and a mobile's end: a pass, or why there is none."""

    reason: str
    given_pass: str = ""
    wait_seconds: int = 0


@blueprint.get("/visit")
def page() -> str:
    """The page that takes the code; `of` is the visit whose officer's code was scanned."""
    return _form(code="", of=request.args.get("of", "")[:LONGEST])


@blueprint.post("/visit")
def ask() -> str | Response | WerkzeugResponse:
    """Lead to the visit, or say what is not right."""
    code, of = request.form.get("code", "")[:LONGEST], request.form.get("of", "")[:LONGEST]
    if not code.strip() or not request.form.get("tail", "").strip():
        return _refused(code, of, "missing")
    p = portal()
    tail = plain_digits(request.form["tail"][:LONGEST])
    answer = p.db.write(lambda session: _answer(session, code, tail, of))
    if answer.wait_seconds:
        return errors.page(429, retry_after=answer.wait_seconds)
    if not answer.given_pass:
        return _refused(code, of, answer.reason)
    return redirect(url_for("public.visit.door", given=answer.given_pass), 303)


@blueprint.get("/visit/<given>")
def door(given: str) -> str | Response | WerkzeugResponse:
    """The visit and, at its hour, the words; the address runs out."""
    shown = _door(given)
    if shown is None:
        return redirect(url_for("public.visit.page"), 303)
    return render_template("public/visit/door.html", door=shown, given=given)


@blueprint.get("/visit/<given>/photo/<int(max=999):number>")
def photo(given: str, number: int) -> Response:
    """The photograph of who comes."""
    shown = _door(given)
    if shown is None:
        abort(404)
    return shown.photo(number)


def _door(given: str) -> Door | None:
    p = portal()
    notice_id = passes.notice_of(p.keys, given, real_now=p.clock.real_now())
    if notice_id is None:
        return None
    with p.db.read() as connection:
        if not live_notice(connection, notice_id, today=p.clock.today()):
            return None
        face = visit_face(connection, notice_id)
        return None if face is None else door_of(connection, face)


def _answer(session: Session, code: str, tail: str, of: str) -> Answer:
    """One code, one end of a number: counted before it is compared."""
    p = portal()
    real_now = p.clock.real_now()
    asked = asked_for(p.keys, code)
    tried = notices.try_code(
        session, asked, keys=p.keys, network=network(), real_now=real_now, guards=guards(), tail=tail
    )
    if tried.wait_seconds:
        return Answer("wait", wait_seconds=tried.wait_seconds)
    if tried.asks_tail:
        return Answer("tail")
    verdict = verdict_on(asked, tried.face, today=p.clock.today())
    if tried.face is None or verdict != Verdict.GENUINE:
        return Answer(verdict.value)
    notice_id = tried.face.notice_id
    count = counters.count_towards(
        session, keys=p.keys, limit=guards().visit_shown, key=f"notice:{notice_id}", real_now=real_now
    )
    if count > guards().visit_shown.most:
        return Answer("often")
    found = try_tail(session, p.keys, notice_id, tail, asked_digest=asked.digest, real_now=real_now)
    if found is not Tail.FITS:
        return Answer("often" if found is Tail.OFTEN else "tail")
    face = visit_face(session, notice_id)
    if face is None:
        return Answer("no_visit")
    if of and of != face.visit_ref:
        return Answer("other_visit")
    return Answer("shown", passes.new_pass(p.keys, notice_id, real_now=real_now))


def _form(**facts: Any) -> str:
    return render_template("public/visit/page.html", **facts)


def _refused(code: str, of: str, reason: str) -> Response:
    return make_response(
        _form(code=code, of=of, reason=reason), 422 if reason in ("missing", "tail") else 200
    )
