"""What an operator types. Each module of this package has one click group, `group`, listed here."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

#: Modules beside this one; each has a `flask.cli.AppGroup` named `group`.
GROUPS: tuple[str, ...] = ("intake",)


def register(app: Flask) -> None:
    """Make every command group known to `app`."""
    for name in GROUPS:
        app.cli.add_command(import_module(f"{__name__}.{name}").group)
