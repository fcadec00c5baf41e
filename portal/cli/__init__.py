"""What an operator types. Each module of this package but `groups` has one click group, `group`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from flask import Flask, current_app

from portal.installation import Portal


def register(app: Flask) -> None:
    """Make the command group of every module of this package known to `app`."""
    for module in iter_modules(__path__):
        if module.name != "groups":
            app.cli.add_command(import_module(f"{__name__}.{module.name}").group)


def installation() -> Portal:
    """The portal this command is for."""
    return cast(Portal, current_app.extensions["portal"])
