"""The agreement pages of the borrower door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("agreement", __name__)
