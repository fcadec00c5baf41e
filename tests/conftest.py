"""Fixtures every test may ask for: both databases, a portal over them, and a clock that stands still."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.schema import metadata
from portal.settings import Bank, Settings
from portal.signing import Signer
from tests import postgres

#: The bench needs what `make bench` installs, and has no tests of its own.
collect_ignore_glob = ["bench/*.py"]

ROOT = Path(__file__).parent.parent
PEPPER = bytes(range(32))
MASTER = bytes(range(32, 64))
SEED = bytes(range(64, 96))
#: 2026-11-20 09:00 in Shanghai: the business date of the Harbour export
BANK_MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)

_names = itertools.count(1)

#: How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile("portal", deadline=None)
#: `make check` tries fewer examples of each property; `make test` the usual hundred.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=15)
#: `make soak` tries many more.
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("PORTAL_TEST_PROFILE", "portal"))


class StandingClock(Clock):
    """A clock that moves only when a test says so; bank and real time are the same instant."""

    def __init__(self, at: datetime = BANK_MORNING) -> None:
        object.__setattr__(self, "at", at)
        super().__init__(zone="Asia/Shanghai", source=lambda: self.at)  # type: ignore[attr-defined]

    def advance(self, **step: float) -> None:
        """Move on by a timedelta's arguments."""
        object.__setattr__(self, "at", self.at + timedelta(**step))  # type: ignore[attr-defined]


@pytest.fixture
def clock() -> StandingClock:
    """09:00 on the export's business date."""
    return StandingClock()


@pytest.fixture(scope="session")
def keys() -> Keys:
    """The tests' own keys."""
    return Keys(pepper=PEPPER, master=MASTER)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """The tests' own signing key."""
    return Signer.from_seed(SEED)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Test settings over a temporary folder; the database comes from the `database` fixture."""
    return Settings(
        environment="test",
        database_url="sqlite://",
        data_dir=tmp_path,
        base_url="http://localhost",
        bank=Bank.load(ROOT / "portal/demo/harbour.toml"),
        pepper=PEPPER,
        master_key=MASTER,
        signing_seed=SEED,
        stripe_api_key="sk_test_portal",
        stripe_webhook_secrets=("whsec_portal_test",),
        stripe_checkout_origin="http://localhost:9999",
        stripe_api_base="http://localhost:9999",
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty schema in a SQLite file, made once and copied for each test."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.writer)
    with database.writer.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """One PostgreSQL server for the whole run."""
    with postgres.server() as folder:
        yield folder


def postgres_url(folder: str, name: str) -> str:
    """The address of database `name` on the tests' server."""
    return f"postgresql+psycopg://portal@/{name}?host={folder}"


@pytest.fixture(scope="session")
def postgres_template(postgres_socket: str) -> str:
    """An empty schema in a PostgreSQL database, copied for each test."""
    admin = create_engine(postgres_url(postgres_socket, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE empty_schema")
    admin.dispose()
    database = Database(postgres_url(postgres_socket, "empty_schema"))
    metadata.create_all(database.writer)
    database.dispose()
    return "empty_schema"


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty portal database in a SQLite file."""
    path = tmp_path / "portal.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture
def postgres_database(postgres_socket: str, postgres_template: str) -> Iterator[Database]:
    """An empty portal database on the tests' PostgreSQL server."""
    name = f"test_{next(_names)}"
    admin = create_engine(postgres_url(postgres_socket, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {postgres_template} STRATEGY FILE_COPY")
    database = Database(postgres_url(postgres_socket, name))
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """The same test on both databases."""
    name = {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
    found = request.getfixturevalue(name)
    assert isinstance(found, Database)
    return found


@pytest.fixture
def portal_app(settings: Settings, database: Database, clock: StandingClock) -> Flask:
    """The portal over each database."""
    return _app(settings, database, clock)


@pytest.fixture
def client(portal_app: Flask) -> FlaskClient:
    """A browser without script, on each database."""
    return portal_app.test_client()


@pytest.fixture
def sqlite_app(settings: Settings, sqlite_database: Database, clock: StandingClock) -> Flask:
    """The portal over SQLite, where the database does not matter."""
    return _app(settings, sqlite_database, clock)


@pytest.fixture
def sqlite_client(sqlite_app: Flask) -> FlaskClient:
    """A browser without script, over SQLite."""
    return sqlite_app.test_client()


def _app(settings: Settings, database: Database, clock: Clock) -> Flask:
    from app import create_app  # only tests of doors pay for importing every door

    app = create_app(settings, clock=clock, db=database)
    app.testing = True
    return app
