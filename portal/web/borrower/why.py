"""How the figures of an issued statement, of a plan and of terms are made: the sum, its rows, and the rule."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, abort, render_template, request

from portal.accounts.figures import Summand
from portal.plans.figures import plan_figure, terms_figure
from portal.plans.queries import latest_plan_for, proposal_for
from portal.statements.figures import statement_figure
from portal.statements.queries import issued_for
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.pages import address
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("why", __name__)

#: The scope of a figure over all loan accounts of a statement.
ALL = "all"


@blueprint.get("/statement/<reference>/figures/<scope>/<code>")
@borrower_only
def statement(borrower: SignedInBorrower, reference: str, scope: str, code: str) -> str:
    """One figure of a statement as it was issued: of one loan account, or of all."""
    with portal().db.read() as connection:
        issued = issued_for(connection, borrower.borrower_id, reference) or abort(404)
    stated = issued.statement
    loan_ref = None if scope == ALL else scope
    explained = statement_figure(stated, loan_ref, code) or abort(404)
    first = stated.first

    def href(one: Summand) -> str:
        if one.figure.startswith("before.") and first:
            before = (first - timedelta(days=1)).isoformat()
            figure, loan = one.figure.removeprefix("before."), loan_ref or stated.loans[0].facts.loan_ref
            return address("borrower.balance.explain", loan_ref=loan, figure=figure, on=before)
        within = one.loan_ref or scope
        return address("borrower.why.statement", reference=reference, scope=within, code=one.figure)

    return render_template(
        "borrower/why/page.html",
        explained=explained,
        href=href,
        classes=stated.product_classes,
        as_of=stated.as_of,
        back=address("borrower.statement.paper", reference=reference),
        statement_ref=reference,
        scope=loan_ref,
        tab="balance",
    )


@blueprint.get("/plan/figures/<code>")
@borrower_only
def plan(borrower: SignedInBorrower, code: str) -> str:
    """One figure of the plan: its total, what was counted, what is left, what is open of an instalment."""
    p = portal()
    with p.db.read() as connection:
        view = latest_plan_for(connection, borrower.borrower_id) or abort(404)
    explained = plan_figure(view, code, whole_number(request.args.get("number"))) or abort(404)
    return render_template(
        "borrower/why/page.html",
        explained=explained,
        href=lambda one: address("borrower.why.plan", code=one.figure),
        classes=(),
        as_of=p.clock.today(),
        back=address("borrower.plan.page"),
        statement_ref="",
        scope=view.reference,
        tab="plan",
    )


@blueprint.get("/plan/terms/<reference>/figures/<code>")
@borrower_only
def terms(borrower: SignedInBorrower, reference: str, code: str) -> str:
    """One figure of terms as they were sent, offered or agreed: what they cover, what is waived, what is paid."""
    with portal().db.read() as connection:
        one = proposal_for(connection, borrower.borrower_id, reference) or abort(404)
    loan_ref = request.args.get("loan", "")
    explained = terms_figure(one.terms, code, loan_ref) or abort(404)
    return render_template(
        "borrower/why/page.html",
        explained=explained,
        href=lambda part: address(
            "borrower.why.terms", reference=reference, code=part.figure, loan=part.loan_ref or None
        ),
        classes=one.terms.product_classes,
        as_of=one.terms.as_of,
        back=address("borrower.plan.page"),
        statement_ref="",
        scope=loan_ref or reference,
        tab="plan",
    )
