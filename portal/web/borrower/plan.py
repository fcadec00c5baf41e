"""The plan in force: the certificate for the door, how far it has come, and the next instalment."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.contacts.queries import holds_in_force
from portal.plans import certificates, progress
from portal.plans.lifecycle import PlanState
from portal.plans.policy import Policy
from portal.plans.queries import (
    NegotiationView,
    PlanView,
    agreements_for,
    holder_for,
    latest_negotiation_for,
    latest_plan_for,
    plan_for,
)
from portal.web.borrower import certificate_paper
from portal.web.borrower.saved import saved_of
from portal.web.context import portal
from portal.web.papers import as_pdf, keys_address, paper_address
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
        saved=saved_of(borrower.borrower_id, plan.plan_id),
        case=case if case is not None and case.closed_at is None else None,
        now=p.clock.now(),
    )


@blueprint.post("/plan/certificate/<reference>")
@borrower_only
def certify(borrower: SignedInBorrower, reference: str) -> Response:
    """Issue the certificate of a finished plan, once, and open it."""
    p = portal()
    with p.db.read() as connection:
        plan = plan_for(connection, borrower.borrower_id, reference)
    if plan is None or plan.state != PlanState.COMPLETED or plan.ended_at is None:
        abort(404)
    now, today, local = p.clock.now(), p.clock.today(), p.clock.local
    days = {"made_on": local(plan.made_at).date(), "completed_on": local(plan.ended_at).date()}
    made = p.db.write(
        lambda session: certificates.issue(
            session,
            signer=p.signer,
            issuer=p.settings.bank.code,
            borrower_id=borrower.borrower_id,
            plan_reference=reference,
            zone_day=days,
            today=today,
            now=now,
        )
    )
    return redirect(url_for("borrower.plan.certificate", reference=made or abort(404)), 303)


@blueprint.get("/plan/certificate/<reference>.pdf")
@borrower_only
def certificate(borrower: SignedInBorrower, reference: str) -> Response:
    """One certificate as PDF, the same bytes each time."""
    p = portal()
    with p.db.read() as connection:
        issued = certificates.certificate_for(connection, borrower.borrower_id, reference) or abort(404)
        holder = holder_for(connection, p.keys, borrower.borrower_id)
    content = certificate_paper.pdf_of(
        issued,
        holder,
        check_address=paper_address(issued.reference, issued.digest),
        keys_url=keys_address(),
    )
    return as_pdf(content, f"certificate-{issued.reference}.pdf")
