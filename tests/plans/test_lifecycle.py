"""Every (state, action) pair of proposals and plans: only the listed moves exist (S6, S7)."""

from __future__ import annotations

import pytest

from portal.plans.lifecycle import (
    OPEN,
    PLAN,
    PROPOSAL,
    PlanAction,
    PlanState,
    ProposalAction,
    ProposalState,
)
from portal.states import NotAllowed

ALLOWED = {
    "submitted": {"withdraw", "supersede", "ask", "refer", "approve", "counter", "decline"},
    "more_asked": {"withdraw", "supersede", "supply", "refer", "approve", "counter", "decline"},
    "second_approval": {"withdraw", "supersede", "send_back", "approve", "counter", "decline"},
    "approved": {"accept", "supersede", "decline_offer", "lapse"},
    "countered": {"accept", "supersede", "decline_offer", "lapse"},
}


@pytest.mark.parametrize("state", list(ProposalState))
@pytest.mark.parametrize("action", list(ProposalAction))
def test_every_proposal_pair(state: ProposalState, action: ProposalAction) -> None:
    if action in ALLOWED.get(state, set()):
        assert PROPOSAL.after(state, action) in ProposalState
    else:
        with pytest.raises(NotAllowed):
            PROPOSAL.after(state, action)


@pytest.mark.parametrize("state", list(PlanState))
@pytest.mark.parametrize("action", list(PlanAction))
def test_every_plan_pair(state: PlanState, action: PlanAction) -> None:
    assert PLAN.allows(state, action) == (state is PlanState.ACTIVE)


def test_each_action_leads_to_one_state_wherever_it_is_taken() -> None:
    for action in ProposalAction:
        assert len({target for (_, act), target in PROPOSAL.table.items() if act is action}) == 1


def test_what_is_not_open_has_no_way_out() -> None:
    for state in set(ProposalState) - set(OPEN):
        assert not any(PROPOSAL.allows(state, action) for action in ProposalAction)
