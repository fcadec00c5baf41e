"""Holds: placed once, lifted, ended by their date; and whether somebody may be contacted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select

from portal.audit import AuditEntry
from portal.contacts.models import Agency, Hold
from portal.contacts.operations import lift_ended, lift_hold, place_hold
from portal.contacts.queries import agencies, holds_in_force
from portal.db import Database
from portal.keys import Keys
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
PAUSE = {"kind": "pause", "reason": "proposal_open", "source": "negotiation:7"}


def test_the_same_hold_again_is_the_same_hold(database: Database, keys: Keys) -> None:
    borrower_id = database.write(lambda s: lin(s, keys))

    first = database.write(lambda s: place_hold(s, borrower_id=borrower_id, now=NOW, **PAUSE))
    second = database.write(lambda s: place_hold(s, borrower_id=borrower_id, now=NOW, **PAUSE))

    assert (first, second) == (True, False)
    with database.read() as connection:
        assert [hold.reason for hold in holds_in_force(connection, borrower_id, now=NOW)] == ["proposal_open"]
        assert connection.scalar(select(func.count()).select_from(AuditEntry)) == 1


def test_a_lifted_hold_is_gone_and_may_be_placed_again(database: Database, keys: Keys) -> None:
    borrower_id = database.write(lambda s: lin(s, keys))
    database.write(lambda s: place_hold(s, borrower_id=borrower_id, now=NOW, **PAUSE))

    lifted = database.write(lambda s: lift_hold(s, source="negotiation:7", reason="proposal_open", now=NOW))
    again = database.write(lambda s: lift_hold(s, source="negotiation:7", reason="proposal_open", now=NOW))

    assert (lifted, again) == (1, 0)
    with database.read() as connection:
        assert holds_in_force(connection, borrower_id, now=NOW) == ()
    assert database.write(lambda s: place_hold(s, borrower_id=borrower_id, now=NOW, **PAUSE))


def test_a_hold_ends_with_its_date_and_is_then_lifted(database: Database, keys: Keys) -> None:
    borrower_id = database.write(lambda s: lin(s, keys))
    end = NOW + timedelta(days=14)
    database.write(lambda s: place_hold(s, borrower_id=borrower_id, now=NOW, ends_at=end, **PAUSE))

    early = database.write(lambda s: lift_ended(s, now=end - timedelta(seconds=1)))
    ended = database.write(lambda s: lift_ended(s, now=end))

    assert early == ()
    assert ended == ((borrower_id, "proposal_open"),)
    with database.read() as connection:
        assert connection.scalar(select(Hold.lifted_at)) == end
        assert holds_in_force(connection, borrower_id, now=end) == ()


def test_a_hold_rests_its_own_borrower_and_nobody_else(database: Database, keys: Keys) -> None:
    held, other = database.write(lambda s: (lin(s, keys), zhao(s, keys)))
    database.write(lambda s: place_hold(s, borrower_id=held, now=NOW, **PAUSE))

    with database.read() as connection:
        assert [hold.reason for hold in holds_in_force(connection, held, now=NOW)] == ["proposal_open"]
        assert holds_in_force(connection, other, now=NOW) == ()


def test_the_bank_stands_first_and_ended_contracts_last(sqlite_database: Database) -> None:
    def unit(session: object) -> None:
        for ref, kind, until in (
            ("A17", "agency", date(2027, 12, 31)),
            ("A00", "bank", date(2030, 12, 31)),
            ("A05", "agency", date(2026, 6, 30)),
        ):
            session.add(  # type: ignore[attr-defined]
                Agency(
                    created_at=NOW,
                    agency_ref=ref,
                    name=ref,
                    kind=kind,
                    phone="1",
                    engaged_from=date(2024, 7, 1),
                    engaged_until=until,
                )
            )

    sqlite_database.write(unit)

    with sqlite_database.read() as connection:
        found = [(view.agency_ref, view.in_force) for view in agencies(connection, today=date(2026, 11, 20))]

    assert found == [("A00", True), ("A17", True), ("A05", False)]
