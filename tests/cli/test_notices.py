"""`flask notices send`, as an operator types it."""

from __future__ import annotations

from datetime import date

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.contacts.operations import place_hold
from portal.db import Database
from portal.intake.models import IntakeBatch
from portal.keys import Keys
from portal.messages.models import Message
from portal.notices.faces import NoticeFace
from tests.notices.made import CREATED, notice
from tests.people import lin, zhao


def batch(session: Session, *, demonstration: bool) -> None:
    session.add(
        IntakeBatch(
            created_at=CREATED,
            bank="HARBOUR",
            batch_ref="20261120-001",
            sequence=1,
            business_date=date(2026, 11, 20),
            mode="full",
            mapping="harbour",
            manifest_sha256="0" * 64,
            demonstration=demonstration,
            counts={},
        )
    )


def test_it_mints_queues_and_counts_and_again_does_nothing(
    portal_app: Flask, database: Database, keys: Keys
) -> None:
    def unit(session: Session) -> None:
        batch(session, demonstration=False)
        held, free = zhao(session, keys), lin(session, keys)
        notice(session, borrower_id=held, notice_ref="N1")
        notice(session, borrower_id=free, notice_ref="N2")
        notice(session, borrower_id=free, notice_ref="N3", channel="letter")
        hold = {"borrower_id": held, "kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
        place_hold(session, now=CREATED, **hold)

    database.write(unit)

    first = portal_app.test_cli_runner().invoke(args=["notices", "send"])
    second = portal_app.test_cli_runner().invoke(args=["notices", "send"])

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "minted 3, queued 1, changed by the bank 0, held 1" in first.output
    assert "minted 0, queued 0, changed by the bank 0, held 1" in second.output
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(NoticeFace)) == 3
        assert connection.scalars(select(Message.demonstration)).all() == [False]


def test_a_text_that_may_not_be_seen_is_named_and_ends_in_failure(
    portal_app: Flask, database: Database, keys: Keys
) -> None:
    database.write(
        lambda s: notice(
            s, borrower_id=lin(s, keys), notice_ref="N7", body="【港湾银行】您的贷款已逾期{code}"
        )
    )

    run = portal_app.test_cli_runner().invoke(args=["notices", "send"])

    assert run.exit_code == 1
    assert "N7" in run.output
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Message)) == 0


def test_a_notice_of_an_unknown_batch_counts_as_demonstration(
    portal_app: Flask, database: Database, keys: Keys
) -> None:
    database.write(lambda session: notice(session, borrower_id=lin(session, keys)))

    portal_app.test_cli_runner().invoke(args=["notices", "send"])

    with database.read() as connection:
        assert connection.scalars(select(Message.demonstration)).all() == [True]
