"""One case as one screen: everything a reviewer looks at before deciding, read in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from portal.accounts.queries import (
    BorrowerBalance,
    CurrencyTotals,
    balances_for,
)
from portal.contacts.queries import HoldView, holds_in_force
from portal.dates import WorkingDays
from portal.documents.queries import DocumentView, sent_documents_for
from portal.hardship.affordability import Affordability
from portal.hardship.queries import ReportView, latest_report_for
from portal.keys import Keys
from portal.plans.lifecycle import WAITING, ProposalState
from portal.plans.policy import Finding, Ground, Policy, affordability_of, check
from portal.plans.queries import (
    NegotiationView,
    PlanView,
    ProposalView,
    ground_on,
    negotiation_view,
    plan_of_proposals,
)
from portal.reviews.four_eyes import Kind, may_sit, why_two
from portal.reviews.history import Happening, history_of
from portal.reviews.queries import CaseHead, DecisionView, case_head, decisions_of
from portal.reviews.ruling import Proposed, as_sent, outdated
from portal.visits.queries import VisitView, visits_for


@dataclass(frozen=True)
class Viewer:
    """The member of staff in front of the screen."""

    staff_id: int
    human_ref: str
    role: str


@dataclass(frozen=True)
class Turn:
    """Whose turn it is, seen from the viewer. `stage` 1 or 2 when somebody of the bank decides now;
    `may`: this viewer; `why_not`: ``role``, ``own_first``, ``own_second``."""

    stage: int | None
    may: bool
    why_not: str = ""


@dataclass(frozen=True)
class Screen:
    """One case. `asked` is the borrower's latest round, `deciding` the round that waits for the bank."""

    head: CaseHead
    case: NegotiationView
    asked: ProposalView
    deciding: ProposalView | None
    turn: Turn
    balance: BorrowerBalance
    total: CurrencyTotals | None
    #: the versions of the balances shown: sent back with a decision (S14)
    figures_seen: str
    report: ReportView | None
    documents: tuple[DocumentView, ...]
    ground: Ground
    #: the borrower's round as a decision looks at it
    proposed: Proposed
    findings: tuple[Finding, ...]
    affordability: Affordability | None
    #: why granting what is asked takes two people
    second_person: tuple[str, ...]
    #: why it cannot be granted as it is: first_date_passed, covers_too_much
    outdated: str | None
    decisions: tuple[DecisionView, ...]
    holds: tuple[HoldView, ...]
    visits: tuple[VisitView, ...]
    history: tuple[Happening, ...]
    #: the plan that came of it, as its schedule stands now
    plan: PlanView | None = None

    @property
    def waiting(self) -> DecisionView | None:
        """The first decision that waits for a second person."""
        if self.deciding is None or self.deciding.state != ProposalState.SECOND_APPROVAL:
            return None
        return self.decisions[-1]

    @property
    def latest(self) -> DecisionView | None:
        """The decision given last."""
        return self.decisions[-1] if self.decisions else None


def screen_for(
    connection: Connection,
    keys: Keys,
    reference: str,
    *,
    viewer: Viewer,
    policy: Policy,
    working_days: WorkingDays,
    currency: str,
    now: datetime,
    today: date,
    local_day: Callable[[datetime], date],
) -> Screen | None:
    """The whole screen of a case; None when there is no such case. `local_day` tells an instant's day at the bank."""
    head = case_head(connection, keys, reference)
    case = negotiation_view(connection, head.negotiation_id) if head else None
    if head is None or case is None or case.asked is None:
        return None
    borrower_id = head.borrower_id
    balance = balances_for(connection, borrower_id)
    report = latest_report_for(connection, keys, borrower_id)
    ground = ground_on(
        connection,
        borrower_id,
        balance=balance,
        report=report,
        policy=policy,
        working_days=working_days,
        today=today,
        currency=currency,
    )
    asked = case.asked
    proposed = Proposed(asked.terms, asked.terms_hash, local_day(asked.created_at))
    decisions = decisions_of(connection, case.id)
    deciding = case.current if case.current.state in WAITING else None
    return Screen(
        head=head,
        case=case,
        asked=asked,
        deciding=deciding,
        turn=turn_of(deciding, decisions, viewer),
        balance=balance,
        total=balance.total(currency),
        figures_seen=balance_version(balance),
        report=report,
        documents=sent_documents_for(connection, keys, borrower_id),
        ground=ground,
        proposed=proposed,
        findings=check(asked.terms, as_sent(proposed, ground)),
        affordability=affordability_of(asked.terms, ground),
        second_person=why_two(Kind.APPROVE, asked.terms, None, policy),
        outdated=outdated(asked.terms, ground) if deciding else None,
        decisions=decisions,
        holds=holds_in_force(connection, borrower_id, now=now),
        visits=visits_for(connection, keys, borrower_id),
        history=history_of(connection, case, decisions, now=now),
        plan=plan_of_proposals(connection, [one.id for one in case.rounds]),
    )


def balance_version(balance: BorrowerBalance) -> str:
    """The versions of the balances shown, in the form of `queries.figures_version`."""
    loans = sorted(balance.loans, key=lambda loan: loan.loan_id)
    return " ".join(f"{loan.loan_id}.{loan.version}.{loan.as_of:%Y%m%d}" for loan in loans)


def turn_of(deciding: ProposalView | None, decisions: tuple[DecisionView, ...], viewer: Viewer) -> Turn:
    """Whose turn it is on a round. What counts when a decision is sent is checked again then."""
    if deciding is None:
        return Turn(None, may=False)
    stage = 2 if deciding.state == ProposalState.SECOND_APPROVAL else 1
    for one in decisions:
        is_mine = one.staff_id == viewer.staff_id or one.human_ref == viewer.human_ref
        if one.proposal_id == deciding.id and is_mine and one.stage != stage:
            return Turn(stage, may=False, why_not="own_first" if one.stage == 1 else "own_second")
    if not may_sit(viewer.role, stage):
        return Turn(stage, may=False, why_not="role")
    return Turn(stage, may=True)
