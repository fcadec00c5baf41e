"""The plan in force: the certificate for the door, how far it has come, and the next instalment."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.contacts.queries import holds_in_force
from portal.plans import progress
from portal.plans.policy import Policy
from portal.plans.queries import (
    NegotiationView,
    PlanView,
    agreements_for,
    holder_for,
    latest_negotiation_for,
    latest_plan_for,
)
from portal.web.context import portal
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("plan", __name__)

#: States of a round whose page comes before the plan's.
_OPEN = ("submitted", "second_approval", "more_asked", "countered", "approved")


@blueprint.get("/plan")
@borrower_only
def page(borrower: SignedInBorrower) -> str | Response:
    """The page for where things stand: the plan, the open case or its answer, or how to begin."""
    p = portal()
    now = p.clock.now()
    with p.db.read() as connection:
        plan = latest_plan_for(connection, borrower.borrower_id)
        case = latest_negotiation_for(connection, borrower.borrower_id)
        holds = holds_in_force(connection, borrower.borrower_id, now=now)
    if leads_to_case(plan, case, now) and "done" not in request.args:
        moved = 1 if "moved" in request.args else None
        return redirect(url_for("borrower.negotiation.page", moved=moved), 303)
    if plan is None or (plan.state != "active" and case is not None and case.opened_at > plan.made_at):
        return render_template("borrower/plan/none.html", holds=holds, case=case, local=portal().clock.local)
    return plan_page(borrower, plan, case)


def leads_to_case(plan: PlanView | None, case: NegotiationView | None, now: datetime) -> bool:
    """Whether the case has something to say that the plan page has not."""
    if case is None or (plan is not None and plan.proposal_id == case.current.id):
        return False
    if plan is not None and plan.state == "active":
        return case.current.state in ("countered", "approved") and case.current.is_offer(now)
    return case.current.state in (*_OPEN, "declined", "lapsed")


def plan_page(borrower: SignedInBorrower, plan: PlanView, case: NegotiationView | None) -> str:
    """Certificate, timeline, table and the next step of a plan, whatever its state."""
    p = portal()
    grace = Policy.of(p.settings.bank).grace_days
    today = p.clock.today()
    with p.db.read() as connection:
        holder = holder_for(connection, p.keys, borrower.borrower_id)
        agreements = agreements_for(connection, borrower.borrower_id, plan.plan_id)
    rows = progress.rows_of(plan, today=today, grace_days=grace)
    upcoming = plan.next_instalment
    return render_template(
        "borrower/plan/page.html",
        plan=plan,
        holder=holder,
        agreements=agreements,
        rows=rows,
        window=progress.windowed(rows, show_all="all" in request.args),
        years=progress.calendar_of(rows),
        upcoming=next((row for row in rows if upcoming and row.number == upcoming.number), None),
        days_until=(upcoming.due_on - today).days if upcoming else 0,
        overdue=plan.overdue(today, grace),
        at_risk=plan.is_at_risk(today, grace),
        grace_days=grace,
        just_made="made" in request.args,
        case=case if case is not None and case.closed_at is None else None,
        now=p.clock.now(),
    )
