"""Draws docs/states.md from the lifecycles' tables; a test fails when the paper is stale."""

from __future__ import annotations

import importlib
from pathlib import Path

from portal.states import Lifecycle

PAPER = Path(__file__).parent.parent.parent / "docs/states.md"
PORTAL = Path(__file__).parent.parent.parent / "portal"


def lifecycles() -> list[Lifecycle]:  # type: ignore[type-arg]
    """Every lifecycle there is, by the name of its feature."""
    found = []
    for path in sorted(PORTAL.glob("*/lifecycle.py")):
        module = importlib.import_module(f"portal.{path.parent.name}.lifecycle")
        found += [value for _, value in sorted(vars(module).items()) if isinstance(value, Lifecycle)]
    return found


def paper() -> str:
    """The whole paper."""
    parts = [
        "# States",
        "",
        "Drawn from the tables in `portal/*/lifecycle.py` by `make docs`. A move that is not listed does not exist.",
        "*Overdue*, *missed* and *expired* are computed from dates and are states of nothing.",
    ]
    for lifecycle in lifecycles():
        parts += [
            "",
            f"## {lifecycle.name}",
            "",
            f"Begins as {' or '.join(f'`{state}`' for state in (lifecycle.initial, *lifecycle.also_begins))}.",
            "",
            "```mermaid",
            "stateDiagram-v2",
        ]
        parts += [f"    [*] --> {state}" for state in (lifecycle.initial, *lifecycle.also_begins)]
        parts += [f"    {state} --> {after}: {action}" for (state, action), after in lifecycle.table.items()]
        ends = sorted(
            {str(after) for after in lifecycle.table.values()} - {str(state) for state, _ in lifecycle.table}
        )
        parts += [f"    {end} --> [*]" for end in ends]
        parts += ["```", "", "| from | action | to |", "| --- | --- | --- |"]
        parts += [f"| {state} | {action} | {after} |" for (state, action), after in lifecycle.table.items()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAPER.write_text(paper(), encoding="utf-8")
