"""The more pages of the borrower door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("more", __name__)
