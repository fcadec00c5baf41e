"""Ready statements: the same rows as SQLAlchemy's own way, and errors it would raise."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Date, bindparam, column, func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.access import counters
from portal.access import queries as sessions
from portal.access.limits import WRONG_CODES_ALL, WRONG_CODES_NETWORK
from portal.accounts import queries as accounts
from portal.db import Database, ExactDecimal, UtcDateTime
from portal.keys import Keys
from portal.notices import faces
from portal.notices.verification import asked_for
from portal.plans import standing
from portal.ready import Ready
from tests import people

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
#: Every statement the portal has ready, with what it asks for.
ASKED: dict[str, tuple[Ready, dict[str, Any]]] = {
    "balances": (accounts._BALANCES, {"borrower_id": 1}),
    "standing": (standing._STANDING, {"borrower_id": 1, "now": NOW, "notice_ref": ""}),
    "borrower": (sessions._BORROWER, {"digest": "d", "now": NOW, "idle_since": NOW}),
    "staff": (sessions._STAFF, {"digest": "d", "now": NOW, "idle_since": NOW}),
    "face": (
        faces._BY_CODE,
        {"asked_digest": "d", "network_digest": "n", "way": "code", "hour": NOW, "since": NOW},
    ),
}
TYPED = Ready(
    select(
        literal(date(2026, 2, 28), Date).label("day"),
        bindparam("at", type_=UtcDateTime).label("at"),
        bindparam("rate", type_=ExactDecimal).label("rate"),
        bindparam("nothing", None, type_=ExactDecimal).label("nought"),
        bindparam("word", "陶").label("word"),
    )
)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_rows_are_those_of_the_ordinary_way(database: Database, keys: Keys, name: str) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    ready, given = ASKED[name]
    if "borrower_id" in given:
        given = given | {"borrower_id": lin}
    with database.read() as connection:
        assert ready.rows(connection, given) == [
            tuple(row) for row in connection.execute(ready.statement, given)
        ]


def test_values_go_in_and_come_out_by_their_types(database: Database) -> None:
    given = {"at": NOW, "rate": Decimal("0.0880")}
    with database.read() as connection:
        found = TYPED.rows(connection, given)
    assert found == [(date(2026, 2, 28), NOW, Decimal("0.0880"), None, "陶")]


def test_a_fault_is_sqlalchemys_and_the_connection_goes_on(database: Database) -> None:
    broken = Ready(select(column("no_such_column")).select_from(text("loan")))
    with pytest.raises(DBAPIError), database.read() as connection:
        broken.rows(connection, {})
    with database.read() as connection:
        assert TYPED.rows(connection, {"at": NOW, "rate": Decimal("1")})


def test_a_change_is_part_of_its_unit(database: Database, keys: Keys) -> None:
    limits = [(WRONG_CODES_NETWORK, "203.0.113.7", 1), (WRONG_CODES_ALL, "all", 0)]
    asked = asked_for(keys, "7KQF-3MWD-2A9RB")

    def unit(session: Session) -> dict[str, int]:
        faces.record_seen(session, asked, network_digest="n", way="code", real_now=NOW)
        return counters.add(session, limits, keys=keys, real_now=NOW)

    def given_up(session: Session) -> None:
        unit(session)
        raise LookupError

    def rows(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(faces.NoticeSeen)) or 0

    with pytest.raises(LookupError):
        database.write(given_up)
    assert database.write(rows) == 0
    assert database.write(unit) == {"wrong_code_network": 1, "wrong_code_all": 0}
    assert database.write(unit) == {"wrong_code_network": 2, "wrong_code_all": 0}
    assert database.write(rows) == 1


def test_a_list_of_values_is_refused(sqlite_database: Database) -> None:
    listed = Ready(select(func.count()).where(column("a", Date).in_([date(2026, 1, 1)])))
    with pytest.raises(ValueError, match="written anew"), sqlite_database.read() as connection:
        listed.rows(connection, {})
