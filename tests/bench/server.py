"""The portal and, beside it in the same process, a bare Flask route to compare with."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from app import create_app

bare = Flask("bare")


@bare.get("/")
def hello() -> str:
    """The least a page can cost here."""
    return "hello"


def make() -> Any:
    """What granian serves: /hello is the bare route, everything else the portal."""
    return DispatcherMiddleware(create_app(), {"/hello": bare})
