"""The life of a message, from queued to handed over. What became of it may stay unknown for ever."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class State(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class Action(StrEnum):
    """What may happen to it."""

    CLAIM = "claim"
    HAND_OVER = "hand_over"
    PUT_BACK = "put_back"
    REFUSE = "refuse"
    LOSE = "lose"
    EXPIRE = "expire"


LIFECYCLE = Lifecycle(
    name="message",
    initial=State.QUEUED,
    table={
        (State.QUEUED, Action.CLAIM): State.SENDING,
        (State.QUEUED, Action.EXPIRE): State.EXPIRED,
        (State.SENDING, Action.HAND_OVER): State.SENT,
        (State.SENDING, Action.PUT_BACK): State.QUEUED,
        (State.SENDING, Action.REFUSE): State.FAILED,
        (State.SENDING, Action.LOSE): State.UNKNOWN,
    },
)
