"""When two people decide, and who may be which of them. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from portal.plans.policy import Policy
from portal.plans.terms import Terms


class Kind(StrEnum):
    """What a reviewer decides. ``confirm`` and ``send_back`` are the second person's words."""

    APPROVE = "approve"
    COUNTER = "counter"
    ASK = "ask"
    DECLINE = "decline"
    CONFIRM = "confirm"
    SEND_BACK = "send_back"


#: Which stage each word belongs to.
FIRST = frozenset({Kind.APPROVE, Kind.COUNTER, Kind.ASK, Kind.DECLINE})
SECOND = frozenset({Kind.CONFIRM, Kind.SEND_BACK})

#: Who may sit where. The supervisor's is the second pair of eyes.
ROLES: Mapping[int, frozenset[str]] = {1: frozenset({"reviewer", "supervisor"}), 2: frozenset({"supervisor"})}


def stage_of(kind: Kind) -> int:
    """1 for a first decision, 2 for the second person's word."""
    return 2 if kind in SECOND else 1


def may_sit(role: str, stage: int) -> bool:
    """Whether somebody of this role may decide at this stage."""
    return role in ROLES[stage]


def second_person_reasons(terms: Terms, policy: Policy) -> tuple[str, ...]:
    """Why granting these terms takes two people, as stable codes; empty when one may.

    ``above_limit`` (what the plan covers is more than the bank's figure), ``interest_frozen``,
    ``amount_waived``. Penalty interest that rests while a plan is kept is the rule, no concession.
    """
    reasons = []
    if terms.covered > policy.second_person_above:
        reasons.append("above_limit")
    if terms.freeze_interest:
        reasons.append("interest_frozen")
    if terms.waived:
        reasons.append("amount_waived")
    return tuple(reasons)


def why_two(kind: Kind, proposed: Terms, offer: Terms | None, policy: Policy) -> tuple[str, ...]:
    """Why this first decision needs a second person; empty when it does not.

    A decline gives nothing away, but above the limit it takes two people like every answer does. A
    question is no answer.
    """
    if kind is Kind.ASK:
        return ()
    if kind is Kind.DECLINE:
        return tuple(code for code in second_person_reasons(proposed, policy) if code == "above_limit")
    return second_person_reasons(offer if kind is Kind.COUNTER and offer else proposed, policy)
