"""The bank's public key, with which anybody checks a signature of ours without asking us again."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from portal.web.context import portal

blueprint = Blueprint("keys", __name__)


@blueprint.get("/.well-known/portal-keys.json")
def page() -> Response:
    """The key set (RFC 7517); anybody may keep a copy for an hour."""
    response = jsonify(keys=[portal().signer.public_key()])
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
