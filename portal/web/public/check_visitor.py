"""The public answer on somebody at the door: confirmed for this notice and today, or not."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request

from portal.notices.verification import asked_for
from portal.visits import verifying
from portal.visits.verifying import LONGEST, Claimed
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.public import still, tail
from portal.web.security import network

blueprint = Blueprint("check_visitor", __name__)

_LENGTHS = {"staff": LONGEST, "agency": LONGEST, "code": 200}


@blueprint.get("/check/visitor")
def page() -> str:
    """The page that takes what the visitor says through the door."""
    return still.page("public/check/visitor.html", shown=_typed(), error="")


@blueprint.post("/check/visitor")
def asked() -> str | Response:
    """Whether this visitor is announced; a name only when everything fits."""
    typed = _typed()
    for needed in ("staff", "code"):
        if not typed[needed].strip():
            return make_response(still.page("public/check/visitor.html", shown=typed, error=needed), 422)
    p = portal()
    claimed = Claimed(typed["staff"], typed["agency"], asked_for(p.keys, typed["code"]))
    answer = p.db.write(
        lambda session: verifying.ask(
            session,
            claimed,
            keys=p.keys,
            network=network(),
            local=p.clock.local,
            now=p.clock.now(),
            real_now=p.clock.real_now(),
            guards=guards(),
            tail=tail.given(),
        )
    )
    if answer.wait_seconds:
        return errors.page(429, retry_after=answer.wait_seconds)
    if answer.asks_tail:
        return tail.page(answer)
    return render_template(
        "public/check/visitor_found.html", answer=answer, said=answer.said.value, typed=typed
    )


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "")[:length] for name, length in _LENGTHS.items()}
