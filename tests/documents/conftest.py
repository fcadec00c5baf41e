"""Lin with a draft, on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.db import Database
from portal.keys import Keys
from tests.documents.stage import Stage


@pytest.fixture
def stage(database: Database, keys: Keys, tmp_path: Path) -> Stage:
    """On both databases."""
    return Stage(database, keys, tmp_path)
