"""Nothing is skipped in silence: what the machine lacks stops the run by name, and no test steps aside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import machine

TESTS = Path(__file__).parent.parent


def nothing() -> None:
    """A thing that is not on the machine."""


def test_what_is_missing_and_cannot_be_installed_is_named_and_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(machine.NEEDS, "chromium", nothing)
    monkeypatch.setitem(machine.NEEDS, "fonts-noto-cjk", lambda: True)
    monkeypatch.setitem(machine.NEEDS, "postgresql", nothing)

    code = machine.main([])

    assert code == 1
    assert "On Debian: apt-get install chromium postgresql" in capsys.readouterr().out


def test_a_package_manager_that_cannot_help_stops_the_run_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = tmp_path / "apt-get"
    failing.write_text("#!/bin/sh\nexit 100\n")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(machine.NEEDS, "postgresql", nothing)

    code = machine.main(["--postgres-only"])

    assert code == 1
    assert "The tests need: postgresql." in capsys.readouterr().out


def test_a_machine_with_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(machine.NEEDS):
        monkeypatch.setitem(machine.NEEDS, name, lambda: True)

    assert machine.main([]) == 0


def test_no_test_steps_aside() -> None:
    aside = re.compile(r"\bpytest\.(?:skip|xfail|importorskip)\b|\bmark\.(?:skip|skipif|xfail|flaky)\b")

    found = [
        path.name
        for path in TESTS.rglob("*.py")
        if path != Path(__file__) and aside.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []
