"""What an operator reads when something outside the portal is missing or in the way."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from portal.cli.groups import CannotRun
from portal.cli.serve import refuse_taken
from portal.settings import Settings

EXPORT = Path(__file__).parent.parent.parent / "portal/demo/harbour"


def intake_with(settings: Settings, database: Path, *, export: Path = EXPORT) -> tuple[int, str]:
    """Exit status and output of a check against another database file."""
    app = create_app(replace(settings, database_url=f"sqlite:///{database}"))
    answer = app.test_cli_runner().invoke(args=["intake", "check", str(export), "--mapping", "harbour"])
    app.extensions["portal"].db.dispose()
    return answer.exit_code, answer.output


def test_a_database_without_tables_says_what_to_run(settings: Settings, tmp_path: Path) -> None:
    status, words = intake_with(settings, tmp_path / "new.sqlite")

    assert status == 2
    assert "先运行 alembic upgrade head" in words
    assert "run alembic upgrade head first" in words
    assert "Traceback" not in words


def test_a_database_that_cannot_be_opened_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    status, words = intake_with(settings, tmp_path / "file" / "portal.sqlite")

    assert status == 2
    assert "PORTAL_DATABASE_URL" in words


def test_a_database_that_is_no_database_is_refused_in_words(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "portal.sqlite").write_bytes(b"this is a letter, no database" * 200)

    status, words = intake_with(settings, tmp_path / "portal.sqlite")

    assert status == 2
    assert "file is not a database" in words


def test_a_report_that_cannot_be_written_is_named(sqlite_app: Flask, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = tmp_path / "file" / "errors.csv"

    answer = sqlite_app.test_cli_runner().invoke(
        args=["intake", "check", str(tmp_path), "--mapping", "harbour", "--errors", str(report)]
    )

    assert answer.exit_code == 2
    assert "文件无法读写" in answer.output
    assert "A file cannot be read or written" in answer.output


def test_a_port_that_is_taken_is_not_shared() -> None:
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]

        with pytest.raises(CannotRun, match=str(port)):
            refuse_taken("127.0.0.1", port)

    refuse_taken("127.0.0.1", port)


def test_a_mistake_in_the_settings_is_one_line(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner
    from flask.cli import FlaskGroup

    monkeypatch.setenv("PORTAL_ENVIRONMENT", "prod")
    answer = CliRunner().invoke(FlaskGroup(create_app=lambda: create_app()), ["staff", "leave", "x"])

    assert answer.exit_code == 2
    assert "The portal does not start" in answer.output
    assert "PORTAL_ENVIRONMENT" in answer.output
    assert "Traceback" not in answer.output
