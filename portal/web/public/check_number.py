"""The public answer on a phone number that called or wrote, and on one contact with a live code."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, render_template, request

from portal.checking import calls
from portal.checking.calls import Answer, Asking, Match
from portal.contacts.numbers import LONGEST, Listed, Whose, whose_is
from portal.contacts.queries import agencies
from portal.fakes.queries import confirmed_numbers
from portal.notices.verification import asked_for
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.locale import day_text
from portal.web.public import still, tail
from portal.web.security import network

blueprint = Blueprint("check_number", __name__)

LONGEST_CODE = 200


@blueprint.get("/check/number")
def page() -> str:
    """The page that takes a number."""
    return still.page("public/check/number.html", shown=_typed(), error="")


@blueprint.post("/check/number")
def asked() -> str | Response:
    """Whose the number is by the published list; with an hour and a live code, whether a contact matches."""
    p = portal()
    listed = _whose(request.form.get("number", ""))
    if listed.whose is Whose.UNREADABLE:
        return _again("number")
    try:
        at = _when(request.form.get("day", ""), request.form.get("time", ""))
    except ValueError:
        return _again("when")
    code = request.form.get("code", "")[:LONGEST_CODE].strip()
    asking = Asking(listed, at, asked_for(p.keys, code) if code else None)
    answer = Answer(Match.NOT_ASKED) if asking.asked is None else _ask(asking)
    if answer.wait_seconds:
        return errors.page(429, retry_after=answer.wait_seconds)
    if answer.asks_tail:
        return tail.page(answer)
    return render_template(
        "public/check/number_found.html",
        listed=listed,
        whose=listed.whose.value,
        match=answer.match.value,
        until=day_text(listed.until),
        known_fake=not listed.may_contact and _is_known_fake(listed.number),
        typed=_typed(),
    )


def _ask(asking: Asking) -> Answer:
    p = portal()
    return p.db.write(
        lambda session: calls.ask(
            session,
            asking,
            keys=p.keys,
            network=network(),
            today=p.clock.today(),
            real_now=p.clock.real_now(),
            guards=guards(),
            tail=tail.given(),
        )
    )


def _is_known_fake(number: str) -> bool:
    with portal().db.read() as connection:
        return number in confirmed_numbers(connection)


def _whose(text: str) -> Listed:
    p = portal()
    with p.db.read() as connection:
        everybody = agencies(connection, today=p.clock.today())
    return whose_is(text, bank=p.settings.bank, agencies=everybody)


def _when(day: str, clock: str) -> datetime | None:
    """When it was, on the bank's wall clock; an hour without a day is today's. Raises ValueError."""
    p = portal()
    if not clock.strip():
        return None
    on = date.fromisoformat(day.strip()) if day.strip() else p.clock.today()
    return datetime.combine(on, time.fromisoformat(clock.strip()), ZoneInfo(p.settings.bank.zone))


def _typed() -> dict[str, str]:
    lengths = {"number": LONGEST, "day": 10, "time": 8, "code": LONGEST_CODE}
    return {name: request.form.get(name, "")[:length] for name, length in lengths.items()}


def _again(error: str) -> Response:
    return make_response(still.page("public/check/number.html", shown=_typed(), error=error), 422)
