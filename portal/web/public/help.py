"""The help pages of the public door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("help", __name__)
