"""What can be complained about, how it can be answered, and what may be said of conduct. Codes only; pure."""

from __future__ import annotations

from portal.disputes.record import BREACHES

#: visit: an announced one; stranger: a visit that was never announced, or of which nothing was written down
ABOUT = ("visit", "stranger", "call", "message", "figure", "other")
#: Those of which conduct can be named.
OF_CONDUCT = frozenset({"visit", "stranger", "call", "message"})
CONDUCT = (*BREACHES, "too_often", "bad_hours")
#: What can only be done by somebody who stands at the door.
_AT_THE_DOOR = frozenset({"no_identity", "no_authority", "no_purpose", "came_in", "did_not_leave"})
#: How one is answered: of a figure it may be put right.
OUTCOMES = ("upheld", "corrected", "not_upheld")
#: Parts of a figure that can be disputed (accounts.balance.COMPONENTS).
COMPONENTS = ("principal", "interest", "penalty_interest", "fee", "cost")
LONGEST = 4_000


def conduct_of(about: str) -> tuple[str, ...]:
    """What may not have been right about this: nobody comes in by telephone."""
    if about not in OF_CONDUCT:
        return ()
    if about in ("visit", "stranger"):
        return CONDUCT
    return tuple(code for code in CONDUCT if code not in _AT_THE_DOOR)


def outcomes_of(about: str) -> tuple[str, ...]:
    """The ways in which a complaint about this can be answered."""
    return OUTCOMES if about == "figure" else ("upheld", "not_upheld")
