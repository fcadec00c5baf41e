"""Seven clear days in Great Britain, Sundays and bank holidays not counted; elsewhere the law prescribes none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from portal.audit import SYSTEM, AuditEntry
from portal.contacts.log import Rules
from portal.contacts.operations import place_hold
from portal.dates import WorkingDays
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.letters.printable import waiting_for_paper
from portal.notices.models import Notice
from portal.visits import changes
from portal.visits.models import Visit
from portal.visits.notice_days import TOO_SHORT, cancel_short, is_too_short, rule_in
from tests import people
from tests.conftest import BANK_MORNING
from tests.notices.made import minted, notice
from tests.visits.door import announced

LONDON = {code: Rules.of(pack(code), "Europe/London") for code in ("gb", "us", "cn")}


@given(st.dates(date(2025, 1, 1), date(2028, 12, 31)), st.integers(0, 40))
def test_a_visit_has_seven_clear_days_that_are_neither_sundays_nor_holidays(on: date, ahead: int) -> None:
    """Counted by hand: the days strictly between, without those left out."""
    rule, calendar = rule_in(LONDON["gb"]), WorkingDays("GB")
    day = on + timedelta(days=ahead)
    between = [on + timedelta(days=n) for n in range(1, ahead)]
    clear = sum(not calendar.is_holiday(one) for one in between)

    assert is_too_short(on, day, rule) is (clear < 7)


def plan(database: Database, keys: Keys, issued: datetime, starts: datetime, ref: str = "V1") -> int:
    """Lin's visit, announced at one instant for another."""

    def unit(session):  # type: ignore[no-untyped-def]
        lin = session.scalar(select(Notice.borrower_id)) or people.lin(session, keys)
        officer = None if ref == "V1" else 1
        made = announced(session, keys, borrower_id=lin, visit_ref=ref, starts_at=starts, officer_id=officer)
        session.execute(update(Notice).where(Notice.id == made.notice_id).values(issued_at=issued))
        return lin

    return database.write(unit)


def stands(database: Database) -> dict[str, tuple[str, str | None]]:
    with database.read() as connection:
        rows = connection.execute(select(Visit.visit_ref, Visit.state, Visit.off_reason))
        return {ref: (state, reason) for ref, state, reason in rows}


@pytest.mark.parametrize(("code", "off"), [("gb", True), ("us", False), ("cn", False)])
def test_what_is_announced_too_late_is_called_off_where_the_law_says_so(
    database: Database, keys: Keys, code: str, off: bool
) -> None:
    # from Tuesday 22 December 2026: Christmas, Boxing Day's substitute, two Sundays and New Year's Day do not count
    issued = datetime(2026, 12, 22, 10, tzinfo=UTC)
    plan(database, keys, issued, datetime(2027, 1, 4, 15, tzinfo=UTC))
    plan(database, keys, issued, datetime(2027, 1, 5, 15, tzinfo=UTC), "V2")

    count = database.write(lambda s: cancel_short(s, rules=LONDON[code], now=issued))

    assert count == int(off)
    assert stands(database)["V1"] == (("cancelled", TOO_SHORT) if off else ("planned", None))
    assert stands(database)["V2"] == ("planned", None)
    again = database.write(lambda s: cancel_short(s, rules=LONDON[code], now=issued))
    assert again == 0
    with database.read() as connection:
        events = list(connection.scalars(select(AuditEntry.event)))
    assert events.count("visits.cancel") == int(off)


def test_what_the_borrower_moved_is_the_borrowers_choice(database: Database, keys: Keys) -> None:
    issued = datetime(2026, 12, 22, 10, tzinfo=UTC)
    plan(database, keys, issued, datetime(2026, 12, 24, 15, tzinfo=UTC))
    database.write(lambda s: s.execute(update(Visit).values(moved_from=issued)))

    assert database.write(lambda s: cancel_short(s, rules=LONDON["gb"], now=issued)) == 0


def test_a_wrong_number_rests_neither_letters_nor_visits(database: Database, keys: Keys) -> None:
    lin = database.write(lambda s: people.lin(s, keys))
    letter = database.write(lambda s: notice(s, borrower_id=lin, notice_ref="N-L", channel="letter"))
    minted(database, keys, letter)
    plan(database, keys, BANK_MORNING, BANK_MORNING + timedelta(days=3))
    own = {"borrower_id": lin, "visit_ref": "V1", "now": BANK_MORNING}
    database.write(lambda s: changes.ask_place(s, keys=keys, place="支行", **own))
    database.write(
        lambda s: place_hold(
            s, borrower_id=lin, kind="stop", reason="wrong_number", source="wrong_number:1", now=BANK_MORNING
        )
    )

    with database.read() as connection:
        today = date(2026, 11, 20)
        assert "N-L" in waiting_for_paper(connection, "letter", today=today, now=BANK_MORNING)
    database.write(lambda s: changes.agree_place(s, visit_ref="V1", actor=SYSTEM, now=BANK_MORNING))
    assert stands(database)["V1"] == ("planned", None)
