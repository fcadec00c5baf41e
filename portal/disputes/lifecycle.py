"""The life of a complaint: received, looked into, answered and closed; longer only where a second person agrees."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class State(StrEnum):
    """Where a complaint stands."""

    RECEIVED = "received"
    LOOKING = "looking"
    #: somebody asked for more time; a second person decides
    TIME_ASKED = "time_asked"
    EXTENDED = "extended"
    ANSWERED = "answered"
    CLOSED = "closed"


class Action(StrEnum):
    """What may happen to it."""

    TAKE = "take"
    #: it is a complex one and has the longer time
    WIDEN = "widen"
    ASK_TIME = "ask_time"
    APPROVE = "approve"
    REFUSE = "refuse"
    ANSWER = "answer"
    CLOSE = "close"


LIFECYCLE = Lifecycle(
    name="complaint",
    initial=State.RECEIVED,
    table={
        (State.RECEIVED, Action.TAKE): State.LOOKING,
        (State.LOOKING, Action.WIDEN): State.LOOKING,
        (State.LOOKING, Action.ASK_TIME): State.TIME_ASKED,
        (State.TIME_ASKED, Action.APPROVE): State.EXTENDED,
        (State.TIME_ASKED, Action.REFUSE): State.LOOKING,
        (State.LOOKING, Action.ANSWER): State.ANSWERED,
        (State.EXTENDED, Action.ANSWER): State.ANSWERED,
        (State.ANSWERED, Action.CLOSE): State.CLOSED,
    },
)
#: Those that wait for the bank.
OPEN = (State.RECEIVED, State.LOOKING, State.TIME_ASKED, State.EXTENDED)
