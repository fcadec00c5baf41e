"""The stripe pages of the callbacks door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("stripe", __name__)
