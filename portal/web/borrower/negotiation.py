"""The negotiation: waiting for the bank, its offer term by term, and saying yes, no or something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.contacts.queries import HoldView, holds_in_force
from portal.plans import comparison, operations, outline
from portal.plans.policy import Policy
from portal.plans.queries import NegotiationView, ProposalView, latest_negotiation_for, proposal_for
from portal.reviews.queries import Answer, DecisionView, answer_for, decisions_of
from portal.states import NotAllowed
from portal.web.borrower.propose_form import address_of
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("negotiation", __name__)

#: Which page a round's state leads to; accepted and withdrawn rounds lead to the plan page.
PAGES = {
    "submitted": "waiting",
    "second_approval": "waiting",
    "more_asked": "more_asked",
    "countered": "countered",
    "approved": "approved",
    "declined": "declined",
    "lapsed": "lapsed",
}


@dataclass(frozen=True)
class Stage:
    """Everything a negotiation page prints."""

    negotiation: NegotiationView
    kind: str
    answer: Answer | None
    decisions: tuple[DecisionView, ...]
    holds: tuple[HoldView, ...]
    now: datetime
    today: date

    @property
    def round(self) -> ProposalView:
        """The round that stands last."""
        return self.negotiation.current

    @property
    def last_day(self) -> date | None:
        """The last day on which an offer can be accepted."""
        lapses_at = self.round.lapses_at
        return portal().clock.local(lapses_at - timedelta(seconds=1)).date() if lapses_at else None

    @property
    def days_left(self) -> int:
        """Days until the offer lapses, today not counted."""
        return (self.last_day - self.today).days if self.last_day else 0

    @property
    def working_days_left(self) -> int:
        """Working days the bank still has; below nought when it is late."""
        return portal().working_days.between(self.today, self.negotiation.answer_due_on)

    @property
    def working_days_used(self) -> int:
        """Working days between sending and the answer, or until today."""
        asked = self.negotiation.asked or self.round
        clock, until = portal().clock, self.decided
        end = clock.local(until.decided_at).date() if until else self.today
        return max(portal().working_days.between(clock.local(asked.created_at).date(), end), 0)

    @property
    def decided(self) -> DecisionView | None:
        """The decision that stands."""
        return next((one for one in reversed(self.decisions) if one.effective), None)

    @property
    def two_people(self) -> bool:
        """Whether a second person looked at it."""
        return any(one.stage == 2 for one in self.decisions)


@blueprint.get("/plan/negotiation")
@borrower_only
def page(borrower: SignedInBorrower) -> str | Response:
    """The page of the state the last case is in; without a case, the plan page."""
    stage = stage_for(borrower)
    if stage is None:
        return redirect(url_for("borrower.plan.page"), 303)
    policy = Policy.of(portal().settings.bank)
    return render_template(
        f"borrower/negotiation/{stage.kind}.html", stage=stage, policy=policy, **_facts(stage)
    )


@blueprint.get("/plan/negotiation/<verb>/<reference>")
@borrower_only
def confirm(borrower: SignedInBorrower, verb: str, reference: str) -> str | Response:
    """Say once more what taking back or declining means, before it is done."""
    if verb not in VERBS:
        abort(404)
    proposal = _round_for(borrower, reference)
    if proposal.state not in VERBS[verb].states:
        return redirect(url_for("borrower.negotiation.page", moved=1), 303)
    return render_template(f"borrower/negotiation/{verb}.html", proposal=proposal)


@blueprint.post("/plan/negotiation/<verb>/<reference>")
@borrower_only
def leave(borrower: SignedInBorrower, verb: str, reference: str) -> Response:
    """Take the round back, or decline the offer; once, and only the round that was looked at."""
    if verb not in VERBS:
        abort(404)
    p = portal()
    proposal = _round_for(borrower, reference)
    version, now = whole_number(request.form.get("version")), p.clock.now()
    act = VERBS[verb].act
    try:
        p.db.write(
            lambda session: act(
                session,
                borrower_id=borrower.borrower_id,
                proposal_id=proposal.id,
                version=version,
                now=now,
            )
        )
    except (operations.StaleProposal, NotAllowed):
        return redirect(url_for("borrower.plan.page", moved=1), 303)
    return redirect(url_for("borrower.plan.page", done=verb), 303)


@blueprint.post("/plan/negotiation/supplied")
@borrower_only
def supplied(borrower: SignedInBorrower) -> Response:
    """What was asked for has been sent: the bank's clock starts again."""
    p = portal()
    days = Policy.of(p.settings.bank).decision_working_days
    due_on, now = p.working_days.add(p.clock.today(), days), p.clock.now()

    def unit(session: Session) -> bool:
        return operations.supply(
            session, borrower_id=borrower.borrower_id, today_answer_due_on=due_on, now=now
        )

    sent = p.db.write(unit)
    return redirect(url_for("borrower.negotiation.page", moved=None if sent else 1), 303)


@dataclass(frozen=True)
class Verb:
    """What a borrower can do with a round here, and in which states it is offered."""

    act: Callable[..., None]
    states: tuple[str, ...]


VERBS = {
    "withdraw": Verb(operations.withdraw, ("submitted", "second_approval", "more_asked")),
    "decline": Verb(operations.decline_offer, ("approved", "countered")),
}


def _round_for(borrower: SignedInBorrower, reference: str) -> ProposalView:
    with portal().db.read() as connection:
        proposal = proposal_for(connection, borrower.borrower_id, reference)
    if proposal is None:
        abort(404)
    return proposal


def stage_for(borrower: SignedInBorrower) -> Stage | None:
    """Where the borrower's last case stands; None where the plan page has the word."""
    p = portal()
    now = p.clock.now()
    with p.db.read() as connection:
        negotiation = latest_negotiation_for(connection, borrower.borrower_id)
        if negotiation is None:
            return None
        current = negotiation.current
        kind = "lapsed" if current.has_lapsed(now) else PAGES.get(current.state)
        if kind is None:
            return None
        return Stage(
            negotiation=negotiation,
            kind=kind,
            answer=answer_for(connection, borrower.borrower_id, current.id),
            decisions=decisions_of(connection, negotiation.id),
            holds=holds_in_force(connection, borrower.borrower_id, now=now),
            now=now,
            today=p.clock.today(),
        )


def _facts(stage: Stage) -> dict[str, Any]:
    """The comparison of an offer with what was asked, and the addresses that begin from given terms."""
    terms = stage.round.terms
    facts: dict[str, Any] = {
        "change": address_of(terms.as_request(), terms.currency),
        "local": portal().clock.local,
    }
    asked = stage.negotiation.asked
    if stage.kind == "countered" and asked is not None:
        facts["asked"] = asked
        facts["rows"] = comparison.compare(asked.terms, terms)
        days = [row.moved_from for row in outline.rows_of(terms) if row.number]
        facts["moved"] = {"first": days[0], "last": days[-1]}
    if stage.kind == "declined" and stage.answer is not None and stage.answer.nearest is not None:
        nearest = stage.answer.nearest
        facts["nearest"] = nearest
        facts["nearest_address"] = address_of(nearest.as_request(), nearest.currency)
    return facts
