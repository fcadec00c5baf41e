"""The life of a breach: found, and worked by a supervisor. What the agency was told can follow a note."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class BreachState(StrEnum):
    """Where a breach stands."""

    OPEN = "open"
    NOTED = "noted"
    TOLD = "told"


class BreachAction(StrEnum):
    """What may happen to it."""

    NOTE = "note"
    TELL = "tell"


LIFECYCLE = Lifecycle(
    name="contact breach",
    initial=BreachState.OPEN,
    table={
        (BreachState.OPEN, BreachAction.NOTE): BreachState.NOTED,
        (BreachState.OPEN, BreachAction.TELL): BreachState.TOLD,
        (BreachState.NOTED, BreachAction.TELL): BreachState.TOLD,
    },
)
