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
    PART_REFUND = "part_refund"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class PaymentAction(StrEnum):
    """What can happen to a payment."""

    PROCESS = "process"
    FAIL = "fail"
    CANCEL = "cancel"
    SUCCEED = "succeed"
    POST = "post"
    REFUND_PART = "refund_part"
    REFUND = "refund"
    DISPUTE = "dispute"
    RESTORE = "restore"


#: States in which money may still come although nobody can start the same payment again.
OPEN_STATES = (PaymentState.CREATED, PaymentState.PROCESSING)

#: States of a payment that was credited, whatever of it went back since.
CREDITED_STATES = (
    PaymentState.POSTED,
    PaymentState.PART_REFUND,
    PaymentState.REFUNDED,
    PaymentState.DISPUTED,
)
#: Above "posted" the state says what refunds and disputes have taken; it follows from their rows
#: (payments/returns.py), so every one of the four can lead to each other.
_RETURNS = {
    PaymentAction.RESTORE: PaymentState.POSTED,
    PaymentAction.REFUND_PART: PaymentState.PART_REFUND,
    PaymentAction.REFUND: PaymentState.REFUNDED,
    PaymentAction.DISPUTE: PaymentState.DISPUTED,
}

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
        **{
            (state, action): after
            for state in CREDITED_STATES
            for action, after in _RETURNS.items()
            if state is not after
        },
    },
)


class RefundState(StrEnum):
    """Where a refund stands."""

    ASKED = "asked"
    REFUSED = "refused"
    CREATED = "created"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RefundAction(StrEnum):
    """What can happen to a refund; `confirm` and `refuse` are the second person's words."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    PROCESS = "process"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


#: A refund under way, of which the provider may still say anything.
UNDER_WAY = (RefundState.CREATED, RefundState.PROCESSING)
#: A refund that takes part of what was received, now or soon (P6).
CLAIMING = (RefundState.ASKED, *UNDER_WAY, RefundState.SUCCEEDED)

#: A bank can send a refund back after it succeeded: failed is the last word.
REFUND = Lifecycle(
    name="refund",
    initial=RefundState.CREATED,
    also_begins=(RefundState.ASKED,),
    table={
        (RefundState.ASKED, RefundAction.CONFIRM): RefundState.CREATED,
        (RefundState.ASKED, RefundAction.REFUSE): RefundState.REFUSED,
        (RefundState.CREATED, RefundAction.PROCESS): RefundState.PROCESSING,
        **{(state, RefundAction.SUCCEED): RefundState.SUCCEEDED for state in UNDER_WAY},
        **{(state, RefundAction.CANCEL): RefundState.CANCELLED for state in UNDER_WAY},
        **{(state, RefundAction.FAIL): RefundState.FAILED for state in (*UNDER_WAY, RefundState.SUCCEEDED)},
    },
)


class DisputeState(StrEnum):
    """Where a dispute stands. An ``inquiry`` only asks: no money leaves."""

    INQUIRY = "inquiry"
    NEEDS_ANSWER = "needs_answer"
    UNDER_REVIEW = "under_review"
    INQUIRY_CLOSED = "inquiry_closed"
    WON = "won"
    LOST = "lost"


class DisputeAction(StrEnum):
    """What the provider can tell of a dispute."""

    DEMAND = "demand"
    REVIEW = "review"
    DROP = "drop"
    WIN = "win"
    LOSE = "lose"


OPEN_DISPUTES = (DisputeState.INQUIRY, DisputeState.NEEDS_ANSWER, DisputeState.UNDER_REVIEW)

#: Ranked: an event that comes late never lowers it, and the first that is heard may be the last there is.
DISPUTE = Lifecycle(
    name="dispute",
    initial=DisputeState.NEEDS_ANSWER,
    also_begins=tuple(state for state in DisputeState if state is not DisputeState.NEEDS_ANSWER),
    table={
        (DisputeState.INQUIRY, DisputeAction.DEMAND): DisputeState.NEEDS_ANSWER,
        (DisputeState.INQUIRY, DisputeAction.REVIEW): DisputeState.UNDER_REVIEW,
        (DisputeState.NEEDS_ANSWER, DisputeAction.REVIEW): DisputeState.UNDER_REVIEW,
        **{(state, DisputeAction.DROP): DisputeState.INQUIRY_CLOSED for state in OPEN_DISPUTES},
        **{(state, DisputeAction.WIN): DisputeState.WON for state in OPEN_DISPUTES},
        **{(state, DisputeAction.LOSE): DisputeState.LOST for state in OPEN_DISPUTES},
    },
)


class SavedState(StrEnum):
    """Where a saved way to pay stands."""

    AGREED = "agreed"
    ACTIVE = "active"
    REVOKED = "revoked"


class SavedAction(StrEnum):
    """What can happen to it."""

    KEEP = "keep"
    REVOKE = "revoke"


SAVED_METHOD = Lifecycle(
    name="saved method",
    initial=SavedState.AGREED,
    table={
        (SavedState.AGREED, SavedAction.KEEP): SavedState.ACTIVE,
        (SavedState.AGREED, SavedAction.REVOKE): SavedState.REVOKED,
        (SavedState.ACTIVE, SavedAction.REVOKE): SavedState.REVOKED,
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


#: Worked by hand, a difference stays as it is however often the day is run; it closes when it fits, and is
#: found again when its figures have changed.
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
        **{
            (state, DifferenceAction.FIND): DifferenceState.OPEN
            for state in DifferenceState
            if state is not DifferenceState.OPEN
        },
        (DifferenceState.RESOLVED, DifferenceAction.REOPEN): DifferenceState.OPEN,
        (DifferenceState.MATCHED, DifferenceAction.REOPEN): DifferenceState.OPEN,
        (DifferenceState.EXPLAINED, DifferenceAction.REOPEN): DifferenceState.OPEN,
    },
)
