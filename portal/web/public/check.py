"""The public verdict: is what somebody holds one of ours? By link (GET) and by typed code (POST).

A GET never counts, spends or signs in. Every verdict has status 200, the same headers and the same
work behind it; nothing but the public face of a notice is read.
"""

from __future__ import annotations

import re
import unicodedata

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.access.codes import grouped, reference_from
from portal.notices import faces
from portal.notices.verification import Asked, Face, Verdict, asked_for, verdict_on
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.locale import day_text, moment_text
from portal.web.public import check_text, still, tail
from portal.web.security import network

blueprint = Blueprint("check", __name__)

#: Nobody types more than this; what is longer is cut before it is read.
LONGEST_TYPED = 200
#: A code as it stands in the text of a message.
_CODE = re.compile(r"(?<![0-9A-Z])[0-9A-Z]{4}[-–—‐‑ ]?[0-9A-Z]{4}[-–—‐‑ ]?[0-9A-Z]{5}(?![0-9A-Z])")


@blueprint.get("/check")
def page() -> str:
    """The page that takes a code."""
    return still.page("public/check/page.html", shown={"typed": ""}, empty=False)


@blueprint.post("/check")
def typed() -> str | Response | WerkzeugResponse:
    """The verdict on a typed code; a network that was wrong too often is told when to try again. The
    reference of a statement or another paper has a page of its own."""
    p, text = portal(), request.form.get("code", "")
    if check_text.is_message(text):
        return check_text.verdict(text)
    text = text[:LONGEST_TYPED]
    if not text.strip():
        return still.page("public/check/page.html", shown={"typed": ""}, empty=True)
    if reference_from(text).startswith("S-"):
        return redirect(url_for("public.statement.verdict", reference=reference_from(text)), 303)
    if reference_from(text).startswith(("A-", "C-")):
        return redirect(url_for("public.paper.verdict", reference=reference_from(text)), 303)
    asked = asked_for(p.keys, text)
    tried = p.db.write(
        lambda session: faces.try_code(
            session,
            asked,
            keys=p.keys,
            network=network(),
            real_now=p.clock.real_now(),
            guards=guards(),
            tail=tail.given(),
        )
    )
    if tried.wait_seconds:
        return errors.page(429, retry_after=tried.wait_seconds)
    if tried.asks_tail:
        return tail.page(tried)
    return _verdict(asked, tried.face, text)


@blueprint.get("/n/<token>")
def link(token: str) -> str:
    """The verdict on a link. It may leave a row that somebody looked, and changes nothing else."""
    p = portal()
    asked, real_now = asked_for(p.keys, token, link=True), p.clock.real_now()
    where = p.keys.digest("network", network())
    with p.db.read() as connection:
        looked = faces.look_up(
            connection, asked, network_digest=where, way="link", real_now=real_now, guards=guards()
        )
    if not looked.is_seen:
        p.db.write(
            lambda session: faces.record_seen(
                session,
                asked,
                network_digest=where,
                way="link",
                real_now=real_now,
                is_known=looked.face is not None,
            )
        )
    return _verdict(asked, looked.face, "")


def code_in(text: str) -> str:
    """The one code that stands in a pasted message, "" for none or several.

    >>> code_in("您有一份服务通知，查询码7KQF-3MWD-2A9RB。请打开")
    '7KQF-3MWD-2A9RB'
    >>> code_in("7KQF-3MWD-2A9RB")
    ''
    """
    plain = unicodedata.normalize("NFKC", text).upper().strip()
    found = set(_CODE.findall(plain)) - {plain}
    return found.pop() if len(found) == 1 else ""


def _verdict(asked: Asked, face: Face | None, text: str) -> str:
    """The page of one verdict: what it says depends on the verdict and the slip, the rest is filled in."""
    verdict = verdict_on(asked, face, today=portal().clock.today())
    found = code_in(text) if verdict == Verdict.SLIP else ""
    shown = {
        "reference": asked.plain,
        "code": grouped(asked.plain),
        "typed": found or text,
        "checked": moment_text(portal().clock.now()),
    }
    if face is not None:
        shown |= {
            "tail": face.mobile_tail,
            "issued": day_text(face.issued_on),
            "issued_iso": face.issued_on.isoformat(),
            "expires": day_text(face.expires_on),
            "expires_iso": face.expires_on.isoformat(),
        }
    return still.page(
        "public/check/verdict.html", shown=shown, verdict=verdict.value, kind="text" if found else asked.kind
    )
