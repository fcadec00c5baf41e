"""Fixtures of the tests of what goes out."""

from __future__ import annotations

import pytest

from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.plans.people import Story, story


@pytest.fixture
def lin_story(database: Database, keys: Keys, signer: Signer) -> Story:
    """Lin's story on each database."""
    return story(database, keys, signer)
