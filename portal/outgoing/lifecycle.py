"""The lives of an outgoing batch and of one entry in it."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class BatchState(StrEnum):
    """Where a batch stands. "taken": its entries are its own and its files may not be whole yet."""

    TAKEN = "taken"
    MADE = "made"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"


class BatchAction(StrEnum):
    """The manifest is in its place; the bank's transport has the files; the core has answered."""

    MAKE = "make"
    DELIVER = "deliver"
    ACKNOWLEDGE = "acknowledge"


_B, _D = BatchState, BatchAction

#: An answer is proof enough of delivery: not every transport says when it has fetched the files.
BATCH: Lifecycle[BatchState, BatchAction] = Lifecycle(
    name="outgoing_batch",
    initial=_B.TAKEN,
    table={
        (_B.TAKEN, _D.MAKE): _B.MADE,
        (_B.MADE, _D.DELIVER): _B.DELIVERED,
        (_B.MADE, _D.ACKNOWLEDGE): _B.ACKNOWLEDGED,
        (_B.DELIVERED, _D.ACKNOWLEDGE): _B.ACKNOWLEDGED,
    },
)


class EntryState(StrEnum):
    """Where one entry stands. "closed": settled at the core without us."""

    WAITING = "waiting"
    SENT = "sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CLOSED = "closed"


class EntryAction(StrEnum):
    """A batch takes it, the core answers, an operator sends it again or closes it. It also closes when the
    core posts the payment without being told, and is open again when that batch of the core is undone."""

    SEND = "send"
    ACCEPT = "accept"
    REFUSE = "refuse"
    SEND_AGAIN = "send_again"
    CLOSE = "close"
    REOPEN = "reopen"


_E, _A = EntryState, EntryAction

ENTRY: Lifecycle[EntryState, EntryAction] = Lifecycle(
    name="outgoing_entry",
    initial=_E.WAITING,
    table={
        (_E.WAITING, _A.SEND): _E.SENT,
        (_E.SENT, _A.ACCEPT): _E.ACCEPTED,
        (_E.SENT, _A.REFUSE): _E.REFUSED,
        (_E.REFUSED, _A.SEND_AGAIN): _E.WAITING,
        (_E.REFUSED, _A.CLOSE): _E.CLOSED,
        (_E.WAITING, _A.CLOSE): _E.CLOSED,
        (_E.CLOSED, _A.REOPEN): _E.WAITING,
    },
)
