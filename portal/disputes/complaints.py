"""What can be complained about, how it can be answered, and what may be said of conduct. Codes only; pure."""

from __future__ import annotations

from portal.disputes.record import BREACHES

#: visit: an announced one; stranger: a visit that was never announced, or of which nothing was written down
ABOUT = ("visit", "stranger", "call", "message", "figure", "other")
#: Those of which conduct can be named.
OF_CONDUCT = frozenset({"visit", "stranger", "call", "message"})
CONDUCT = (*BREACHES, "too_often", "bad_hours")
#: How one is answered: of a figure it may be put right.
OUTCOMES = ("upheld", "corrected", "not_upheld")
#: Parts of a figure that can be disputed (accounts.balance.COMPONENTS).
COMPONENTS = ("principal", "interest", "penalty_interest", "fee", "cost")
LONGEST = 4_000


def outcomes_of(about: str) -> tuple[str, ...]:
    """The ways in which a complaint about this can be answered."""
    return OUTCOMES if about == "figure" else ("upheld", "not_upheld")
