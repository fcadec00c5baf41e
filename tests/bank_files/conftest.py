"""The small batch of the intake's tests."""

from __future__ import annotations

from tests.intake.conftest import batch, book, harbour_mapping, portal_mapping, take

__all__ = ["batch", "book", "harbour_mapping", "portal_mapping", "take"]
