"""The machine's ordinary run: seeded, so that the same steps are taken every time. `make soak` takes others."""

from __future__ import annotations

import pytest

from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.machines.runs import money_machine, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_money_keeps_every_invariant_on_sqlite(
    sqlite_database: Database, keys: Keys, signer: Signer, seed: int
) -> None:
    run(money_machine(sqlite_database, keys, signer), seed=seed, steps=3_500)


@pytest.mark.parametrize("seed", [5, 6, 7, 8])
def test_money_keeps_every_invariant_on_postgresql(
    postgres_database: Database, keys: Keys, signer: Signer, seed: int
) -> None:
    run(money_machine(postgres_database, keys, signer), seed=seed, steps=1_500)
