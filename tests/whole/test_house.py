"""The house's own rules: sizes, floats near money, words that belong to one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted(path for path in (ROOT / "portal").rglob("*.py"))
MONEY_FILES = [
    "portal/money.py",
    "portal/accounts/balance.py",
    "portal/statements/sheet.py",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "portal/schedules").glob("*.py")),
    "portal/plans/policy.py",
    "portal/hardship/affordability.py",
    "portal/payments/allocation.py",
]
LONGEST_FUNCTION = 70
LONGEST_FILE = 500


def tracked(pattern: str) -> list[Path]:
    """The files git knows, by pattern."""
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = [
        (node.name, (node.end_lineno or 0) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert text.count("\n") <= LONGEST_FILE
    assert [found for found in functions if found[1] > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", MONEY_FILES)
def test_no_floats_near_money(name: str) -> None:
    source = (ROOT / name).read_text(encoding="utf-8")
    tree = ast.parse(source)
    literals = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"float", "round"}
    ]
    divisions = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ]

    assert (literals, calls) == ([], [])
    assert divisions == [] or "from fractions import Fraction" in source  # exact there


def test_nobody_makes_minor_units_by_multiplying() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT / "portal").parts[0] in {"gateways", "payments", "intake", "web", "accounts"}
        and re.search(r"\*\s*100\b", path.read_text(encoding="utf-8"))
    ]

    assert offenders == []


def test_no_path_of_one_machine() -> None:
    home = str(Path.home())
    offenders = []
    for path in [
        *tracked("*.py"),
        *tracked("*.md"),
        *tracked("*.toml"),
        *tracked("*.html"),
        *tracked("Makefile"),
    ]:
        text = path.read_text(encoding="utf-8")
        if f"{ROOT}/" in text or (home != "/" and f"{home}/" in text):
            offenders.append(path.name)

    assert offenders == []


def test_no_inline_style_or_script() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "templates").rglob("*.html")
        if re.search(r"\sstyle=|<style|<script(?![^>]*src=)|\son\w+=", path.read_text(encoding="utf-8"))
    ]

    assert offenders == []
