"""A lifecycle allows what its table lists and nothing else."""

from __future__ import annotations

from enum import StrEnum

import pytest

from portal.states import Lifecycle, NotAllowed
from tests.whole.draw_states import lifecycles


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


class Push(StrEnum):
    GO = "go"
    STOP = "stop"


LIGHTS = Lifecycle(
    "lights", Light.RED, {(Light.RED, Push.GO): Light.GREEN, (Light.GREEN, Push.STOP): Light.RED}
)


def test_listed_moves_happen() -> None:
    assert LIGHTS.after(Light.RED, Push.GO) is Light.GREEN


def test_other_moves_are_refused_by_name() -> None:
    with pytest.raises(NotAllowed) as caught:
        LIGHTS.after(Light.RED, Push.STOP)

    assert (caught.value.lifecycle, caught.value.state, caught.value.action) == ("lights", "red", "stop")


def test_a_move_knows_where_it_starts_and_where_it_leads() -> None:
    assert LIGHTS.sources(Push.GO) == {Light.RED}
    assert LIGHTS.target(Push.STOP) is Light.RED


def test_every_lifecycle_can_be_left_from_its_start() -> None:
    assert lifecycles()
    for lifecycle in lifecycles():
        fresh = {lifecycle.initial, *lifecycle.also_begins}
        reachable = set(fresh)
        while fresh:
            fresh = {after for (state, _), after in lifecycle.table.items() if state in fresh} - reachable
            reachable |= fresh
        named = {state for state, _ in lifecycle.table} | set(lifecycle.table.values())
        assert named <= reachable, lifecycle.name
