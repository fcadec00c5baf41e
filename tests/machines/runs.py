"""Running a machine: so many steps, from a seed, without minimising unless asked to."""

from __future__ import annotations

import os

import hypothesis
from hypothesis import Phase
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.machines.money import MoneyMachine

#: Steps of one example; each begins with an empty ledger.
STEPS = 50


def money_machine(database: Database, keys: Keys, signer: Signer) -> type[RuleBasedStateMachine]:
    """The machine of money at one database."""
    return type("MoneyAt", (MoneyMachine,), {"database": database, "keys": keys, "signer": signer})


def run(machine: type[RuleBasedStateMachine], *, seed: int, steps: int) -> None:
    """Take about `steps` steps; the same seed takes the same. What fails is shown as it was found, and as small as
    it can be made with PORTAL_TEST_SHRINK=1, which may take minutes."""
    shrink = [Phase.shrink] if os.environ.get("PORTAL_TEST_SHRINK") else []
    settings = hypothesis.settings(
        max_examples=max(1, steps // STEPS),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, *shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=settings)
