"""The officers' door: today's visits, the code that is shown at a door, the record of what was said there, and the
calls and texts around it."""

from __future__ import annotations

from flask import Blueprint

from portal.web.officer import code, contacts, record, sign_in, today

blueprint = Blueprint("officer", __name__, url_prefix="/visiting")
for feature in (code, contacts, record, sign_in, today):
    blueprint.register_blueprint(feature.blueprint)
