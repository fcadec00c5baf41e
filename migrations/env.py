"""Migrations on both databases: each in a transaction of its own, one deploy at a time."""

from __future__ import annotations

import os

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, text

from portal.db import ExactDecimal, UtcDateTime
from portal.schema import metadata


def database_url() -> str:
    """The address given to the command, else the installation's."""
    given = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    address = given or os.environ.get("PORTAL_DATABASE_URL")
    if not address:
        raise CommandError("PORTAL_DATABASE_URL is not set: it names the database to bring up to date")
    return str(address)


def render_item(kind: str, item: object, autogen_context: object) -> str | bool:
    """Our column types as the plain ones they are stored in, so that a migration needs no code of ours."""
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, ExactDecimal):
        return "sa.String(length=24)"
    return False


def migrate(connection: Connection) -> None:
    """Run what is asked for on one connection."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=render_item,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(7020701)"))
        context.run_migrations()


def run() -> None:
    """Open the database the way the portal does: SQLite's DDL inside a BEGIN of our own."""
    engine = create_engine(database_url())
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def prepare(connection: object, record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]
            connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        migrate(connection)
        connection.commit()
    engine.dispose()


run()
