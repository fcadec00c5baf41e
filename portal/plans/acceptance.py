"""Accepting an offer: from the borrower's confirmed yes to a plan in force, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.accounts.models import LoanBalance
from portal.accounts.operations import UnableToPost, post_waiver
from portal.audit import Actor
from portal.contacts.operations import lift_hold, place_hold
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.messages.operations import queue
from portal.papers.faces import PaperFace
from portal.plans.agreement import Writer, content_hash, content_of, content_text, drafts, signed_facts
from portal.plans.lifecycle import PLAN, ProposalAction
from portal.plans.models import Agreement, Plan, PlanInstalment, PlanLoan, Proposal
from portal.plans.rounds import (
    PLAN_IN_FORCE,
    PROPOSAL_OPEN,
    StaleProposal,
    UnknownProposal,
    close,
    hold_source,
    lock_borrower,
    move,
)
from portal.plans.terms import Terms
from portal.signing import Signer
from portal.visits.operations import cancel_visits


class OfferLapsed(Exception):
    """The day to answer has passed; nothing was agreed."""


class LoanInPlan(Exception):
    """A loan of these terms is under another plan in force already."""


class BalanceChanged(Exception):
    """Less is left on a loan than the terms cover: something was paid or posted since."""


@dataclass(frozen=True, slots=True)
class Signatory:
    """How the borrower confirmed: the used challenge, and the language the words were read in."""

    borrower_id: int
    challenge_id: int
    language: str


@dataclass(frozen=True, slots=True)
class PlanMade:
    """The plan that came of it."""

    plan_id: int
    reference: str
    agreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    proposal_id: int
    version: int
    terms: Terms


def accept(
    session: Session,
    *,
    keys: Keys,
    signer: Signer,
    pack: Jurisdiction,
    signatory: Signatory,
    proposal_id: int,
    version: int,
    terms_hash: str,
    write: Writer,
    host: str,
    demonstration: bool,
    today: date,
    now: datetime,
    real_now: datetime,
) -> PlanMade:
    """Make the plan of an approved proposal or a counter-offer, exactly once.

    `terms_hash` is what the borrower saw and confirmed with the one-time code. Raises StaleProposal,
    NotAllowed, OfferLapsed, LoanInPlan, BalanceChanged; each leaves everything as it was.
    """
    borrower_id = signatory.borrower_id
    actor = Actor("borrower", str(borrower_id))
    lock_borrower(session, borrower_id)
    offer = _offer_for(session, borrower_id, proposal_id, version, terms_hash, now)
    moved = move(
        session,
        proposal_id=proposal_id,
        version=version,
        action=ProposalAction.ACCEPT,
        actor=actor,
        now=now,
        borrower_id=borrower_id,
        only=(Proposal.terms_hash == terms_hash) & (Proposal.lapses_at > now),
        facts={"challenge": signatory.challenge_id},
    )
    _check_balances(session, offer.terms)
    plan = _add_plan(session, borrower_id, offer, now)
    agreements = _add_agreements(session, plan, offer.terms, pack, signatory, signer, write, today, now)
    _post_waivers(session, plan, offer.terms, today, now)
    close(session, negotiation_id=moved.negotiation_id, now=now)
    _stop_collection(session, borrower_id, moved.negotiation_id, plan.id, actor, now)
    queue(
        session,
        keys=keys,
        borrower_id=borrower_id,
        kind="agreement",
        params={"host": host, "reference": plan.reference},
        dedupe_key=f"agreement:{plan.id}",
        asked_for=True,
        real_now=real_now,
        demonstration=demonstration,
    )
    audit.record(
        session,
        actor=actor,
        event="plans.plan_made",
        subject_kind="plan",
        subject_ref=plan.reference,
        now=now,
        facts={"proposal": moved.reference, "terms_hash": terms_hash, "agreements": list(agreements)},
    )
    return PlanMade(plan.id, plan.reference, agreements)


def _offer_for(
    session: Session, borrower_id: int, proposal_id: int, version: int, terms_hash: str, now: datetime
) -> _Offer:
    row = session.execute(
        select(
            Proposal.state,
            Proposal.version,
            Proposal.terms_text,
            Proposal.terms_hash,
            Proposal.lapses_at,
        ).where(Proposal.id == proposal_id, Proposal.borrower_id == borrower_id)
    ).one_or_none()
    if row is None:
        raise UnknownProposal(proposal_id)
    terms = Terms.parse(row.terms_text)
    if row.version != version or not terms.digest() == row.terms_hash == terms_hash:
        raise StaleProposal(proposal_id, row.state)
    if row.lapses_at is not None and row.lapses_at <= now:
        raise OfferLapsed
    return _Offer(proposal_id, version, terms)


def _check_balances(session: Session, terms: Terms) -> None:
    """No agreement over more than is left: what was paid since the offer calls for new terms."""
    for loan in terms.loans:
        row = session.execute(
            select(LoanBalance).where(LoanBalance.loan_id == loan.loan_id).with_for_update()
        ).scalar_one()
        if row.left_minor < loan.covered.minor:
            raise BalanceChanged


def _add_plan(session: Session, borrower_id: int, offer: _Offer, now: datetime) -> Plan:
    terms = offer.terms
    plan = Plan(
        created_at=now,
        reference=new_reference("P"),
        borrower_id=borrower_id,
        proposal_id=offer.proposal_id,
        terms_hash=terms.digest(),
        currency=terms.currency,
        state=PLAN.initial,
    )
    session.add(plan)
    session.flush()
    for loan in terms.loans:
        session.add(PlanLoan(plan_id=plan.id, loan_id=loan.loan_id, covered_minor=loan.covered.minor))
    for part in terms.payments:
        session.add(
            PlanInstalment(
                plan_id=plan.id, number=part.number, due_on=part.due_on, amount_minor=part.amount.minor
            )
        )
    try:
        session.flush()
    except IntegrityError:
        raise LoanInPlan from None
    return plan


def _add_agreements(
    session: Session,
    plan: Plan,
    terms: Terms,
    pack: Jurisdiction,
    signatory: Signatory,
    signer: Signer,
    write: Writer,
    today: date,
    now: datetime,
) -> tuple[str, ...]:
    references = []
    for draft in drafts(terms, pack):
        reference = new_reference("A")
        text = content_text(content_of(draft, write(draft), language=signatory.language))
        digest = content_hash(text)
        session.add(
            Agreement(
                created_at=now,
                reference=reference,
                plan_id=plan.id,
                product_class=draft.product_class,
                language=signatory.language,
                content_text=text,
                content_hash=digest,
                signature=signer.sign(signed_facts(reference, digest)),
                key_id=signer.key_id,
                challenge_id=signatory.challenge_id,
            )
        )
        session.add(PaperFace(reference=reference, issued_on=today, digest=digest))
        references.append(reference)
    session.flush()
    return tuple(references)


def _post_waivers(session: Session, plan: Plan, terms: Terms, today: date, now: datetime) -> None:
    for loan in terms.loans:
        if not loan.waived:
            continue
        try:
            post_waiver(
                session,
                loan_id=loan.loan_id,
                parts={component: amount.minor for component, amount in loan.waived},
                posted_on=today,
                line_ref=f"{plan.reference}/{loan.loan_ref}"[:48],
                memo=plan.reference,
                now=now,
            )
        except UnableToPost:
            raise BalanceChanged from None


def _stop_collection(
    session: Session, borrower_id: int, negotiation_id: int, plan_id: int, actor: Actor, now: datetime
) -> None:
    """Visits are off for good and contacts stop while the plan is in force."""
    place_hold(
        session,
        borrower_id=borrower_id,
        kind="stop",
        reason=PLAN_IN_FORCE,
        source=f"plan:{plan_id}",
        now=now,
        actor=actor,
    )
    lift_hold(session, source=hold_source(negotiation_id), reason=PROPOSAL_OPEN, now=now, actor=actor)
    cancel_visits(session, borrower_id=borrower_id, reason=PLAN_IN_FORCE, actor=actor, now=now)
