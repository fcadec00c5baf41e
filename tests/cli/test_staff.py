"""Staff accounts from the terminal."""

from __future__ import annotations

import re

from click.testing import Result
from flask import Flask
from sqlalchemy import select

from portal.access import passwords
from portal.access.models import Staff
from portal.cli.staff import group
from portal.db import Database
from portal.keys import Keys

PASSWORD = "many small harbours"


def run(app: Flask, *arguments: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(group, list(arguments), input=typed)


def add(app: Flask, *, login: str = "mei", password: str = PASSWORD) -> Result:
    arguments = ("add", login, "--name", "何敏", "--human", "H-1", "--role", "reviewer")
    return run(app, *arguments, typed=f"{password}\n{password}\n")


def test_add_tells_the_secret_once_and_never_the_password(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys
) -> None:
    result = add(sqlite_app)

    assert result.exit_code == 0, result.output
    secret = re.search(r"TOTP secret, shown this once: ([A-Z2-7]{32})", result.output)
    assert secret is not None
    assert f"otpauth://totp/Harbour%20Bank:mei?secret={secret.group(1)}" in result.output
    assert PASSWORD not in result.output
    with sqlite_database.read() as connection:
        row = connection.execute(select(Staff.password_hash, Staff.totp_sealed)).one()
    assert keys.unseal("staff.totp", row.totp_sealed) == secret.group(1)
    assert passwords.matches(row.password_hash, PASSWORD)


def test_what_cannot_be_done_is_said_in_one_line(sqlite_app: Flask) -> None:
    add(sqlite_app)

    assert "there is an account mei already" in add(sqlite_app).output
    assert "at least 12 characters" in add(sqlite_app, login="guo", password="short").output
    assert "there is no account guo" in run(sqlite_app, "leave", "guo").output
    assert run(sqlite_app, "leave", "guo").exit_code == 1


def test_reset_and_role_and_leave(sqlite_app: Flask, sqlite_database: Database) -> None:
    add(sqlite_app)

    assert "TOTP secret" in run(sqlite_app, "reset", "mei", typed=f"{PASSWORD}x\n{PASSWORD}x\n").output
    assert "mei is now supervisor" in run(sqlite_app, "role", "mei", "supervisor").output
    assert "mei has left" in run(sqlite_app, "leave", "mei").output

    with sqlite_database.read() as connection:
        row = connection.execute(select(Staff.role, Staff.left_at)).one()
    assert row.role == "supervisor"
    assert row.left_at is not None
