"""Calls and texts around today's visits: may I now, and what I did; for the officer who is signed in."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.access.codes import plain_digits
from portal.contacts.log import Rules
from portal.visits import calling
from portal.visits.calling import CannotRecord, Made
from portal.web.context import portal
from portal.web.officer.today import day_of
from portal.web.security import SignedInOfficer, officer_only

blueprint = Blueprint("contacts", __name__)

_FIELDS = ("visit", "channel", "tail", "day", "time", "outcome")


@blueprint.get("/contacts")
@officer_only
def page(officer: SignedInOfficer) -> Response:
    """For each person of today: whether to call or write now, why not and from when; and the form."""
    return _page(officer, {})


@blueprint.post("/contacts")
@officer_only
def record(officer: SignedInOfficer) -> WerkzeugResponse:
    """Write one call or text down; what is wrong is said beside the field, and nothing typed is lost."""
    p = portal()
    typed = {name: request.form.get(name, "")[:40].strip() for name in _FIELDS}
    at = _when(typed["day"], typed["time"])
    if at is None:
        return _page(officer, typed, "time")
    made = Made(
        visit_ref=typed["visit"],
        channel=typed["channel"],
        tail=plain_digits(typed["tail"]),
        at=at,
        outcome=typed["outcome"],
        form_key=request.form.get("form_key", "")[:80],
    )
    try:
        p.db.write(
            lambda session: calling.record(
                session,
                made,
                keys=p.keys,
                officer_id=officer.officer_id,
                day=day_of(p.clock.today(), p.clock.zone),
                rules=_rules(),
                now=p.clock.now(),
            )
        )
    except CannotRecord as error:
        return _page(officer, typed, error.reason)
    return redirect(url_for("officer.contacts.page", kept=made.visit_ref, _anchor=made.visit_ref), 303)


def _when(day: str, clock: str) -> datetime | None:
    """When it was, on the bank's wall clock; None where it cannot be read."""
    try:
        on, at = date.fromisoformat(day), time.fromisoformat(clock)
    except ValueError:
        return None
    return datetime.combine(on, at.replace(tzinfo=None), ZoneInfo(portal().clock.zone))


def _rules() -> Rules:
    bank = portal().settings.bank
    return Rules.of(jurisdictions.pack(bank.jurisdiction), bank.zone)


def _page(officer: SignedInOfficer, typed: dict[str, str], trouble: str = "") -> Response:
    p = portal()
    with p.db.read() as connection:
        cases = calling.cases_for(
            connection,
            p.keys,
            officer.officer_id,
            officer.officer_ref,
            day=day_of(p.clock.today(), p.clock.zone),
            rules=_rules(),
            now=p.clock.now(),
        )
    local = p.clock.local(p.clock.now())
    html = render_template(
        "officer/contacts/page.html",
        officer=officer,
        cases=cases,
        typed=typed,
        trouble=trouble,
        kept=request.args.get("kept", ""),
        now=local,
        today=local.date().isoformat(),
        minute=local.strftime("%H:%M"),
        outcomes=calling.OUTCOMES,
    )
    return make_response(html, 422 if trouble else 200)
