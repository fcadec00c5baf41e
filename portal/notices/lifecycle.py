"""The life of a network that checked a list of our codes: open until the desk has looked, and again later."""

from __future__ import annotations

from enum import StrEnum

from portal.states import Lifecycle


class NetworkState(StrEnum):
    """Where it stands."""

    OPEN = "open"
    SHARED = "shared"
    STOLEN = "stolen"


class NetworkAction(StrEnum):
    """Many people stand behind it; somebody has a list of codes; it was seen again."""

    SHARE = "share"
    DISTRUST = "distrust"
    ALARM = "alarm"


NETWORKS = Lifecycle(
    name="network of many codes",
    initial=NetworkState.OPEN,
    table={
        (NetworkState.OPEN, NetworkAction.SHARE): NetworkState.SHARED,
        (NetworkState.OPEN, NetworkAction.DISTRUST): NetworkState.STOLEN,
        (NetworkState.SHARED, NetworkAction.ALARM): NetworkState.OPEN,
        (NetworkState.STOLEN, NetworkAction.ALARM): NetworkState.OPEN,
    },
)
