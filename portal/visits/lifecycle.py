"""The life of a visit: announced, perhaps paused, at last done or called off."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class State(StrEnum):
    """Where a visit stands."""

    PLANNED = "planned"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class Action(StrEnum):
    """What may happen to it."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"


LIFECYCLE = Lifecycle(
    name="visit",
    initial=State.PLANNED,
    table={
        (State.PLANNED, Action.PAUSE): State.PAUSED,
        (State.PLANNED, Action.CANCEL): State.CANCELLED,
        (State.PLANNED, Action.FINISH): State.DONE,
        (State.PAUSED, Action.RESUME): State.PLANNED,
        (State.PAUSED, Action.CANCEL): State.CANCELLED,
    },
)
