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
