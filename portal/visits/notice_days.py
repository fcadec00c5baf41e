"""Visits that the bank announces at shorter notice than the place prescribes: they are called off, by the portal."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.contacts.log import Rules
from portal.dates import WorkingDays
from portal.notices.models import Notice
from portal.visits.lifecycle import LIFECYCLE, Action, State
from portal.visits.models import Visit
from portal.visits.windows import Rule, earliest_day, rule_of

#: `off_reason` of what was announced too late.
TOO_SHORT = "notice_days"


def rule_in(rules: Rules) -> Rule:
    """The rule on visits of a pack, with the Sundays and public holidays of its place."""
    country = WorkingDays(rules.pack.code.upper())
    return rule_of(rules.pack, country.is_holiday, rules.zone.key)


def is_too_short(announced_on: date, day: date, rule: Rule) -> bool:
    """Whether a visit on `day` was announced too late."""
    return rule.notice_days is not None and day < earliest_day(announced_on, rule)


def cancel_short(session: Session, *, rules: Rules, now: datetime) -> int:
    """Call off what is planned, still lies ahead and was announced too late; how many. What the borrower moved
    or agreed to elsewhere is the borrower's own choice. Nothing where the place prescribes no days."""
    rule = rule_in(rules)
    if rule.notice_days is None:
        return 0
    rows = session.execute(
        select(Visit.id, Visit.visit_ref, Visit.borrower_id, Visit.starts_at, Notice.issued_at)
        .join(Notice, Notice.id == Visit.notice_id)
        .where(Visit.state == State.PLANNED, Visit.starts_at > now)
        .where(Visit.moved_from.is_(None), Visit.place_asked_sealed.is_(None))
        .order_by(Visit.id)
    ).all()
    late = [
        row
        for row in rows
        if is_too_short(rule.local(row.issued_at).date(), rule.local(row.starts_at).date(), rule)
    ]
    return sum(_cancel(session, row.id, row.visit_ref, row.borrower_id, now) for row in late)


def _cancel(session: Session, visit_id: int, visit_ref: str, borrower_id: int, now: datetime) -> int:
    cancelled = session.execute(
        update(Visit)
        .where(Visit.id == visit_id, Visit.state == State.PLANNED)
        .values(state=LIFECYCLE.target(Action.CANCEL), off_reason=TOO_SHORT)
        .returning(Visit.id)
        .execution_options(synchronize_session="fetch")
    ).scalar()
    if cancelled is None:
        return 0
    audit.record(
        session,
        actor=audit.SYSTEM,
        event=f"visits.{Action.CANCEL}",
        subject_kind="visit",
        subject_ref=visit_ref,
        now=now,
        facts={"borrower": borrower_id, "reason": TOO_SHORT},
    )
    return 1
