"""The negotiation pages of the borrower door."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("negotiation", __name__)
