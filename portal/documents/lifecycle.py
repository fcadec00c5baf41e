"""A document's states, and what a borrower, the checker and a reviewer may do in each."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class DocumentState(StrEnum):
    """Where one file stands. Only rendered files ("ready" and after) ever reach a reviewer."""

    RECEIVED = "received"
    CHECKING = "checking"
    READY = "ready"
    UNREADABLE = "unreadable"
    ACCEPTED = "accepted"
    UNSUITABLE = "unsuitable"
    REMOVED = "removed"


class DocumentAction(StrEnum):
    """What happens to a file."""

    CHECK = "check"
    CLEAR = "clear"
    FAIL = "fail"
    ACCEPT = "accept"
    MARK_UNSUITABLE = "mark_unsuitable"
    REMOVE = "remove"
    SHRED = "shred"


_S, _A = DocumentState, DocumentAction

DOCUMENTS = Lifecycle(
    name="document",
    initial=_S.RECEIVED,
    table={
        (_S.RECEIVED, _A.CHECK): _S.CHECKING,
        # a worker that died: the lease ran out and another takes over
        (_S.CHECKING, _A.CHECK): _S.CHECKING,
        (_S.CHECKING, _A.CLEAR): _S.READY,
        (_S.CHECKING, _A.FAIL): _S.UNREADABLE,
        (_S.READY, _A.ACCEPT): _S.ACCEPTED,
        (_S.READY, _A.MARK_UNSUITABLE): _S.UNSUITABLE,
        # a reviewer may change his mind
        (_S.ACCEPTED, _A.MARK_UNSUITABLE): _S.UNSUITABLE,
        (_S.UNSUITABLE, _A.ACCEPT): _S.ACCEPTED,
        (_S.RECEIVED, _A.REMOVE): _S.REMOVED,
        (_S.CHECKING, _A.REMOVE): _S.REMOVED,
        (_S.READY, _A.REMOVE): _S.REMOVED,
        (_S.UNREADABLE, _A.REMOVE): _S.REMOVED,
        # the days that were promised are over
        (_S.READY, _A.SHRED): _S.REMOVED,
        (_S.ACCEPTED, _A.SHRED): _S.REMOVED,
        (_S.UNSUITABLE, _A.SHRED): _S.REMOVED,
        (_S.UNREADABLE, _A.SHRED): _S.REMOVED,
    },
)

#: States in which the pages may be looked at (H4).
VIEWABLE = (_S.READY, _S.ACCEPTED, _S.UNSUITABLE)
