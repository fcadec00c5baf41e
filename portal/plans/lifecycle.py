"""The lives of a proposal and of a plan: states, actions, and the only moves there are."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class ProposalState(StrEnum):
    """Where one round stands. "countered" is the bank's own round, waiting for the borrower."""

    SUBMITTED = "submitted"
    SECOND_APPROVAL = "second_approval"
    MORE_ASKED = "more_asked"
    APPROVED = "approved"
    COUNTERED = "countered"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class ProposalAction(StrEnum):
    """What can happen to a round. The borrower withdraws, supersedes, supplies, accepts, declines an
    offer; a reviewer asks, refers, sends back, approves, counters, declines; time lapses an offer."""

    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"
    SUPPLY = "supply"
    ASK = "ask"
    REFER = "refer"
    SEND_BACK = "send_back"
    APPROVE = "approve"
    COUNTER = "counter"
    DECLINE = "decline"
    ACCEPT = "accept"
    DECLINE_OFFER = "decline_offer"
    LAPSE = "lapse"


_S, _A = ProposalState, ProposalAction

PROPOSAL: Lifecycle[ProposalState, ProposalAction] = Lifecycle(
    name="proposal",
    initial=_S.SUBMITTED,
    also_begins=(_S.COUNTERED,),
    table={
        (_S.SUBMITTED, _A.WITHDRAW): _S.WITHDRAWN,
        (_S.SUBMITTED, _A.SUPERSEDE): _S.SUPERSEDED,
        (_S.SUBMITTED, _A.ASK): _S.MORE_ASKED,
        (_S.SUBMITTED, _A.REFER): _S.SECOND_APPROVAL,
        (_S.SUBMITTED, _A.APPROVE): _S.APPROVED,
        (_S.SUBMITTED, _A.COUNTER): _S.SUPERSEDED,
        (_S.SUBMITTED, _A.DECLINE): _S.DECLINED,
        (_S.MORE_ASKED, _A.WITHDRAW): _S.WITHDRAWN,
        (_S.MORE_ASKED, _A.SUPERSEDE): _S.SUPERSEDED,
        (_S.MORE_ASKED, _A.SUPPLY): _S.SUBMITTED,
        (_S.MORE_ASKED, _A.REFER): _S.SECOND_APPROVAL,
        (_S.MORE_ASKED, _A.APPROVE): _S.APPROVED,
        (_S.MORE_ASKED, _A.COUNTER): _S.SUPERSEDED,
        (_S.MORE_ASKED, _A.DECLINE): _S.DECLINED,
        (_S.SECOND_APPROVAL, _A.WITHDRAW): _S.WITHDRAWN,
        (_S.SECOND_APPROVAL, _A.SUPERSEDE): _S.SUPERSEDED,
        (_S.SECOND_APPROVAL, _A.SEND_BACK): _S.SUBMITTED,
        (_S.SECOND_APPROVAL, _A.APPROVE): _S.APPROVED,
        (_S.SECOND_APPROVAL, _A.COUNTER): _S.SUPERSEDED,
        (_S.SECOND_APPROVAL, _A.DECLINE): _S.DECLINED,
        (_S.APPROVED, _A.ACCEPT): _S.ACCEPTED,
        (_S.APPROVED, _A.SUPERSEDE): _S.SUPERSEDED,
        (_S.APPROVED, _A.DECLINE_OFFER): _S.WITHDRAWN,
        (_S.APPROVED, _A.LAPSE): _S.LAPSED,
        (_S.COUNTERED, _A.ACCEPT): _S.ACCEPTED,
        (_S.COUNTERED, _A.SUPERSEDE): _S.SUPERSEDED,
        (_S.COUNTERED, _A.DECLINE_OFFER): _S.WITHDRAWN,
        (_S.COUNTERED, _A.LAPSE): _S.LAPSED,
    },
)

#: Rounds that wait for the bank, and rounds that wait for the borrower's yes.
WAITING = (_S.SUBMITTED, _S.SECOND_APPROVAL, _S.MORE_ASKED)
OFFERED = (_S.APPROVED, _S.COUNTERED)
OPEN = (*WAITING, *OFFERED)


class PlanState(StrEnum):
    """Where a plan stands. Overdue and missed are never states: they follow from dates and receipts."""

    ACTIVE = "active"
    COMPLETED = "completed"
    BROKEN = "broken"
    CANCELLED = "cancelled"


class PlanAction(StrEnum):
    """What ends a plan: the last payment, the bank after notice, or both sides before it began."""

    COMPLETE = "complete"
    BREAK = "break"
    CANCEL = "cancel"


PLAN: Lifecycle[PlanState, PlanAction] = Lifecycle(
    name="plan",
    initial=PlanState.ACTIVE,
    table={
        (PlanState.ACTIVE, PlanAction.COMPLETE): PlanState.COMPLETED,
        (PlanState.ACTIVE, PlanAction.BREAK): PlanState.BROKEN,
        (PlanState.ACTIVE, PlanAction.CANCEL): PlanState.CANCELLED,
    },
)
