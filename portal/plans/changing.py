"""Changing a plan in force: the change becomes a row of its own, once, and the schedule in force follows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.dates import WorkingDays
from portal.keys import Keys
from portal.messages.operations import queue
from portal.papers.faces import PaperFace
from portal.plans.changes import Changed, Wish, changed
from portal.plans.models import Plan, PlanChange, PlanInstalment
from portal.plans.queries import plan_for
from portal.plans.revisions import receipt_content
from portal.plans.rules import Policy
from portal.signing import Signer

#: Of a change's reference.
PREFIX = "M"


class UnknownPlan(LookupError):
    """No such plan, or not this borrower's."""


class StaleSchedule(Exception):
    """The plan is not what was looked at: it was changed or paid meanwhile. Nothing was changed now."""


@dataclass(frozen=True, slots=True)
class Office:
    """The bank as it takes a change: its rules and calendar, who signs, and whom a message names."""

    policy: Policy
    working_days: WorkingDays
    keys: Keys
    signer: Signer
    host: str
    demonstration: bool


def change_plan(
    session: Session,
    *,
    borrower_id: int,
    plan_reference: str,
    wish: Wish,
    seen: str,
    form_key: str,
    office: Office,
    today: date,
    now: datetime,
    real_now: datetime,
) -> str:
    """Change a plan of the borrower's own, exactly once; the reference of the change.

    `seen` is the digest of the schedule the borrower was shown and confirmed. The same `form_key` again gives the
    first reference. Raises UnknownPlan, UnableToChange, StaleSchedule; each leaves everything as it was.
    """
    plan_id = session.scalar(
        select(Plan.id)
        .where(Plan.reference == plan_reference, Plan.borrower_id == borrower_id)
        .with_for_update()
    )
    if plan_id is None:
        raise UnknownPlan(plan_reference)
    first = session.scalar(
        select(PlanChange.reference).where(PlanChange.plan_id == plan_id, PlanChange.form_key == form_key)
    )
    if first is not None:
        return first
    plan = plan_for(session.connection(), borrower_id, plan_reference)
    assert plan is not None
    outcome = changed(
        plan,
        wish,
        policy=office.policy,
        working_days=office.working_days,
        made_on=office.policy.day_of(plan.made_at),
        today=today,
    )
    if outcome.revision.digest() != seen:
        raise StaleSchedule(plan_reference)
    reference = _add(session, plan_id, outcome, form_key, office.signer, today, now)
    _move_days(session, plan_id, outcome)
    _tell(session, borrower_id, reference, outcome, office, now=now, real_now=real_now)
    return reference


def _add(
    session: Session,
    plan_id: int,
    outcome: Changed,
    form_key: str,
    signer: Signer,
    today: date,
    now: datetime,
) -> str:
    revision, reference = outcome.revision, new_reference(PREFIX)
    digest = revision.digest()
    session.add(
        PlanChange(
            created_at=now,
            reference=reference,
            plan_id=plan_id,
            number=revision.number,
            kind=revision.kind,
            schedule_text=revision.canonical(),
            schedule_hash=digest,
            form_key=form_key,
            key_id=signer.key_id,
            signature=signer.sign(receipt_content(reference, revision.plan, digest, now)),
        )
    )
    session.add(PaperFace(reference=reference, issued_on=today, digest=digest))
    try:
        session.flush()
    except IntegrityError:
        raise StaleSchedule(revision.plan) from None
    return reference


def _move_days(session: Session, plan_id: int, outcome: Changed) -> None:
    revision = outcome.revision
    table: Table = PlanInstalment.__table__  # type: ignore[assignment]
    session.execute(
        update(table)
        .where(table.c.plan_id == plan_id, table.c.number == bindparam("of"))
        .values(due_on=bindparam("day")),
        [
            {"of": part.number, "day": part.due_on}
            for part in revision.instalments
            if part.number >= revision.first_moved
        ],
    )


def _tell(
    session: Session,
    borrower_id: int,
    reference: str,
    outcome: Changed,
    office: Office,
    *,
    now: datetime,
    real_now: datetime,
) -> None:
    revision = outcome.revision
    queue(
        session,
        keys=office.keys,
        borrower_id=borrower_id,
        kind="receipt",
        params={"host": office.host, "reference": reference},
        dedupe_key=f"plan-change:{reference}",
        asked_for=True,
        real_now=real_now,
        demonstration=office.demonstration,
    )
    audit.record(
        session,
        actor=Actor("borrower", str(borrower_id)),
        event="plans.schedule_changed",
        subject_kind="plan",
        subject_ref=revision.plan,
        now=now,
        facts={
            "change": reference,
            "kind": revision.kind.value,
            "number": revision.number,
            "schedule_hash": revision.digest(),
            "before_hash": revision.before_hash,
        },
    )
