"""The Flask application of the portal: Flask, less what is asked of every request and never the case here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask


class Application(Flask):
    """Flask without coroutines: no view and no hook of the portal is one, so none is looked at for it."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """`func` itself; Flask inspects it, ten times a request."""
        return func
