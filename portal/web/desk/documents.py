"""The documents pages of the desk door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("documents", __name__)
