"""One case on the desk: everything on one screen, the decision, and nothing lost when two people work on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.accounts import figures
from portal.accounts.queries import lines_for
from portal.audit import Actor
from portal.documents import operations as documents
from portal.documents.kinds import UNSUITABLE_REASONS
from portal.plans.policy import Assessment, Policy, affordability_of
from portal.plans.standing import past_limitation
from portal.reviews import operations
from portal.reviews.four_eyes import Kind, second_person_reasons
from portal.reviews.offers import assess_counter, blocking
from portal.reviews.reached import reached
from portal.reviews.ruling import Choice, Incomplete, ScreenIsOld, against
from portal.reviews.screen import Screen, Viewer, screen_for
from portal.states import NotAllowed
from portal.web.context import portal
from portal.web.desk.decision_form import DecisionForm
from portal.web.forms import whole_number
from portal.web.pages import address
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("cases", __name__)


@dataclass(frozen=True)
class Trouble:
    """Why nothing was sent: stable codes for the summary on top. `kept`: what was typed is shown again."""

    codes: tuple[str, ...]
    status: int = 422


@blueprint.get("/cases/<reference>")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff, reference: str) -> Response:
    """The case."""
    screen = _screen(staff, reference)
    return _page(staff, screen, DecisionForm.of(screen.asked.terms))


@blueprint.post("/cases/<reference>/preview")
@staff_only("reviewer", "supervisor")
def preview(staff: SignedInStaff, reference: str) -> Response:
    """The same page with the counter-offer recalculated from what was typed."""
    return _page(staff, _screen(staff, reference), DecisionForm())


@blueprint.post("/cases/<reference>/offer")
@staff_only("reviewer", "supervisor")
def offer(staff: SignedInStaff, reference: str) -> str:
    """The recalculated counter-offer alone, for the script that asks while it is typed."""
    screen, form = _screen(staff, reference), DecisionForm()
    return render_template("desk/cases/offer.html", screen=screen, form=form, **_offer(screen, form))


@blueprint.post("/cases/<reference>/decide")
@staff_only("reviewer", "supervisor")
def decide(staff: SignedInStaff, reference: str) -> WerkzeugResponse:
    """Send the decision; whatever stands against it is answered on the same page with all that was typed."""
    screen, form = _screen(staff, reference), DecisionForm()
    kind = form.chosen(_seen_stage())
    if kind is None:
        return _page(staff, screen, form, Trouble(("kind",)))
    change = form.change() if kind is Kind.COUNTER else None
    if kind is Kind.COUNTER and change is None:
        return _page(staff, screen, form, Trouble(("offer_fields",)))
    trouble = _decide(staff, kind, form, change)
    if trouble is None:
        return redirect(url_for("desk.cases.page", reference=reference), 303)
    return _page(staff, _screen(staff, reference), form, trouble)


@blueprint.post("/cases/<reference>/paper")
@staff_only("reviewer", "supervisor")
def paper(staff: SignedInStaff, reference: str) -> Response:
    """Judge a paper without losing what was typed: the button belongs to the decision's form."""
    word, _, public_ref = request.form.get("paper", "").partition(":")
    screen = _screen(staff, reference)
    if public_ref not in {one.public_ref for one in screen.documents}:
        abort(404)
    trouble = _judge(staff, word, public_ref)
    return _page(staff, _screen(staff, reference), DecisionForm(), trouble)


@blueprint.get("/cases/<reference>/ledger")
@staff_only("reviewer", "supervisor")
def ledger(staff: SignedInStaff, reference: str) -> str:
    """Every posted line of the borrower's loans."""
    screen = _screen(staff, reference)
    with portal().db.read() as connection:
        lines = {
            loan.loan_ref: lines_for(connection, screen.head.borrower_id, loan.loan_ref)
            for loan in screen.balance.loans
        }
    return render_template("desk/cases/ledger.html", staff=staff, tab="cases", screen=screen, lines=lines)


@blueprint.get("/cases/<reference>/figures/<scope>/<figure>")
@staff_only("reviewer", "supervisor")
def figure(staff: SignedInStaff, reference: str, scope: str, figure: str) -> str:
    """How one figure of a loan, or of all loans of the bank's currency (scope ``all``), is made."""
    screen = _screen(staff, reference)
    if scope == "all":
        total = screen.total or abort(404)
        explained = figures.whole_figure(total.loans, figure, total.currency)
        loan = total.loans[0] if len(total.loans) == 1 else None
    else:
        loan = screen.balance.loan(scope) or abort(404)
    if loan is not None:
        with portal().db.read() as connection:
            lines = lines_for(connection, screen.head.borrower_id, loan.loan_ref, until=loan.as_of)
        explained = figures.loan_figure(loan, lines, figure)
    return render_template(
        "desk/cases/figure.html",
        staff=staff,
        tab="cases",
        screen=screen,
        explained=explained or abort(404),
        loan=loan,
        href=lambda one: address(
            "desk.cases.figure",
            reference=reference,
            scope=one.loan_ref or (loan.loan_ref if loan else "all"),
            figure=one.figure,
        ),
    )


@blueprint.get("/cases/<reference>/history")
@staff_only("reviewer", "supervisor")
def history(staff: SignedInStaff, reference: str) -> str:
    """Everything that happened."""
    screen = _screen(staff, reference)
    return render_template("desk/cases/history.html", staff=staff, tab="cases", screen=screen)


