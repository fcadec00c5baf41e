"""The officers' door: today's visits, and the code that is shown at a door."""

from __future__ import annotations

from flask import Blueprint

from portal.web.officer import code, sign_in, today

blueprint = Blueprint("officer", __name__, url_prefix="/visiting")
for feature in (code, sign_in, today):
    blueprint.register_blueprint(feature.blueprint)
