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
    """What granian serves: /hello is the bare route, everything else the portal.

    A request with `X-Kept: no` finds nothing kept from the requests before it.
    """
    portal = create_app()

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_X_KEPT") == "no":
            portal.extensions.pop("portal.kept", None)
        return portal(environ, start_response)

    return DispatcherMiddleware(serve, {"/hello": bare})
