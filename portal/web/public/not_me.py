"""*This is not me*: one tap on a verdict, or a typed code; messages to that number stop at once."""

from __future__ import annotations

from flask import Blueprint, Response, request

from portal.notices import faces
from portal.notices.verification import asked_for
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.public import still, tail
from portal.web.security import network

blueprint = Blueprint("not_me", __name__)


@blueprint.get("/not-me")
def page() -> str:
    """The page for somebody who comes without a verdict: it takes the code."""
    return still.page("public/not_me/page.html", shown={"typed": ""}, unknown=False)


@blueprint.post("/not-me")
def report() -> str | Response:
    """Keep the report. A wrong code is counted and answered as on the check page."""
    p, text = portal(), request.form.get("reference", "")[:200]
    asked, where = asked_for(p.keys, text), network()
    tried = p.db.write(
        lambda session: faces.try_code(
            session,
            asked,
            keys=p.keys,
            network=where,
            real_now=p.clock.real_now(),
            guards=guards(),
            tail=tail.given(),
        )
    )
    if tried.wait_seconds:
        return errors.page(429, retry_after=tried.wait_seconds)
    if tried.asks_tail:
        return tail.page(tried)
    if tried.face is None:
        return still.page("public/not_me/page.html", shown={"typed": text}, unknown=True)
    face = tried.face
    p.db.write(
        lambda session: faces.report_wrong_person(
            session, face, keys=p.keys, network=where, now=p.clock.now()
        )
    )
    return still.page("public/not_me/done.html", shown={"tail": face.mobile_tail})
