"""Bugs planted one at a time: a proof that finds nothing wrong must find these.

Each is a change of a copy of the product; the machine of money then runs on it until it fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Steps within which the machine has to find each.
STEPS = 6_000


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new`, once, in a file of the product."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "a card's principal never comes first",
        "portal/jurisdictions/cn.py",
        "components=_PRINCIPAL_FIRST",
        "components=_CHARGES_FIRST",
    ),
    Mutant(
        "interest is placed before costs",
        "portal/jurisdictions/cn.py",
        '_CHARGES_FIRST = ("cost", "fee", "penalty_interest", "interest", "principal")',
        '_CHARGES_FIRST = ("interest", "fee", "penalty_interest", "cost", "principal")',
    ),
    Mutant(
        "what no component takes is dropped",
        "portal/accounts/operations.py",
        'values |= {"suspense_minor": -suspense_minor, "payment_id": payment_id}',
        'values |= {"suspense_minor": 0, "payment_id": payment_id}',
    ),
    Mutant(
        "a cent of the rest is lost between two loans",
        "portal/payments/allocation.py",
        "    shares[ordered[0].loan_id] += rest\n",
        "    shares[ordered[0].loan_id] += max(rest - 1, 0)\n",
    ),
    Mutant(
        "money is credited again when its checkout tells of it too",
        "portal/payments/receipts.py",
        "    if payment.state in CREDITED_STATES and not _another_checkout(payment, report):\n",
        "    if payment.state == 'never' and not _another_checkout(payment, report):\n",
    ),
    Mutant(
        "money set aside is credited after all",
        "portal/payments/receipts.py",
        "    if _is_aside(session, report):\n        return Outcome.NOTED\n",
        "",
    ),
    Mutant(
        "a wrong currency is not noticed",
        "portal/payments/receipts.py",
        "    if report.currency != payment.currency:\n",
        "    if not report.currency:\n",
    ),
    Mutant(
        "the portal's line stays when the bank posts the payment",
        "portal/accounts/reconcile_core.py",
        '        insert_line(session, values | {"external_ref": one.core_ref})\n        made += 1\n',
        "        made += 1\n",
    ),
    Mutant(
        "what the bank's lines overpay stays where it is",
        "portal/accounts/reconcile_core.py",
        "    return take, {name: minor for name, minor in change.items() if minor > 0}",
        "    return {}, {}",
    ),
    Mutant(
        "more can be given back than was paid",
        "portal/accounts/corrections.py",
        "        if minor > -_of(payment, name) - before[name]:\n",
        "        if minor > -_of(payment, name):\n",
    ),
    Mutant(
        "an undone waiver stays forgiven",
        "portal/accounts/operations.py",
        'effect = case((_LINES.c.kind == "reversal", original.c.kind), else_=_LINES.c.kind)',
        'effect = case((_LINES.c.kind == "reversal", "payment"), else_=_LINES.c.kind)',
    ),
    Mutant(
        "a line can be undone twice",
        "portal/accounts/corrections.py",
        "    if known is not None:\n        return Posted(known.id, repeated=True)\n    excess",
        "    excess",
    ),
    Mutant(
        "what an instalment of a plan has been paid is forgotten",
        "portal/plans/receipts.py",
        "Money(row.amount_minor - paid.get(row.number, 0), plan.currency)",
        "Money(row.amount_minor, plan.currency)",
    ),
)


def main() -> None:
    """Every mutant; says at the end which live, and fails if any does."""
    alive = []
    for mutant in MUTANTS:
        found = is_found(mutant)
        print(f"{'found' if found else 'NOT FOUND':9} {mutant.name}", flush=True)
        alive += [] if found else [mutant.name]
    if alive:
        raise SystemExit(f"not found: {', '.join(alive)}")


def is_found(mutant: Mutant) -> bool:
    """Whether the machine fails on a copy of the product with this bug."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for part in ("portal", "tests", "translations", "templates", "static"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("app.py", "pyproject.toml"):
            shutil.copy(ROOT / part, copy / part)
        target = copy / mutant.file
        text = target.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(
                f"{mutant.name}: the line it changes is not there any more; mend tests/soak/mutants.py"
            )
        target.write_text(text.replace(mutant.old, mutant.new))
        command = [sys.executable, "-m", "tests.soak.hunt", str(STEPS)]
        done = subprocess.run(command, cwd=copy, env=os.environ, capture_output=True, check=False, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{mutant.name}: {done.stderr[-2000:]}")
        return done.returncode == 1


if __name__ == "__main__":
    main()
