"""The life of one try to take a batch in, as one table."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class RunState(StrEnum):
    """Where a try stands."""

    REFUSED = "refused"
    HELD = "held"
    RELEASED = "released"
    REJECTED = "rejected"
    APPLIED = "applied"
    UNDONE = "undone"
    REPLACED = "replaced"


class RunAction(StrEnum):
    """What can happen to one."""

    RELEASE = "release"
    REJECT = "reject"
    APPLY = "apply"
    UNDO = "undo"
    REPLACE = "replace"


#: A refused batch is tried again as a new one; a held one waits for somebody else's decision.
RUN = Lifecycle(
    name="intake run",
    initial=RunState.APPLIED,
    also_begins=(RunState.HELD, RunState.REFUSED),
    table={
        (RunState.HELD, RunAction.RELEASE): RunState.RELEASED,
        (RunState.HELD, RunAction.REJECT): RunState.REJECTED,
        # the bank has widened its limits meanwhile
        (RunState.HELD, RunAction.APPLY): RunState.APPLIED,
        (RunState.HELD, RunAction.REPLACE): RunState.REPLACED,
        (RunState.RELEASED, RunAction.REPLACE): RunState.REPLACED,
        (RunState.RELEASED, RunAction.REJECT): RunState.REJECTED,
        (RunState.RELEASED, RunAction.APPLY): RunState.APPLIED,
        (RunState.APPLIED, RunAction.UNDO): RunState.UNDONE,
    },
)
