"""How a rendered page of a paper is served: a fixed type, in no cache, unable to run anything."""

from __future__ import annotations

from flask import Response, make_response

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
    "Content-Disposition": "inline",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def picture_response(jpeg: bytes) -> Response:
    """A JPEG of our own making, for these eyes only."""
    response = make_response(jpeg)
    response.mimetype = "image/jpeg"
    response.headers.update(_HEADERS)
    return response
