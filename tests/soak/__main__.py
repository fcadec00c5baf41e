"""`make soak`: the proofs at their full size, one after the other, with progress; what fails says how to see it again.

python -m tests.soak [--steps N] [--deliveries N] [--only machines|mutants|deliveries|storms|kills|texts|contacts|guesses|strangers] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.db import Database
from portal.keys import Keys
from portal.schema import metadata
from portal.signing import Signer
from tests import postgres
from tests.conftest import MASTER, PEPPER, SEED, postgres_url
from tests.machines.runs import money_machine, run
from tests.soak import deliveries, guesses, mutants

#: Steps between two words of progress.
PORTION = 10_000
PARTS = ("machines", "mutants", "storms", "kills", "texts", "contacts", "guesses", "strangers", "deliveries")


@contextmanager
def databases(names: list[str]) -> Iterator[dict[str, str]]:
    """Addresses of empty databases: SQLite files, and databases on one PostgreSQL server."""
    with tempfile.TemporaryDirectory() as folder, postgres.server() as socket_folder:
        admin = Database(postgres_url(socket_folder, "postgres"))
        found = {}
        with admin.reader.connect() as connection:
            for name in names:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
                found[f"{name} sqlite"] = f"sqlite:///{folder}/{name}.sqlite"
                found[f"{name} postgresql"] = postgres_url(socket_folder, name)
        admin.dispose()
        yield found


def machines(steps: int, seed: int) -> None:
    """The machine of money, half of the steps on each database."""
    keys, signer = Keys(pepper=PEPPER, master=MASTER), Signer.from_seed(SEED)
    with databases(["machines"]) as urls:
        for kind, url in urls.items():
            database = Database(url)
            metadata.create_all(database.writer)
            machine, begun, done = money_machine(database, keys, signer), time.monotonic(), 0
            while done < steps // 2:
                portion = min(PORTION, steps // 2 - done)
                try:
                    run(machine, seed=seed, steps=portion)
                except BaseException:
                    print(
                        f"seed {seed} on {kind} broke an invariant: --only machines --seed {seed}", flush=True
                    )
                    raise
                done, seed = done + portion, seed + 1
                rate = done / (time.monotonic() - begun)
                print(f"{kind}: {done:,} steps, {rate:.0f} steps/s, last seed {seed - 1}", flush=True)
            database.dispose()


def full_deliveries(count: int, seed: int) -> None:
    """Three servers on each database."""
    with databases(["deliveries"]) as urls, tempfile.TemporaryDirectory() as folder:
        for kind, url in urls.items():
            figures = deliveries.run(url, Path(folder), deliveries=count, seed=seed)
            print(f"{kind}: {figures.sentence}", flush=True)


def tests_of(*paths: str) -> None:
    """Test files at their full size."""
    command = [sys.executable, "-m", "pytest", "-q", *paths]
    done = subprocess.run(command, env=os.environ | {"PORTAL_TEST_PROFILE": "soak"}, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(paths)} failed")


def main() -> None:
    """Everything, or the part that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5_000_000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    for part in (asked.only,) if asked.only else PARTS:
        print(f"== {part}", flush=True)
        if part == "machines":
            machines(asked.steps, asked.seed)
        elif part == "mutants":
            mutants.main()
        elif part == "storms":
            tests_of("tests/machines/test_storms.py")
        elif part == "kills":
            tests_of("tests/faults/test_payment_kills.py", "tests/faults/test_intake_kills.py")
        elif part == "texts":
            tests_of("tests/content/test_mutations.py", "tests/content/test_manglings.py")
        elif part == "contacts":
            tests_of("tests/contacts/test_twenty_years.py", "tests/contacts/test_rule.py")
        elif part == "guesses":
            guesses.prove()
        elif part == "strangers":
            tests_of("tests/web/public/test_at_size.py", "-s")
        else:
            full_deliveries(asked.deliveries, asked.seed)


if __name__ == "__main__":
    main()
