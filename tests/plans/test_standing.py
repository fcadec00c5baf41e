"""Where a borrower stands, and then + charged - paid = now for every notice of the export."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access.models import Challenge
from portal.accounts.queries import balances_for
from portal.borrowers.models import Borrower
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.intake.operations import apply_batch
from portal.keys import Keys
from portal.notices.models import Notice
from portal.plans.standing import ladder_of, past_limitation, since_of, standing_for
from tests import people
from tests.conftest import BANK_MORNING
from tests.web.borrower.test_balance import ISSUED, notice

HARBOUR = Path(__file__).parent.parent.parent / "portal/demo/harbour"


@pytest.fixture(scope="module")
def harbour(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The whole export, taken in once for this file."""
    path = tmp_path_factory.mktemp("standing") / "harbour.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    keys = Keys(pepper=bytes(range(32)), master=bytes(range(32, 64)))
    apply_batch(database, directory=HARBOUR, mapping="harbour", keys=keys, now=BANK_MORNING)
    return database


def test_every_notice_of_the_export_leads_to_todays_figure_without_a_rest(harbour: Database) -> None:
    with harbour.read() as connection:
        notices = connection.execute(select(Notice.notice_ref, Notice.borrower_id)).all()
        assert len(notices) == 491
        kinds = {"fallen_due": 0, "paid": 0}
        for ref, borrower_id in notices:
            standing = standing_for(connection, borrower_id, now=BANK_MORNING, notice_ref=ref)
            since = since_of(standing, balances_for(connection, borrower_id))
            assert since is not None
            assert since.other.minor == 0, ref
            kinds["fallen_due"] += bool(since.fallen_due)
            kinds["paid"] += bool(since.paid)
    assert kinds == {"fallen_due": 145, "paid": 24}


def test_the_drawn_example_of_the_export(harbour: Database) -> None:
    with harbour.read() as connection:
        borrower_id = connection.scalar(select(Borrower.id).where(Borrower.customer_ref == "C800138"))
        assert borrower_id is not None
        standing = standing_for(connection, borrower_id, now=BANK_MORNING, notice_ref="N20261100330")
        since = since_of(standing, balances_for(connection, borrower_id))
    assert since is not None
    figures = (since.then, since.charged["interest"], since.charged["fee"], since.paid, since.now)
    assert [figure.plain() for figure in figures] == ["63576.27", "777.60", "0.00", "0.00", "64353.87"]
    assert since.counts["interest"] == 3
    ladder = ladder_of(standing, now=BANK_MORNING, local=lambda instant: instant)
    assert ladder.here == "legal"
    assert ladder.next_visit is not None
    assert ladder.next_visit.starts_at == datetime(2026, 12, 6, 7, 0, tzinfo=UTC)


def lin_with_two_notices(session: Session, keys: Keys) -> int:
    """Lin, with N-1 and a later N-2 about her loan."""
    lin = people.lin(session, keys)
    for ref in ("N-1", "N-2"):
        notice(session, ref=ref, borrower_id=lin, loan_refs=["L-LIN-1"], stated_minor=1_200_000)
    session.query(Notice).filter_by(notice_ref="N-2").update({"issued_at": ISSUED + timedelta(days=5)})
    return lin


def test_the_notice_at_hand_is_named_or_signed_in_with_or_the_latest(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: lin_with_two_notices(session, keys))

    def at_hand(ref: str = "") -> str:
        with database.read() as connection:
            found = standing_for(connection, lin, now=BANK_MORNING, notice_ref=ref).at_hand
        return found.notice_ref if found else ""

    assert at_hand() == "N-2"
    assert at_hand("N-1") == "N-1"

    def sign_in(session: Session) -> None:
        first = session.query(Notice).filter_by(notice_ref="N-1").one()
        session.add(
            Challenge(
                created_at=BANK_MORNING,
                borrower_id=lin,
                notice_id=first.id,
                purpose="sign_in",
                code_digest="c",
                browser_digest="b",
                expires_at=BANK_MORNING,
                used_at=BANK_MORNING,
            )
        )

    database.write(sign_in)
    assert at_hand() == "N-1"
    assert at_hand("N-2") == "N-2"


def test_withdrawn_and_later_notices_are_not_at_hand(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: lin_with_two_notices(session, keys))

    def withdraw(session: Session) -> None:
        session.query(Notice).filter_by(notice_ref="N-2").update({"status": "withdrawn"})

    database.write(withdraw)
    with database.read() as connection:
        now = standing_for(connection, lin, now=BANK_MORNING)
        before = standing_for(connection, lin, now=ISSUED - timedelta(days=1))
    assert now.at_hand is not None
    assert now.at_hand.notice_ref == "N-1"
    assert before.at_hand is None
    assert before.notices == ()


def test_somebody_elses_notice_is_never_at_hand(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> tuple[int, int]:
        lin, zhao = lin_with_two_notices(session, keys), people.zhao(session, keys)
        notice(session, ref="N-Z", borrower_id=zhao, loan_refs=["L-ZHAO-1"], stated_minor=1)
        return lin, zhao

    lin, _ = database.write(unit)
    with database.read() as connection:
        standing = standing_for(connection, lin, now=BANK_MORNING, notice_ref="N-Z")
    assert standing.at_hand is not None
    assert standing.at_hand.notice_ref == "N-2"
    assert {one.notice_ref for one in standing.notices} == {"N-1", "N-2"}


def test_holds_count_while_they_are_in_force(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: lin_with_two_notices(session, keys))
    ends = BANK_MORNING + timedelta(days=14)
    database.write(
        lambda session: place_hold(
            session,
            borrower_id=lin,
            kind="pause",
            reason="refusal_cooling",
            source="negotiation:1",
            now=BANK_MORNING,
            ends_at=ends,
        )
    )
    with database.read() as connection:
        during = standing_for(connection, lin, now=BANK_MORNING)
        after = standing_for(connection, lin, now=ends + timedelta(days=1))
    assert during.holds == {"refusal_cooling": "pause"}
    assert after.holds == {}


def test_old_claims_are_flagged_a_day_after_the_period(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    with database.read() as connection:
        loans = balances_for(connection, lin).loans
    assert past_limitation(loans, years=3, today=date(2029, 5, 15)) == ()
    assert len(past_limitation(loans, years=3, today=date(2029, 5, 16))) == 2
    assert past_limitation(loans, years=None, today=date(2050, 1, 1)) == ()
