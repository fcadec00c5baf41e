"""The life of a group of reports: open, decided, and open again when the decision was wrong."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class GroupState(StrEnum):
    """Where a group stands. MERGED: its reports went over to another group."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    NOT_FAKE = "not_fake"
    OURS = "ours"
    MERGED = "merged"


class GroupAction(StrEnum):
    """What may happen to it."""

    CONFIRM = "confirm"
    CLEAR = "clear"
    OWN = "own"
    REOPEN = "reopen"
    MERGE = "merge"


GROUPS = Lifecycle(
    name="group of reports",
    initial=GroupState.OPEN,
    table={
        (GroupState.OPEN, GroupAction.CONFIRM): GroupState.CONFIRMED,
        (GroupState.OPEN, GroupAction.CLEAR): GroupState.NOT_FAKE,
        (GroupState.OPEN, GroupAction.OWN): GroupState.OURS,
        (GroupState.OPEN, GroupAction.MERGE): GroupState.MERGED,
        (GroupState.CONFIRMED, GroupAction.REOPEN): GroupState.OPEN,
        (GroupState.NOT_FAKE, GroupAction.REOPEN): GroupState.OPEN,
        (GroupState.OURS, GroupAction.REOPEN): GroupState.OPEN,
    },
)
