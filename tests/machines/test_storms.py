"""Random orders of twenty events with copies: one final state (M10, M11). All thousand on a soak."""

from __future__ import annotations

import os
import random

import pytest

from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.machines import storm
from tests.machines.stage import Stage

pytestmark = pytest.mark.slow

FULL = os.environ.get("PORTAL_TEST_PROFILE") == "soak"


def ends(database: Database, keys: Keys, signer: Signer, *, orders: int, seed: int) -> set[object]:
    found = set()
    for number in range(orders):
        stage = Stage(database, keys, signer, storm.accounts())
        try:
            storm.tell_all(stage, random.Random(seed + number))
            found.add(storm.state(stage))
        finally:
            stage.close()
    return found


def test_there_are_twenty_events() -> None:
    assert len(storm.events()) == len({event.event_id for event in storm.events()}) == 20


@pytest.mark.parametrize("seed", [1_000, 2_000])
def test_every_order_of_twenty_events_ends_alike_on_sqlite(
    sqlite_database: Database, keys: Keys, signer: Signer, seed: int
) -> None:
    (end,) = ends(sqlite_database, keys, signer, orders=500 if FULL else 25, seed=seed)

    _is_right(end)


def test_every_order_of_twenty_events_ends_alike_on_postgresql(
    postgres_database: Database, keys: Keys, signer: Signer
) -> None:
    (end,) = ends(postgres_database, keys, signer, orders=1_000 if FULL else 20, seed=3_000)

    _is_right(end)


def _is_right(end: object) -> None:
    *_, net, aside, faults = end  # type: ignore[misc]
    payments = end[1]  # type: ignore[index]
    assert dict(net) == storm.NET
    assert dict(payments) == storm.ENDS
    assert (aside, faults) == (0, ())
