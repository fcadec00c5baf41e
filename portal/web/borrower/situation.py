"""The situation pages of the borrower door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("situation", __name__)
