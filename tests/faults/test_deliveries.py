"""A slice of the deliveries that `make soak` makes in full: three servers, one of them struck down on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.deliveries import run

pytestmark = pytest.mark.slow

DELIVERIES = 750


def test_three_servers_on_sqlite_lose_and_double_nothing(tmp_path: Path) -> None:
    figures = run(f"sqlite:///{tmp_path}/portal.sqlite", tmp_path, deliveries=DELIVERIES, seed=1)

    assert figures.deliveries >= DELIVERIES
    assert figures.credits > 60


def test_three_servers_on_postgresql_lose_and_double_nothing(tmp_path: Path, postgres_database) -> None:  # type: ignore[no-untyped-def]
    figures = run(postgres_database.url, tmp_path, deliveries=DELIVERIES, seed=2)

    assert figures.deliveries >= DELIVERIES
    assert figures.credits > 60
