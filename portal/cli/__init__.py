"""What an operator types. Each module of this package has one click group, `group`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask


def register(app: Flask) -> None:
    """Make the command group of every module of this package known to `app`."""
    for module in iter_modules(__path__):
        app.cli.add_command(import_module(f"{__name__}.{module.name}").group)
