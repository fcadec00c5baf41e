"""Proposing a plan: choose or shape it, check the answers, send, and the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import Connection
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal import jurisdictions
from portal.accounts.queries import BorrowerBalance, balances_for
from portal.hardship.affordability import Affordability, left_over
from portal.hardship.queries import latest_report_for
from portal.money import EXPONENTS, Money
from portal.plans import operations, outline, policy, queries, standing
from portal.plans.policy import Assessment, Ground, Offer, Policy
from portal.plans.terms import TermsRequest
from portal.visits.queries import visits_for
from portal.web.borrower.propose_form import USUAL_DAY, ProposeForm, address_of, form_of
from portal.web.context import portal
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("propose", __name__)


@dataclass(frozen=True)
class Desk:
    """What the page measures wishes against, read once."""

    ground: Ground
    balance: BorrowerBalance
    currency: str
    negotiation: queries.NegotiationView | None

    @property
    def left_over(self) -> Money | None:
        """What the stated month leaves; None where no month was stated."""
        means = self.ground.means
        return None if means is None else left_over(means.budget, means.ordinary)

    @property
    def nothing_left(self) -> bool:
        """Whether the stated month leaves nothing at all."""
        return self.left_over is not None and self.left_over.minor <= 0

    @property
    def due_refs(self) -> tuple[str, ...]:
        """The loans with something due that no plan covers yet."""
        return tuple(loan.loan_ref for loan in self.ground.loans if loan.due_now)

    @property
    def due_now(self) -> Money:
        """What is due on them."""
        return Money.sum((loan.due_now for loan in self.ground.loans), self.currency)

    @property
    def due_is_total(self) -> bool:
        """Whether that is everything due in this currency: no plan in force covers a part of it."""
        total = self.balance.total(self.currency)
        return total is not None and total.due_now == self.due_now

    @property
    def not_yet_due(self) -> Money:
        """What is left on them beside that."""
        due = [loan for loan in self.ground.loans if loan.due_now]
        return Money.sum((loan.left - loan.due_now for loan in due), self.currency)


@dataclass(frozen=True)
class Answer:
    """The bank's rules on one set of wishes, with the nearest plans and the pictures."""

    assessment: Assessment
    nearest: tuple[Offer, ...]
    figures: Affordability | None
    rows: outline.Shortened
    years: list[tuple[int, list[outline.MonthCell]]]
    wished_count: int | None


@blueprint.get("/plan/propose")
@borrower_only
def page(borrower: SignedInBorrower) -> str | tuple[str, int]:
    """Three plans that pass, or one's own; the bank's rules answer at once."""
    desk = desk_for(borrower)
    if not desk.due_refs:
        return render_template("borrower/propose/nothing_due.html", desk=desk)
    if desk.nothing_left and desk.negotiation is None and "sent" not in request.args:
        return render_template(
            "borrower/propose/nothing_left.html",
            desk=desk,
            policy=desk.ground.policy,
            token=token_plan(desk),
            address_of=address_of,
        )
    return render_template("borrower/propose/page.html", **facts_of(desk, request.args))


@blueprint.get("/plan/propose/preview")
@borrower_only
def preview(borrower: SignedInBorrower) -> str:
    """The parts of the page that change while typing, for the script; what is wrong is said there too."""
    facts = facts_of(desk_for(borrower), request.args)
    return render_template("borrower/propose/answer.html", live=True, **facts)


@blueprint.get("/plan/propose/check")
@borrower_only
def check(borrower: SignedInBorrower) -> Any:
    """Check your answers: what is sent, and what sending means. Wishes that cannot be sent say why."""
    desk = desk_for(borrower)
    facts = facts_of(desk, request.args)
    answer = facts["answer"]
    if answer is None or not answer.assessment.passes:
        return render_template("borrower/propose/page.html", **facts, stuck=answer is not None), 422
    return render_template("borrower/propose/check.html", **facts, **check_facts(borrower, desk, answer))


@blueprint.post("/plan/propose/send")
@borrower_only
def send(borrower: SignedInBorrower) -> Response | tuple[str, int]:
    """Send the proposal once, however often the button is pressed, and show its receipt."""
    form_key = request.form.get("form_key", "")[:64]
    if not form_key:
        abort(400)
    desk = desk_for(borrower)
    form = form_of(request.form, currency=desk.currency, loan_refs=desk.due_refs)
    readable = form.check()
    if readable:
        try:
            receipt = propose(borrower, form, form_key, desk.currency)
            return redirect(url_for("borrower.propose.receipt", reference=receipt.reference), 303)
        except operations.UnableToPropose as unable:
            form.check(comment_needed=unable.assessment.needs_comment)
    return again(borrower, desk, form, readable=readable)


@blueprint.get("/plan/propose/send")
@borrower_only
def send_again(borrower: SignedInBorrower) -> Response:
    """Whoever comes back to the address of a refused proposal begins at the first page."""
    return redirect(url_for("borrower.propose.page"), 303)


@blueprint.get("/plan/receipt/<reference>")
@borrower_only
def receipt(borrower: SignedInBorrower, reference: str) -> str:
    """The signed receipt of a proposal of one's own: reference, what happens next, and by when."""
    p = portal()
    with p.db.read() as connection:
        proposal = queries.proposal_for(connection, borrower.borrower_id, reference)
        if proposal is None or proposal.made_by != "borrower":
            abort(404)
        negotiation = queries.negotiation_view(connection, proposal.negotiation_id)
        visits = visits_for(connection, p.keys, borrower.borrower_id)
    now = p.clock.now()
    return render_template(
        "borrower/propose/receipt.html",
        proposal=proposal,
        negotiation=negotiation,
        days_left=p.working_days.between(p.clock.today(), negotiation.answer_due_on) if negotiation else 0,
        paused=[visit for visit in visits if visit.state == "paused" and visit.ends_at > now],
    )


