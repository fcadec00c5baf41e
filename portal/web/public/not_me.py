"""The not_me pages of the public door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("not_me", __name__)
