"""The sign_in pages of the public door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("sign_in", __name__)