def propose(
    borrower: SignedInBorrower, form: ProposeForm, form_key: str, currency: str
) -> operations.Receipt:
    """One unit of work: the ground is read again in it, so that the terms are those of the moment."""
    p = portal()
    now = p.clock.now()

    def unit(session: Session) -> operations.Receipt:
        connection = session.connection()
        report = latest_report_for(connection, p.keys, borrower.borrower_id)
        return operations.propose(
            session,
            borrower_id=borrower.borrower_id,
            request=form.request(),
            comment=form.comment.data or "",
            form_key=form_key,
            ground=ground_of(connection, borrower.borrower_id, currency),
            report_id=report.report_id if report else None,
            signer=p.signer,
            now=now,
        )

    return p.db.write(unit)


def again(borrower: SignedInBorrower, desk: Desk, form: ProposeForm, *, readable: bool) -> tuple[str, int]:
    """The page that can mend what was wrong: the check page for a comment, else the first one."""
    facts = facts_of(desk, request.form, form, readable=readable)
    answer = facts["answer"]
    if answer is not None and answer.assessment.passes:
        more = check_facts(borrower, desk, answer)
        return render_template("borrower/propose/check.html", **facts, **more), 422
    return render_template("borrower/propose/page.html", **facts), 422


def token_plan(desk: Desk) -> Offer | None:
    """A plan that passes and asks as little as the bank allows, at first if it cannot be all along."""
    least = desk.ground.policy.minimum_instalment
    if least.currency != desk.currency:
        return None
    wish = TermsRequest(amount=least, pay_day=USUAL_DAY, loan_refs=desk.due_refs)
    small = policy.offer_of(wish, desk.ground)
    if small is not None:
        return small
    near = policy.nearest(wish, desk.ground)
    return next((offer for offer in near if offer.request.step), next(iter(near), None))


def desk_for(borrower: SignedInBorrower) -> Desk:
    """The borrower's ground today, in the currency asked for or the first with something due."""
    p = portal()
    with p.db.read() as connection:
        balance = balances_for(connection, borrower.borrower_id)
        currency = currency_of(balance)
        return Desk(
            ground=ground_of(connection, borrower.borrower_id, currency),
            balance=balance,
            currency=currency,
            negotiation=queries.open_negotiation_for(connection, borrower.borrower_id),
        )


def currency_of(balance: BorrowerBalance) -> str:
    """One plan is of one currency: the one asked for, the first with something due, the bank's own."""
    asked = request.values.get("currency", "")
    if asked in EXPONENTS and balance.total(asked) is not None:
        return asked
    due = (total.currency for total in balance.totals if total.due_now)
    return next(due, portal().settings.bank.currency)


def ground_of(connection: Connection, borrower_id: int, currency: str) -> Ground:
    """What a proposal is measured against today."""
    p = portal()
    return queries.ground_for(
        connection,
        p.keys,
        borrower_id,
        policy=Policy.of(p.settings.bank),
        working_days=p.working_days,
        today=p.clock.today(),
        currency=currency,
    )


def facts_of(
    desk: Desk, given: MultiDict[str, str], form: ProposeForm | None = None, *, readable: bool | None = None
) -> dict[str, Any]:
    """Everything the first page and its preview print; a form that was checked keeps its errors."""
    form = form or form_of(given, currency=desk.currency, loan_refs=desk.due_refs)
    if readable is None:
        form.day.validate(form)
    offers = policy.offers(desk.ground, base=form.base())
    if not form.plan.data:
        form.plan.data = str(offers[0].terms.count) if offers else "own"
    asked = "sent" in given or "plan" in given
    if readable is None:
        readable = form.check() if asked or not form.is_own else False
    return {
        "desk": desk,
        "form": form,
        "offers": offers,
        "answer": answer_of(form, desk.ground, show_all="all" in given) if readable else None,
        "show_errors": asked,
        "address_of": lambda wish: address_of(wish, desk.currency),
        "all_rows": {**given.to_dict(flat=False), "all": "1"},
        "form_key_kept": given.get("form_key"),
    }


def answer_of(form: ProposeForm, ground: Ground, *, show_all: bool) -> Answer:
    """The rules' answer to what the form asks."""
    wish = form.request()
    assessment = policy.examine(wish, ground)
    terms = assessment.terms
    rows = outline.rows_of(terms) if terms else ()
    limit = (
        outline.past_limit(terms, most=ground.policy.max_instalments, last_possible=ground.last_possible)
        if terms
        else None
    )
    return Answer(
        assessment=assessment,
        nearest=policy.nearest(wish, ground),
        figures=policy.affordability_of(terms, ground) if terms else None,
        rows=outline.shortened(rows, show_all=show_all),
        years=outline.calendar_of(terms.instalments, limit) if terms and limit else [],
        wished_count=policy.wished_count(wish, ground),
    )


def check_facts(borrower: SignedInBorrower, desk: Desk, answer: Answer) -> dict[str, Any]:
    """What the check page says beside the wishes: visits that pause, and claims that are old."""
    p = portal()
    with p.db.read() as connection:
        visits = visits_for(connection, p.keys, borrower.borrower_id)
    terms = answer.assessment.terms
    covered = {loan.loan_id for loan in terms.loans} if terms else set()
    years = jurisdictions.pack(p.settings.bank.jurisdiction).limitation_years
    now = p.clock.now()
    return {
        "coming": [visit for visit in visits if visit.state == "planned" and visit.ends_at > now],
        "years": years.value if years else None,
        "old": standing.past_limitation(
            (loan for loan in desk.balance.loans if loan.loan_id in covered),
            years=years.value if years else None,
            today=p.clock.today(),
        ),
    }
