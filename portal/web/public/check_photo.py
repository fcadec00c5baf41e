"""The public verdict on a photograph or screenshot: every QR code in it, each named for what it is.

The picture is opened in a child process, in memory, and forgotten. A link in it is asked about, counted
and answered as one that was opened; a code as one that was typed.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.access import counters
from portal.access.codes import grouped
from portal.access.limits import FRAMES_NETWORK, PHOTOS_NETWORK, Limit
from portal.checking.scanned import Scanned, What, scanned
from portal.documents.kinds import DEFAULT_LIMITS
from portal.documents.media import Refused
from portal.documents.rendering import Unreadable
from portal.documents.scanning import Busy, Codes, codes_in, codes_in_frame
from portal.notices import faces, offline
from portal.notices.verification import Verdict, verdict_on
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.locale import day_text
from portal.web.public import check_text, still, tail
from portal.web.security import CAMERA_ALONE, network, takes_a_picture

blueprint = Blueprint("check_photo", __name__)

SHOWN_LENGTH = 160
#: A frame of a camera comes drawn small.
LARGEST_FRAME = 1024 * 1024
#: From the worst to the best: the picture is no better than the worst code in it.
COLOURS = ("bad", "na", "warn", "ok")


@dataclass(frozen=True)
class Code:
    """One code of the picture: what it is, what is said of it and in which colour, and its facts in words."""

    what: str
    verdict: str
    colour: str
    text: str = ""
    host: str = ""
    reason: str = ""
    issued: str = ""
    expires: str = ""
    tail: str = ""
    reference: str = ""


class Wait(Exception):
    """This network was wrong too often and waits `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class AsksTail(Exception):
    """This network is answered on the code only with the end of the mobile; the page of a typed code asks."""

    tail_refused = False

    def __init__(self, reference: str) -> None:
        super().__init__()
        self.reference = reference


@blueprint.after_request
def with_camera(response: Response) -> Response:
    """These pages, and no others, may use the camera."""
    response.headers["Permissions-Policy"] = CAMERA_ALONE
    return response


@blueprint.get("/check/photo")
def page() -> str:
    """The page that takes a picture."""
    return still.page("public/check/photo.html", error="")


@blueprint.post("/check/photo")
@takes_a_picture
def looked_at() -> str | Response | WerkzeugResponse:
    """The verdict on what stands in the picture, or kind words when nothing can be read."""
    files = [request.files[name] for name in ("photo", "camera") if name in request.files]
    sent = (file.read(DEFAULT_LIMITS.file_bytes + 1) for file in files)
    data = next((some for some in sent if some), b"")
    if not data:
        return _again("none")
    if len(data) > DEFAULT_LIMITS.file_bytes:
        return _again("too_large")
    wait = _too_often(PHOTOS_NETWORK)
    if wait:
        return errors.page(429, retry_after=wait)
    try:
        found = codes_in(data, limits=DEFAULT_LIMITS)
    except Refused as refused:
        return _again("pdf" if refused.reason == "pdf" else "no_picture")
    except Unreadable as unreadable:
        return _again("too_large" if unreadable.reason == "too_many_pixels" else "damaged")
    except Busy:
        return errors.page(503, retry_after=5)
    return _found(found)


@blueprint.post("/check/photo/frame")
@takes_a_picture
def frame() -> tuple[str, int]:
    """Whether a code is in one frame of a live camera: 200 or 204, and no word more. Nothing is asked about; the
    frame with a code is then sent as a picture."""
    file = request.files.get("photo")
    data = file.read(LARGEST_FRAME + 1) if file else b""
    if not data or len(data) > LARGEST_FRAME:
        return "", 422
    if _too_often(FRAMES_NETWORK):
        return "", 429
    try:
        found = codes_in_frame(data, limits=DEFAULT_LIMITS)
    except (Refused, Unreadable):
        return "", 422
    except Busy:
        return "", 503
    return "", 200 if any(found.texts) else 204


def _found(found: Codes) -> str | Response:
    texts = found.texts
    if not texts:
        return still.page("public/check/photo_empty.html")
    p, hosts = portal(), check_text.own_hosts()
    read = [scanned(p.keys, text, hosts=hosts) for text in texts]
    foreign = [code for code in (_verdict(one) for one in read if one.asked is None) if code.colour == "bad"]
    try:
        codes = [_verdict(one) for one in read]
    except (Wait, AsksTail) as stopped:
        if not foreign:
            return _stopped(stopped)
        codes = foreign  # a false code is told, whatever has to wait
    return render_template(
        "public/check/photo_found.html",
        codes=codes,
        head=_worst(codes),
        unread=found.unread,
    )


def _stopped(why: Wait | AsksTail) -> str | Response:
    """The page for a network that waits, or that is first asked for the end of the mobile."""
    if isinstance(why, Wait):
        return errors.page(429, retry_after=why.seconds)
    return tail.page(why, path=url_for("public.check.typed"), code=why.reference)


def _worst(codes: list[Code]) -> Code:
    """The code that the picture is judged by. A signed one beside a genuine link lacks nothing that the link
    would not say; alone it is not plainly genuine, and what is known of another code goes before it."""
    has_genuine = any(code.colour == "ok" for code in codes)
    weighed = [code for code in codes if not (has_genuine and code.verdict == "signed")]
    return min(weighed, key=lambda code: (COLOURS.index(code.colour), code.verdict == "signed"))


def _verdict(code: Scanned) -> Code:
    """What is said of one code."""
    text = code.text[:SHOWN_LENGTH]
    if code.asked is not None:
        return _on_asked(code)
    if code.what is What.OFFLINE:
        return _on_signed(code)
    if code.what in (What.FOREIGN, What.PAYMENT):
        reason = check_text.link_words(code.link) if code.link else ""
        return Code(code.what.value, code.what.value, "bad", text=text, host=code.host, reason=reason)
    return Code(code.what.value, code.what.value, "na", text=text)


def _on_asked(code: Scanned) -> Code:
    p, asked = portal(), code.asked
    assert asked is not None
    tried = p.db.write(
        lambda session: faces.try_code(
            session,
            asked,
            keys=p.keys,
            network=network(),
            real_now=p.clock.real_now(),
            guards=guards(),
        )
    )
    if tried.wait_seconds:
        raise Wait(tried.wait_seconds)
    if tried.asks_tail:
        raise AsksTail(asked.plain)
    verdict, face = verdict_on(asked, tried.face, today=p.clock.today()), tried.face
    colour = {
        Verdict.GENUINE: "ok",
        Verdict.COPIED: "warn",
        Verdict.EXPIRED: "warn",
        Verdict.WITHDRAWN: "warn",
    }.get(verdict, "bad")
    text = grouped(asked.plain) if code.what is What.CODE else code.text[:SHOWN_LENGTH]
    if face is None:
        return Code(code.what.value, verdict.value, colour, text=text)
    return Code(
        code.what.value,
        verdict.value,
        colour,
        text=text,
        issued=day_text(face.issued_on),
        expires=day_text(face.expires_on),
        tail=face.mobile_tail,
        reference=asked.plain,
    )


def _on_signed(code: Scanned) -> Code:
    """A signed text alone is never plainly genuine: the words around it were not compared, and it does not
    say whether the letter was withdrawn since."""
    p = portal()
    found = offline.verify(code.text, p.ring, code=None, text=None, now=p.clock.now())
    verdict, colour = "forged", "bad"
    if found.is_genuine:
        verdict, colour = "signed", "warn"
    elif set(found.reasons) == {offline.Reason.EXPIRED}:
        verdict, colour = "signed_expired", "warn"
    if found.expires is None or colour == "bad":
        return Code(code.what.value, verdict, colour)
    issued, expires = (day_text(p.clock.local(at).date()) for at in (found.issued, found.expires) if at)
    return Code(code.what.value, verdict, colour, issued=issued, expires=expires)


def _too_often(limit: Limit) -> int:
    """Seconds this network has to wait before the next picture or frame; 0 for none."""
    p = portal()
    real_now = p.clock.real_now()
    count = p.db.write(
        lambda session: counters.count_towards(
            session, keys=p.keys, limit=limit, key=network(), real_now=real_now
        )
    )
    return counters.seconds_left(limit, real_now) if count > limit.most else 0


def _again(error: str) -> Response:
    return make_response(still.page("public/check/photo.html", error=error), 422)
