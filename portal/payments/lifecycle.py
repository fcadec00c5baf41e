"""The life of a payment, from the click to the ledger, as one table.

The states are ranked: an event that comes late or twice can raise a payment, never lower it, so
that the order in which a provider delivers its events makes no difference (P2).
"""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class PaymentState(StrEnum):
    """Where a payment stands."""

    CREATED = "created"
    PROCESSING = "processing"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    POSTED = "posted"


class PaymentAction(StrEnum):
    """What can happen to a payment."""

    PROCESS = "process"
    FAIL = "fail"
    CANCEL = "cancel"
    SUCCEED = "succeed"
    POST = "post"


#: States in which money may still come although nobody can start the same payment again.
OPEN_STATES = (PaymentState.CREATED, PaymentState.PROCESSING)

#: Money that has arrived is the truth, whatever was said before: every earlier state leads to succeeded.
PAYMENT = Lifecycle(
    name="payment",
    initial=PaymentState.CREATED,
    table={
        (PaymentState.CREATED, PaymentAction.PROCESS): PaymentState.PROCESSING,
        (PaymentState.CREATED, PaymentAction.FAIL): PaymentState.FAILED,
        (PaymentState.CREATED, PaymentAction.CANCEL): PaymentState.CANCELLED,
        (PaymentState.CREATED, PaymentAction.SUCCEED): PaymentState.SUCCEEDED,
        (PaymentState.PROCESSING, PaymentAction.FAIL): PaymentState.FAILED,
        (PaymentState.PROCESSING, PaymentAction.CANCEL): PaymentState.CANCELLED,
        (PaymentState.PROCESSING, PaymentAction.SUCCEED): PaymentState.SUCCEEDED,
        (PaymentState.FAILED, PaymentAction.CANCEL): PaymentState.CANCELLED,
        (PaymentState.FAILED, PaymentAction.SUCCEED): PaymentState.SUCCEEDED,
        (PaymentState.CANCELLED, PaymentAction.SUCCEED): PaymentState.SUCCEEDED,
        (PaymentState.SUCCEEDED, PaymentAction.POST): PaymentState.POSTED,
    },
)


class MoveState(StrEnum):
    """Where what the desk does with money without a place stands."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class MoveAction(StrEnum):
    """What can happen to it."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    FINISH = "finish"
    FAIL = "fail"


SUSPENSE_MOVE = Lifecycle(
    name="suspense move",
    initial=MoveState.ASKED,
    table={
        (MoveState.ASKED, MoveAction.CONFIRM): MoveState.CONFIRMED,
        (MoveState.ASKED, MoveAction.REFUSE): MoveState.REFUSED,
        (MoveState.CONFIRMED, MoveAction.FINISH): MoveState.DONE,
        (MoveState.CONFIRMED, MoveAction.FAIL): MoveState.FAILED,
    },
)


class DifferenceState(StrEnum):
    """Where the work on a difference stands."""

    OPEN = "open"
    EXPLAINED = "explained"
    MATCHED = "matched"
    IN_SUSPENSE = "in_suspense"
    RESOLVED = "resolved"
    CLOSED = "closed"


class DifferenceAction(StrEnum):
    """What can be done about a difference; `close` and `find` are the run's own."""

    EXPLAIN = "explain"
    MATCH = "match"
    SET_ASIDE = "set_aside"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    FIND = "find"


#: Worked by hand, a difference stays as it is however often the day is run; only what fits closes.
_WORKABLE = (DifferenceState.OPEN, DifferenceState.EXPLAINED)
DIFFERENCE = Lifecycle(
    name="difference",
    initial=DifferenceState.OPEN,
    table={
        **{(state, DifferenceAction.EXPLAIN): DifferenceState.EXPLAINED for state in _WORKABLE},
        **{(state, DifferenceAction.MATCH): DifferenceState.MATCHED for state in _WORKABLE},
        **{(state, DifferenceAction.SET_ASIDE): DifferenceState.IN_SUSPENSE for state in _WORKABLE},
        **{(state, DifferenceAction.RESOLVE): DifferenceState.RESOLVED for state in _WORKABLE},
        **{(state, DifferenceAction.CLOSE): DifferenceState.CLOSED for state in _WORKABLE},
        (DifferenceState.IN_SUSPENSE, DifferenceAction.CLOSE): DifferenceState.CLOSED,
        (DifferenceState.CLOSED, DifferenceAction.FIND): DifferenceState.OPEN,
        (DifferenceState.RESOLVED, DifferenceAction.REOPEN): DifferenceState.OPEN,
        (DifferenceState.MATCHED, DifferenceAction.REOPEN): DifferenceState.OPEN,
        (DifferenceState.EXPLAINED, DifferenceAction.REOPEN): DifferenceState.OPEN,
    },
)
