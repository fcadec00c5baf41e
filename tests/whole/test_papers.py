"""Papers that are drawn from the code are those of this code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.whole import draw_states

ROOT = Path(__file__).parent.parent.parent


def test_states_paper_is_fresh() -> None:
    assert draw_states.PAPER.read_text(encoding="utf-8") == draw_states.paper(), "run `make docs`"


def test_every_setting_is_explained() -> None:
    source = (ROOT / "portal/settings.py").read_text(encoding="utf-8")
    names = {f"PORTAL_{name}" for name in re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)}
    paper = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    assert sorted(name for name in names if f"`{name}`" not in paper) == []


def test_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "make run" in readme
    assert "make test" in readme
    assert readme.count("\n") <= 60
