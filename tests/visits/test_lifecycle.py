"""Every (state, action) pair of a visit, allowed or not."""

from __future__ import annotations

import pytest

from portal.states import NotAllowed
from portal.visits.lifecycle import LIFECYCLE, Action, State

ALLOWED = {
    ("planned", "pause"): "paused",
    ("planned", "cancel"): "cancelled",
    ("planned", "finish"): "done",
    ("paused", "resume"): "planned",
    ("planned", "move"): "planned",
    ("planned", "ask_place"): "place_asked",
    ("planned", "refuse"): "refused",
    ("paused", "cancel"): "cancelled",
    ("paused", "refuse"): "refused",
    ("place_asked", "agree_place"): "planned",
    ("place_asked", "refuse"): "refused",
    ("place_asked", "cancel"): "cancelled",
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_move(state: State, action: Action) -> None:
    expected = ALLOWED.get((state.value, action.value))

    if expected is None:
        with pytest.raises(NotAllowed):
            LIFECYCLE.after(state, action)
    else:
        assert LIFECYCLE.after(state, action) == expected
