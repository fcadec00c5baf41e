"""The officers' door: today's visits, the code that is shown at a door, and the record of what was said there."""

from __future__ import annotations

from flask import Blueprint

from portal.web.officer import code, record, sign_in, today

blueprint = Blueprint("officer", __name__, url_prefix="/visiting")
for feature in (code, record, sign_in, today):
    blueprint.register_blueprint(feature.blueprint)
