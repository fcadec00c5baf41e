"""The engine's paper is true: its examples run, it names every public function, and they need no portal."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAPER = ROOT / "docs/engine.md"
MODULES = (
    "portal/money.py",
    "portal/schedules/making.py",
    "portal/schedules/request.py",
    "portal/schedules/schedule.py",
    "portal/schedules/parts.py",
    "portal/schedules/declining.py",
    "portal/schedules/levelling.py",
    "portal/schedules/batch.py",
    "portal/schedules/changes.py",
    "portal/schedules/extra.py",
    "portal/schedules/days.py",
    "portal/schedules/apr.py",
    "portal/schedules/daycount.py",
    "portal/accounts/balance.py",
    "portal/interest/engine.py",
    "portal/interest/payoff.py",
    "portal/accounts/explanation.py",
    "portal/accounts/figures.py",
    "portal/interest/reproduction.py",
    "portal/payments/allocation.py",
)


def _examples() -> str:
    blocks = re.findall(r"^```pycon\n(.*?)^```$", PAPER.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "\n".join(blocks)


def test_every_example_runs_and_answers_as_printed() -> None:
    examples = doctest.DocTestParser().get_doctest(_examples(), {}, PAPER.name, str(PAPER), 0)
    told: list[str] = []

    found = doctest.DocTestRunner(verbose=False).run(examples, out=told.append)

    assert found.failed == 0, "".join(told)
    assert found.attempted > 60


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_is_named(module: str) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    names = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    paper = PAPER.read_text(encoding="utf-8")

    assert f"`{module}`" in paper
    assert [name for name in names if not re.search(rf"\b{name}\b", paper)] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("portal/schedules/")])
def test_every_function_of_the_schedules_has_an_example_that_runs(module: str) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    public = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    examples = _examples()

    assert [node.name for node in public if not re.search(rf"\b{node.name}\(", examples)] == []
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_a_notebook_needs_neither_database_nor_web_framework() -> None:
    names = [module.removesuffix(".py").replace("/", ".") for module in MODULES]
    program = (
        f"import sys, importlib; [importlib.import_module(name) for name in {names!r}]; "
        "print(sorted({'sqlalchemy', 'flask', 'werkzeug', 'stripe'} & set(sys.modules)))"
    )

    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "figures", ["2284.56", "'407.00', '0.26'", "544.48", "303.22", "488.22", "'22000.00', 7800000"]
)
def test_the_examples_that_must_come_out_exactly_are_there(figures: str) -> None:
    assert figures in _examples()
