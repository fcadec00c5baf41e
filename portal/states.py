"""Lifecycles: one table of (state, action) -> state each, and NotAllowed for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


class NotAllowed(Exception):
    """An action the present state does not permit. Carries stable codes; the door finds words."""

    def __init__(self, lifecycle: str, state: str, action: str) -> None:
        super().__init__(f"{lifecycle}: {action} is not allowed in state {state}")
        self.lifecycle = lifecycle
        self.state = state
        self.action = action


@dataclass(frozen=True)
class Lifecycle(Generic[S, A]):
    """A named table of the only moves there are; `docs/states.md` is drawn from it."""

    name: str
    initial: S
    table: Mapping[tuple[S, A], S]
    #: states in which a row may also be born (an offer begins as an offer)
    also_begins: tuple[S, ...] = ()

    def after(self, state: S, action: A) -> S:
        """The state that `action` leads to; NotAllowed when the table has no such move."""
        try:
            return self.table[state, action]
        except KeyError:
            raise NotAllowed(self.name, state, action) from None

    def sources(self, action: A) -> frozenset[S]:
        """The states from which `action` may be taken."""
        return frozenset(state for state, act in self.table if act is action)

    def target(self, action: A) -> S:
        """Where `action` leads, from wherever it is taken; ValueError when that depends on the state."""
        (target,) = {after for (_, act), after in self.table.items() if act is action}
        return target

    def allows(self, state: S, action: A) -> bool:
        """Whether the table has the move."""
        return (state, action) in self.table
