"""The machine of money on SQLite for some steps; exit code 1 when it found something."""

from __future__ import annotations

import sys
import tempfile

from portal.db import Database
from portal.keys import Keys
from portal.schema import metadata
from portal.signing import Signer
from tests.conftest import MASTER, PEPPER, SEED
from tests.machines.runs import money_machine, run


def main(steps: int) -> int:
    """0 when every invariant held."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/hunt.sqlite")
        metadata.create_all(database.writer)
        machine = money_machine(database, Keys(pepper=PEPPER, master=MASTER), Signer.from_seed(SEED))
        try:
            run(machine, seed=1, steps=steps)
        except Exception as found:
            print(f"{type(found).__name__}: {found}")
            return 1
        return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
