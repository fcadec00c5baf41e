"""*This is not ours*: a report by anybody, its receipt, and the public list of confirmed fakes.

No session and no name: the Origin check, counters per network, and the form's own key keep order.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.access.codes import reference_from
from portal.access.counters import count_towards, seconds_left
from portal.access.limits import PHOTOS_NETWORK
from portal.documents.kinds import Limits
from portal.documents.media import Refused
from portal.documents.rendering import Unreadable
from portal.fakes import queries
from portal.fakes.masking import unclickable, unlinked, without_cards
from portal.fakes.operations import LONGEST_LINK, LONGEST_NUMBER, LONGEST_TEXT, Told, UnableToReport, report
from portal.fakes.pictures import Busy, plain_picture
from portal.web import errors
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.published import published
from portal.web.security import network, takes_a_picture

blueprint = Blueprint("fakes", __name__)

_LENGTHS = {"text": LONGEST_TEXT, "number": LONGEST_NUMBER, "link": LONGEST_LINK}
_LIMITS = Limits(pages=1)


class _Wait(Exception):
    """This network has sent enough pictures and waits `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Again(Exception):
    """The form is shown again; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@blueprint.get("/report")
def page() -> str:
    """The empty form."""
    return _form(dict.fromkeys(_LENGTHS, ""))


@blueprint.post("/report/begin")
@says_so_itself
def begin() -> str:
    """The form with what was just checked already in it; nothing is kept yet."""
    return _form({name: without_cards(value) for name, value in _typed().items()})


@blueprint.post("/report")
@takes_a_picture
@says_so_itself
def send() -> Response | WerkzeugResponse:
    """Keep the report, once for each form."""
    p, typed = portal(), _typed()
    form_key = request.form.get("form_key", "")[:64] or abort(400)
    try:
        told, ours = Told(**typed, jpeg=_picture()), published()
        reference = p.db.write(
            lambda session: report(
                session,
                told,
                keys=p.keys,
                published=ours,
                form_key=form_key,
                network=network(),
                now=p.clock.now(),
                real_now=p.clock.real_now(),
            )
        )
    except _Wait as wait:
        return errors.page(429, retry_after=wait.seconds)
    except _Again as again:
        return make_response(_form(typed, again.code), 503 if again.code == "busy" else 422)
    except UnableToReport as unable:
        if unable.reason == "wait":
            return errors.page(429, retry_after=unable.seconds)
        kept = {name: without_cards(value) for name, value in typed.items()}
        return make_response(_form(kept, unable.reason), 422)
    return redirect(url_for("public.fakes.receipt", reference=reference), 303)


@blueprint.get("/report/<reference>")
def receipt(reference: str) -> str:
    """What we have, and what happens next. It shows nothing of what was sent."""
    with portal().db.read() as connection:
        found = queries.receipt(connection, reference_from(reference))
    if found is None:
        abort(404)
    return render_template("public/fakes/receipt.html", receipt=found)


@blueprint.get("/warnings")
def warnings() -> str:
    """Confirmed fakes: words, addresses that nobody can tap, numbers and days."""
    with portal().db.read() as connection:
        rows = queries.warnings(connection)
    return render_template(
        "public/fakes/warnings.html", rows=rows, unclickable=unclickable, unlinked=unlinked
    )


def _form(typed: dict[str, str], error: str = "") -> str:
    return render_template("public/fakes/page.html", typed=typed, error=error)


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "")[:length] for name, length in _LENGTHS.items()}


def _picture() -> bytes:
    """The picture's pixels, b"" for none. Raises _Wait before anything is opened, and _Again, with everything
    else kept."""
    file = request.files.get("photo")
    data = file.read(_LIMITS.file_bytes + 1) if file else b""
    if not data:
        return b""
    if len(data) > _LIMITS.file_bytes:
        raise _Again("too_large")
    _count_picture()
    try:
        return plain_picture(data, limits=_LIMITS)
    except (Refused, Unreadable):
        raise _Again("no_picture") from None
    except Busy:
        raise _Again("busy") from None


def _count_picture() -> None:
    """Opening a picture is dear, whatever becomes of the report: a network opens as many here as it may check."""
    p = portal()
    real_now = p.clock.real_now()
    count = p.db.write(
        lambda session: count_towards(
            session, keys=p.keys, limit=PHOTOS_NETWORK, key=network(), real_now=real_now
        )
    )
    if count > PHOTOS_NETWORK.most:
        raise _Wait(seconds_left(PHOTOS_NETWORK, real_now))
