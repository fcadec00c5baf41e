"""Today's visits of the officer who is signed in, and of nobody else."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template

from portal.disputes.officer_visits import recorded, without_record
from portal.visits.today import Round, rounds_for
from portal.web.context import portal
from portal.web.security import SignedInOfficer, officer_only

blueprint = Blueprint("today", __name__)


@blueprint.get("")
@officer_only
def page(officer: SignedInOfficer) -> str:
    """The day in the order of its hours; a visit that is off says so at once."""
    p = portal()
    now, start = p.clock.now(), day_of(p.clock.today(), p.clock.zone)[0]
    with p.db.read() as connection:
        written = recorded(connection, officer.officer_id, since=start)
        overdue = without_record(connection, officer.officer_id, before=start, now=now)
    return render_template(
        "officer/today/page.html",
        officer=officer,
        rounds=rounds_of(officer),
        written=written,
        overdue=overdue,
        now=now,
    )


def rounds_of(officer: SignedInOfficer) -> tuple[Round, ...]:
    """The officer's visits of the bank's today."""
    p = portal()
    with p.db.read() as connection:
        return rounds_for(connection, p.keys, officer.officer_id, day=day_of(p.clock.today(), p.clock.zone))


def day_of(day: date, zone: str) -> tuple[datetime, datetime]:
    """The day's first instant and the next day's, in the bank's zone."""
    start = datetime.combine(day, time(), ZoneInfo(zone))
    return start, datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
