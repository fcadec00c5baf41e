"""The migrations make the schema of the models, triggers and partial indexes included, and go back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

from portal.schema import metadata
from tests.conftest import postgres_url

ROOT = Path(__file__).parent.parent.parent


def config_for(url: str) -> Config:
    """Alembic's configuration over one database."""
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of one kind: one for the migrations, one for the models."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'migrated.sqlite'}", f"sqlite:///{tmp_path / 'made.sqlite'}"
        return
    folder = request.getfixturevalue("postgres_socket")
    admin = create_engine(postgres_url(folder, "postgres"), isolation_level="AUTOCOMMIT")
    names = ("migrated", "made")
    with admin.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres_url(folder, names[0]), postgres_url(folder, names[1])
    with admin.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def test_up_down_up(urls: tuple[str, str]) -> None:
    migrated, made = urls
    config = config_for(migrated)

    command.upgrade(config, "head")
    first = shape(migrated)
    command.downgrade(config, "base")
    left_over = shape(migrated)
    command.upgrade(config, "head")

    assert left_over["tables"] <= {"alembic_version"}
    assert left_over["triggers"] == set()
    assert shape(migrated) == first
    engine = create_engine(made)
    metadata.create_all(engine)
    engine.dispose()
    wanted = shape(made)
    assert first["tables"] - {"alembic_version"} == wanted["tables"]
    assert first["triggers"] == wanted["triggers"]
    assert first["indexes"] == wanted["indexes"]
    assert differences(migrated) == []


def differences(url: str) -> list[object]:
    """What Alembic would still change."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )
    engine.dispose()
    return list(found)


def shape(url: str) -> dict[str, set[str]]:
    """Tables, triggers and indexes (partial conditions included) of a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(
                "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
            ).all()
            triggers = {row[2] for row in rows if row[0] == "trigger"}
            indexes = {row[2] for row in rows if row[0] == "index" and "alembic" not in row[1]}
        else:
            triggers = _column(
                connection, "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
            )
            indexes = _column(
                connection,
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
            )
    _dispose(engine)
    return {"tables": tables, "triggers": triggers, "indexes": indexes}


def _column(connection: object, statement: str) -> set[str]:
    return {row[0] for row in connection.exec_driver_sql(statement).all()}  # type: ignore[attr-defined]


def _dispose(engine: Engine) -> None:
    engine.dispose()
