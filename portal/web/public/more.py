"""What kind of message is it? With its code or link and the end of the mobile's number, before signing in.

The code alone says that the message is ours. After the last four digits of the mobile: a letter, a text, a call,
and of a visit its day and hour. Whose it is and what it says is told after signing in.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy.orm import Session

from portal.access.codes import plain_digits
from portal.checking import more
from portal.notices.verification import Asked, asked_for
from portal.visits.faces import VisitFace, visit_face
from portal.visits.standing import Standing
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.locale import day_text
from portal.web.security import network

blueprint = Blueprint("more", __name__)

LONGEST = 200


@dataclass(frozen=True)
class Told:
    """The answer with the visit, where it announces one."""

    more: more.More
    visit: VisitFace | None = None
    standing: Standing | None = None


@blueprint.get("/check/more")
def page() -> str:
    """The page that takes a code and the end of the mobile."""
    return _form()


@blueprint.post("/check/more")
def typed() -> str | Response:
    """What kind of message a typed code belongs to."""
    code = request.form.get("code", "")[:LONGEST]
    return _answer(asked_for(portal().keys, code), code=code)


@blueprint.get("/n/<token>/more")
def link_page(token: str) -> str:
    """The page that takes the end of the mobile for a link."""
    return _form(token=token)


@blueprint.post("/n/<token>/more")
def link(token: str) -> str | Response:
    """What kind of message a link belongs to."""
    return _answer(asked_for(portal().keys, token, link=True), token=token)


def _answer(asked: Asked, *, code: str = "", token: str = "") -> str | Response:
    tail = plain_digits(request.form.get("tail", "")[:LONGEST])
    if not tail or not (token or code.strip()):
        return make_response(_form(code=code, token=token, reason="missing"), 422)
    told = portal().db.write(lambda session: _ask(session, asked, tail))
    if told.more.wait_seconds:
        return errors.page(429, retry_after=told.more.wait_seconds)
    if told.more.reason != "shown":
        status = 422 if told.more.reason == "refused" else 200
        return make_response(_form(code=code, token=token, reason=told.more.reason), status)
    day = day_text(portal().clock.local(told.visit.starts_at).date()) if told.visit else ""
    return render_template("public/more/shown.html", told=told, day=day, reference=asked.plain)


def _ask(session: Session, asked: Asked, tail: str) -> Told:
    p = portal()
    answer = more.ask(
        session,
        asked,
        tail,
        keys=p.keys,
        network=network(),
        today=p.clock.today(),
        real_now=p.clock.real_now(),
        guards=guards(),
    )
    if answer.face is None or answer.channel != "visit":
        return Told(answer)
    visit = visit_face(session, answer.face.notice_id)
    standing = visit.standing(now=p.clock.now(), local=p.clock.local) if visit else None
    return Told(answer, visit, standing)


def _form(*, code: str = "", token: str = "", reason: str = "") -> str:
    return render_template("public/more/page.html", code=code, token=token, reason=reason)