def _screen(staff: SignedInStaff, reference: str) -> Screen:
    p = portal()
    with p.db.read() as connection:
        found = screen_for(
            connection,
            p.keys,
            reference,
            viewer=Viewer(staff.staff_id, staff.human_ref, staff.role),
            policy=Policy.of(p.settings.bank),
            working_days=p.working_days,
            currency=p.settings.bank.currency,
            now=p.clock.now(),
            today=p.clock.today(),
            local_day=lambda instant: p.clock.local(instant).date(),
        )
    if found is None:
        abort(404)
    return found


def _seen_stage() -> int:
    return 2 if request.form.get("stage") == "2" else 1


def _decide(staff: SignedInStaff, kind: Kind, form: DecisionForm, change: Any) -> Trouble | None:
    """Send it; the trouble there was, or None."""
    p = portal()
    choice = Choice(
        kind=kind,
        version=whole_number(request.form.get("version")),
        terms_hash_seen=request.form.get("terms_hash", ""),
        figures_seen=request.form.get("figures", ""),
        form_key=request.form.get("form_key", "")[:64],
        note=form.note.data or "",
        reasons=tuple((form.asked.data if kind is Kind.ASK else form.reasons.data) or ()),
        change=change,
        offer_hash_seen=request.form.get("offer_hash", ""),
    )
    bench = operations.Bench(
        keys=p.keys,
        policy=Policy.of(p.settings.bank),
        working_days=p.working_days,
        local=p.clock.local,
        today=p.clock.today(),
        real_now=p.clock.real_now(),
        host=p.settings.bank.host,
        currency=p.settings.bank.currency,
        demonstration=p.settings.environment == "demonstration",
    )
    try:
        p.db.write(
            lambda session: operations.decide(
                session,
                staff_id=staff.staff_id,
                proposal_id=whole_number(request.form.get("proposal")),
                choice=choice,
                bench=bench,
                now=p.clock.now(),
            )
        )
    except operations.CaseMoved:
        return Trouble(("moved",), 409)
    except ScreenIsOld as old:
        return Trouble((f"old_{old.what}",), 409)
    except operations.MayNotDecide as refused:
        return Trouble((f"may_not_{refused.reason}",), 403)
    except operations.NoSuchCase:
        abort(404)
    except Incomplete as incomplete:
        return Trouble(incomplete.problems)
    return None


def _judge(staff: SignedInStaff, word: str, public_ref: str) -> Trouble | None:
    p = portal()
    actor, now = Actor("staff", staff.staff_ref), p.clock.now()
    reason = request.form.get(f"reason-{public_ref}", "")
    if word == "unsuitable" and reason not in UNSUITABLE_REASONS:
        return Trouble(("paper_reason",))
    try:
        if word == "unsuitable":
            p.db.write(
                lambda session: documents.mark_unsuitable(
                    session, public_ref=public_ref, reason=reason, actor=actor, now=now
                )
            )
        elif word == "accept":
            p.db.write(lambda session: documents.accept(session, public_ref=public_ref, actor=actor, now=now))
        else:
            abort(400)
    except (NotAllowed, documents.NoSuchDocument):
        return Trouble(("paper_moved",), 409)
    return None


def _offer(screen: Screen, form: DecisionForm) -> dict[str, Any]:
    """The counter-offer as it comes out now, or the decision that waits: terms and how they sit in the month."""
    first = screen.waiting
    change = form.change() if request.method == "POST" and first is None else None
    assessment: Assessment | None = None
    terms = (first.offer or screen.asked.terms) if first else None
    if change is not None:
        assessment = assess_counter(screen.asked.terms, change, screen.ground)
        terms = assessment.terms
    return {
        "assessment": assessment,
        "blocked": blocking(assessment) if assessment else (),
        "second_for_offer": second_person_reasons(terms, screen.ground.policy) if terms else (),
        "offer_share": affordability_of(terms, screen.ground) if terms else None,
    }


def _page(
    staff: SignedInStaff, screen: Screen, form: DecisionForm, trouble: Trouble | None = None
) -> Response:
    p = portal()
    today = p.clock.today()
    paused = (one.starts_at for one in screen.visits if one.state == "paused")
    with p.db.read() as connection:
        contacts = reached(
            connection,
            p.keys,
            screen.head.borrower_id,
            now=p.clock.now(),
            local=p.clock.local,
            pack=jurisdictions.pack(p.settings.bank.jurisdiction),
        )
    html = render_template(
        "desk/cases/page.html",
        staff=staff,
        tab="cases",
        screen=screen,
        form=form,
        trouble=trouble,
        days_left=p.working_days.between(today, screen.head.answer_due_on),
        found_against=against(screen.proposed, screen.ground),
        policy=screen.ground.policy,
        paused_on=next((p.clock.local(at).date() for at in paused), None),
        unsuitable_reasons=UNSUITABLE_REASONS,
        reached=contacts,
        **_limitation(screen),
        **_offer(screen, form),
    )
    return make_response(html, trouble.status if trouble else 200)


def _limitation(screen: Screen) -> dict[str, Any]:
    """The loans that may be too old to claim, as the borrower is told of them too, and the period in years."""
    p = portal()
    period = jurisdictions.pack(p.settings.bank.jurisdiction).limitation_years
    years = period.value if period else None
    return {"years": years, "old": past_limitation(screen.balance.loans, years=years, today=p.clock.today())}
