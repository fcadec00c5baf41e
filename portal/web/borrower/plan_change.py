"""Changing a plan in force: another pay day or a skipped instalment, looked at before it counts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.plans.changes import (
    Changed,
    Refusal,
    UnableToChange,
    Wish,
    changed,
    refusal_of,
    times_left,
    times_of,
)
from portal.plans.changing import Office, StaleSchedule, change_plan
from portal.plans.policy import LATEST_PAY_DAY, Policy
from portal.plans.queries import PlanView, latest_plan_for, plan_of_change_for
from portal.plans.revisions import ChangeKind
from portal.plans.terms import Instalment
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.papers import paper_address
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("plan_change", __name__)

#: Instalments a table shows before the last one, unless all are asked for.
SHOWN = 4


@blueprint.get("/plan/change")
@borrower_only
def page(borrower: SignedInBorrower) -> Response:
    """What can be changed today, and what stands against the rest."""
    return _page(_plan(borrower))


@blueprint.get("/plan/change/check")
@borrower_only
def check(borrower: SignedInBorrower) -> Response:
    """The plan before and after, for the borrower's yes."""
    plan, wish = _plan(borrower), _wish()
    try:
        outcome = _outcome(plan, wish)
    except UnableToChange as unable:
        return _page(plan, wish, unable)
    return _check(plan, wish, outcome)


@blueprint.post("/plan/change")
@borrower_only
def change(borrower: SignedInBorrower) -> Response:
    """Make the change that was looked at, once; whatever moved meanwhile is shown again first."""
    plan, wish = _plan(borrower), _wish()
    try:
        reference = _make(borrower, plan, wish)
    except UnableToChange as unable:
        return _page(_plan(borrower), wish, unable)
    except StaleSchedule:
        return _looked_again(_plan(borrower), wish)
    return redirect(url_for("borrower.plan_change.receipt", reference=reference), 303)


@blueprint.get("/plan/change/<reference>")
@borrower_only
def receipt(borrower: SignedInBorrower, reference: str) -> str:
    """A change that was made: what it changed, and the bank's signature under it."""
    with portal().db.read() as connection:
        plan = plan_of_change_for(connection, borrower.borrower_id, reference) or abort(404)
    at = next(index for index, one in enumerate(plan.changes) if one.reference == reference)
    made = plan.changes[at]
    before = plan.changes[at - 1].revision.instalments if at else plan.terms.payments
    digest = made.revision.digest()
    return render_template(
        "borrower/plan_change/receipt.html",
        plan=plan,
        made=made,
        digest=digest,
        rows=_rows(before, made.revision.instalments, made.revision.first_moved),
        check_address=paper_address(reference, digest),
        is_newest=at == len(plan.changes) - 1,
    )


def _rows(
    before: tuple[Instalment, ...], after: tuple[Instalment, ...], first_moved: int
) -> list[tuple[Instalment, Instalment]]:
    pairs = zip(before, after, strict=True)
    return [(old, new) for old, new in pairs if new.number >= first_moved]


def _plan(borrower: SignedInBorrower) -> PlanView:
    with portal().db.read() as connection:
        return latest_plan_for(connection, borrower.borrower_id) or abort(404)


def _wish() -> Wish:
    said = request.values.get("what")
    if said == ChangeKind.SKIP:
        return Wish(ChangeKind.SKIP)
    if said == ChangeKind.PAY_DAY:
        return Wish(ChangeKind.PAY_DAY, whole_number(request.values.get("pay_day")))
    abort(400)


def _outcome(plan: PlanView, wish: Wish) -> Changed:
    p = portal()
    policy = Policy.of(p.settings.bank)
    return changed(
        plan,
        wish,
        policy=policy,
        working_days=p.working_days,
        made_on=policy.day_of(plan.made_at),
        today=p.clock.today(),
    )


def _make(borrower: SignedInBorrower, plan: PlanView, wish: Wish) -> str:
    p = portal()
    office = Office(
        policy=Policy.of(p.settings.bank),
        working_days=p.working_days,
        keys=p.keys,
        signer=p.signer,
        host=p.settings.bank.host,
        demonstration=p.settings.is_demonstration,
    )
    form_key = request.form.get("form_key", "")[:64] or abort(400)
    now, real_now, today = p.clock.now(), p.clock.real_now(), p.clock.today()
    return p.db.write(
        lambda session: change_plan(
            session,
            borrower_id=borrower.borrower_id,
            plan_reference=plan.reference,
            wish=wish,
            seen=request.form.get("seen", ""),
            form_key=form_key,
            office=office,
            today=today,
            now=now,
            real_now=real_now,
        )
    )


def _looked_again(plan: PlanView, wish: Wish) -> Response:
    """The same wish on the plan as it stands now."""
    try:
        return _check(plan, wish, _outcome(plan, wish), moved=True)
    except UnableToChange as unable:
        return _page(plan, wish, unable)


def _check(plan: PlanView, wish: Wish, outcome: Changed, *, moved: bool = False) -> Response:
    show_all = "all" in request.values or len(outcome.moved) <= SHOWN + 2
    html = render_template(
        "borrower/plan_change/check.html",
        plan=plan,
        wish=wish,
        outcome=outcome,
        shown=outcome.moved if show_all else outcome.moved[:SHOWN],
        hidden=() if show_all else outcome.moved[SHOWN:-1],
        last=() if show_all else outcome.moved[-1:],
        left_after=times_left(plan, wish.kind, Policy.of(portal().settings.bank)) - 1,
        moved=moved,
    )
    return make_response(html, 409 if moved else 200)


def _page(plan: PlanView, wish: Wish | None = None, unable: UnableToChange | None = None) -> Response:
    html = render_template(
        "borrower/plan_change/page.html",
        plan=plan,
        kinds={kind.value: _standing(plan, kind) for kind in ChangeKind},
        days=[day for day in range(1, LATEST_PAY_DAY + 1) if day != plan.pay_day],
        wish=wish,
        unable=unable,
    )
    return make_response(html, 422 if unable else 200)


def _standing(plan: PlanView, kind: ChangeKind) -> dict[str, Any]:
    """Whether a kind of change is open today, and how often it still is."""
    p = portal()
    policy = Policy.of(p.settings.bank)
    refusal: Refusal | None = refusal_of(plan, kind, policy=policy, today=p.clock.today())
    return {"refusal": refusal, "left": times_left(plan, kind, policy), "most": times_of(kind, policy)}
