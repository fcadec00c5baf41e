"""The life of a visit: announced, perhaps moved or paused, at last made, refused or called off."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class State(StrEnum):
    """Where a visit stands. Only a planned one is made."""

    PLANNED = "planned"
    PAUSED = "paused"
    #: the borrower wants to meet elsewhere; nobody comes until the bank has answered
    PLACE_ASKED = "place_asked"
    #: the borrower does not want this visit
    REFUSED = "refused"
    CANCELLED = "cancelled"
    DONE = "done"


class Action(StrEnum):
    """What may happen to it."""

    MOVE = "move"
    PAUSE = "pause"
    RESUME = "resume"
    ASK_PLACE = "ask_place"
    AGREE_PLACE = "agree_place"
    REFUSE = "refuse"
    CANCEL = "cancel"
    FINISH = "finish"


LIFECYCLE = Lifecycle(
    name="visit",
    initial=State.PLANNED,
    table={
        (State.PLANNED, Action.MOVE): State.PLANNED,
        (State.PLANNED, Action.PAUSE): State.PAUSED,
        (State.PLANNED, Action.ASK_PLACE): State.PLACE_ASKED,
        (State.PLANNED, Action.REFUSE): State.REFUSED,
        (State.PLANNED, Action.CANCEL): State.CANCELLED,
        (State.PLANNED, Action.FINISH): State.DONE,
        (State.PAUSED, Action.RESUME): State.PLANNED,
        (State.PAUSED, Action.REFUSE): State.REFUSED,
        (State.PAUSED, Action.CANCEL): State.CANCELLED,
        (State.PLACE_ASKED, Action.AGREE_PLACE): State.PLANNED,
        (State.PLACE_ASKED, Action.REFUSE): State.REFUSED,
        (State.PLACE_ASKED, Action.CANCEL): State.CANCELLED,
    },
)
