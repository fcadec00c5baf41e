"""`make run`: set up once, found again the second time, forgotten only where that is meant and safe."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from portal.accounts.models import LoanBalance
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.demo import FIRST_BORROWER, start
from tests.conftest import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a demonstration somebody has used."""
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "portal.sqlite").write_bytes(b"proposals and payments")
    return folder


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody serves on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_starting_over_beside_a_running_portal_forgets_nothing(
    data: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code = start.main(["--fresh", "--port", str(taken), "--data", str(data)])

    assert code == 2
    assert "PORT=8080" in capsys.readouterr().err
    assert (data / "portal.sqlite").read_bytes() == b"proposals and payments"


def test_starting_over_beside_production_settings_forgets_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORTAL_ENVIRONMENT", "production")

    code = start.main(["--fresh", "--setup-only", "--data", str(data)])

    assert code == 2
    assert "PORTAL_ENVIRONMENT" in capsys.readouterr().err
    assert (data / "portal.sqlite").read_bytes() == b"proposals and payments"


@pytest.mark.slow
def test_a_second_run_keeps_everything_and_a_fresh_one_starts_over(tmp_path: Path) -> None:
    data = tmp_path / "our var"
    run(data)
    secrets = (data / "demo.env").read_text()
    choose(data, "en")

    again = run(data)

    assert (data / "demo.env").read_text() == secrets
    assert "apply ledger.csv" not in again
    assert "HARBOUR 1 (2026-11-20)" in operate(
        data, "flask intake check portal/demo/harbour --mapping harbour"
    )
    assert facts(data) == ("en", 274)
    run(data, "--fresh")
    assert (data / "demo.env").read_text() != secrets
    assert facts(data) == ("zh", 274)


def run(data: Path, *options: str) -> str:
    """Set the demonstration up as `make run` does; what it said on the way."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    done = subprocess.run(
        [sys.executable, "-m", "portal.demo.start", "--setup-only", "--data", str(data), *options],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def operate(data: Path, command: str) -> str:
    """What an operator's command says, typed after reading the demonstration's settings into the shell."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    environ |= {
        "ENV_FILE": str(data / "demo.env"),
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
    }
    script = f'set -ae; . "$ENV_FILE"; {command}'
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout


def choose(data: Path, language: str) -> None:
    """What a borrower does: another language for the account."""
    database = Database(f"sqlite:///{data / 'portal.sqlite'}")
    first = Borrower.customer_ref == FIRST_BORROWER
    database.write(lambda session: session.execute(update(Borrower).where(first).values(language=language)))
    database.dispose()


def facts(data: Path) -> tuple[str, int]:
    """The first borrower's language, and how many loans have their balance."""
    database = Database(f"sqlite:///{data / 'portal.sqlite'}")
    with database.read() as connection:
        language = connection.scalar(select(Borrower.language).where(Borrower.customer_ref == FIRST_BORROWER))
        loans = connection.scalar(select(func.count()).select_from(LoanBalance))
    database.dispose()
    assert language is not None
    assert loans is not None
    return language, loans
