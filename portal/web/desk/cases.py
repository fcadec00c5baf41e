"""The cases pages of the desk door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("cases", __name__)
