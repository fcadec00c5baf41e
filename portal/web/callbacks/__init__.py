"""What providers tell us: raw body, signature, one operation."""

from __future__ import annotations

from flask import Blueprint

from portal.web.callbacks import (
    stripe,
)

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")
for feature in (stripe,):
    blueprint.register_blueprint(feature.blueprint)
