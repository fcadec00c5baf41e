"""The life of a breach (found, and worked by a supervisor; what the agency was told can follow a note), and of
a report that a number is somebody else's."""

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


class NumberState(StrEnum):
    """Where a report of a wrong number stands."""

    OPEN = "open"
    CORRECTED = "corrected"
    RIGHT = "right"
    NEVER = "never"


class NumberAction(StrEnum):
    """The core has another number; the number is right after all; never again to it; it was reported again."""

    CORRECT = "correct"
    KEEP = "keep"
    BAR = "bar"
    REPORT = "report"


_ANSWERED = (NumberState.CORRECTED, NumberState.RIGHT, NumberState.NEVER)

NUMBERS = Lifecycle(
    name="wrong number",
    initial=NumberState.OPEN,
    table={
        (NumberState.OPEN, NumberAction.CORRECT): NumberState.CORRECTED,
        (NumberState.OPEN, NumberAction.KEEP): NumberState.RIGHT,
        (NumberState.OPEN, NumberAction.BAR): NumberState.NEVER,
        **{(state, NumberAction.REPORT): NumberState.OPEN for state in _ANSWERED},
    },
)
