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
from sqlalchemy.exc import DBAPIError

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
    assert first["checks"] == wanted["checks"]
    assert differences(migrated) == []


def test_what_was_there_before_stays_and_gets_what_is_new(urls: tuple[str, str]) -> None:
    url, config = urls[0], config_for(urls[0])
    command.upgrade(config, "0003")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in BEFORE:
            connection.exec_driver_sql(statement)

    command.upgrade(config, "head")

    with engine.connect() as connection:
        loan = connection.exec_driver_sql("SELECT rounding, unit_minor, compounding FROM loan").one()
        batch = connection.exec_driver_sql("SELECT state, applied_by FROM intake_batch").one()
        line = connection.exec_driver_sql("SELECT principal_minor, of_line_id FROM ledger_line").one()
    assert tuple(loan) == ("half_up", 1, "simple")
    assert tuple(batch) == ("applied", "")
    assert tuple(line) == (100, None)
    for refused in ("UPDATE ledger_line SET principal_minor = 1", "DELETE FROM ledger_line"):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.exec_driver_sql(refused)
    command.downgrade(config, "0003")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT principal_minor FROM ledger_line").scalar() == 100
    engine.dispose()


#: A borrower with a loan and a line, and the batch that brought them, as the release before wrote them.
BEFORE = (
    "INSERT INTO borrower (id, created_at, customer_ref, name_sealed, phone_sealed, phone_digest,"
    " phone_tail_sealed, id_tail_sealed, address_sealed, language)"
    " VALUES (1, '2026-11-20 01:00:00', 'C1', '', '', 'd', '', '', '', 'zh')",
    "INSERT INTO intake_batch (id, created_at, bank, batch_ref, sequence, business_date, mode,"
    " mapping, manifest_sha256, demonstration, counts)"
    " VALUES (1, '2026-11-20 01:00:00', 'HARBOUR', 'B', 1, '2026-11-20', 'full', 'harbour', 's', false, '{}')",
    "INSERT INTO loan (id, created_at, loan_ref, borrower_id, product, product_class, currency, opened_on,"
    " matures_on, principal_minor, annual_rate, penalty_multiple, day_count, method, pay_day, term_count,"
    " bank_days_overdue, status, batch_sequence) VALUES (1, '2026-11-20 01:00:00', 'L1', 1, 'P', 'loan', 'CNY',"
    " '2026-01-01', '2027-01-01', 100, '0.08', '1.5', 'actual/360', 'equal_principal', 1, 12, 0, 'current', 1)",
    "INSERT INTO ledger_line (id, created_at, loan_id, line_ref, source, posted_on, kind, cost_minor, fee_minor,"
    " penalty_interest_minor, interest_minor, principal_minor, suspense_minor, memo, external_ref)"
    " VALUES (1, '2026-11-20 01:00:00', 1, 'X1', 'core', '2026-01-01', 'disbursement', 0, 0, 0, 0, 100, 0, '', '')",
)


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
        found = inspect(connection)
        tables = set(found.get_table_names())
        checks = {f"{table}.{one['name']}" for table in tables for one in found.get_check_constraints(table)}
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
    return {"tables": tables, "triggers": triggers, "indexes": indexes, "checks": checks}


def _column(connection: object, statement: str) -> set[str]:
    return {row[0] for row in connection.exec_driver_sql(statement).all()}  # type: ignore[attr-defined]


def _dispose(engine: Engine) -> None:
    engine.dispose()
