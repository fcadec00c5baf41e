"""A report from draft to sent, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from portal.db import Database
from portal.documents.kinds import DEFAULT_LIMITS
from portal.documents.operations import Upload
from portal.hardship import operations, queries
from portal.hardship.affordability import Budget
from portal.hardship.models import HardshipReport
from portal.hardship.operations import CardNumberFound, NoDraft, NotReady
from portal.keys import Keys
from portal.money import Money
from tests import people

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def yuan(minor: int) -> Money:
    return Money(minor, "CNY")


class Desk:
    """Lin at her kitchen table."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self.database, self.keys = database, keys
        self.lin = database.write(lambda session: people.lin(session, keys))

    def tell(self, reason: str | None = "income_lost", story: str = "工厂关门了") -> None:
        self.database.write(
            lambda session: operations.save_reason(
                session, keys=self.keys, borrower_id=self.lin, reason=reason, story=story, now=NOW
            )
        )

    def month(self, **amounts: int | None) -> None:
        money = {label: None if minor is None else yuan(minor) for label, minor in amounts.items()}
        self.database.write(
            lambda session: operations.save_amounts(session, borrower_id=self.lin, amounts=money, now=NOW)
        )

    def send(self, form_key: str = "k1", consents: bool = False, now: datetime = NOW) -> str:
        return self.database.write(
            lambda session: operations.submit(
                session, borrower_id=self.lin, form_key=form_key, consents=consents, now=now
            )
        )

    def paper(self, kind: str = "income_proof", key: str = "p1", consents: bool = False) -> None:
        upload = Upload(key, kind, "slip.jpg", "image/jpeg", 100, "0" * 64)
        self.database.write(
            lambda session: operations.add_document(
                session,
                keys=self.keys,
                borrower_id=self.lin,
                upload=upload,
                consents=consents,
                limits=DEFAULT_LIMITS,
                now=NOW,
            )
        )

    def draft(self) -> queries.ReportView | None:
        with self.database.read() as connection:
            return queries.draft_for(connection, self.keys, self.lin)

    def latest(self) -> queries.ReportView | None:
        with self.database.read() as connection:
            return queries.latest_report_for(connection, self.keys, self.lin)


@pytest.fixture
def desk(database: Database, keys: Keys) -> Desk:
    return Desk(database, keys)


def test_a_draft_is_kept_step_by_step(desk: Desk) -> None:
    desk.tell()
    desk.month(salary=620_000, pension=None)
    desk.month(food=250_000, rent=90_000)

    draft = desk.draft()
    assert draft is not None
    assert (draft.reason, draft.story, draft.submitted_at) == ("income_lost", "工厂关门了", None)
    assert draft.budget == Budget(yuan(620_000), yuan(250_000), yuan(90_000))
    assert desk.latest() is None


def test_changing_a_step_replaces_only_its_lines(desk: Desk) -> None:
    desk.month(salary=620_000, pension=10_000)
    desk.month(food=1)
    desk.month(salary=500_000, pension=None)

    draft = desk.draft()
    assert draft is not None
    assert [(line.label, line.amount.minor) for line in draft.lines] == [("salary", 500_000), ("food", 1)]


def test_the_story_is_sealed_at_rest(desk: Desk) -> None:
    desk.tell(story="CANARY-STORY")

    with desk.database.read() as connection:
        stored = connection.execute(text("SELECT story_sealed FROM hardship_report")).scalar_one()
    assert b"CANARY" not in bytes(stored)


def test_a_card_number_is_refused_and_nothing_of_the_page_is_kept(desk: Desk) -> None:
    desk.tell(story="before")
    with pytest.raises(CardNumberFound):
        desk.tell(reason="other", story="卡号 ４１１１ 1111 1111 1111")

    draft = desk.draft()
    assert draft is not None
    assert (draft.reason, draft.story) == ("income_lost", "before")


def test_two_pages_at_once_begin_one_draft(desk: Desk) -> None:
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        desk.tell()

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with desk.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(HardshipReport)).scalar_one() == 1


def test_everything_missing_is_said_at_once(desk: Desk) -> None:
    desk.tell(reason=None, story="x")
    with pytest.raises(NotReady) as missing:
        desk.send()
    assert missing.value.missing == ("reason", "income", "spending")

    desk.tell(reason="illness")
    desk.month(salary=0)
    desk.month(rent=0)
    with pytest.raises(NotReady) as missing:
        desk.send()
    assert missing.value.missing == ("consent",)
    assert desk.send(consents=True)


def full(desk: Desk) -> None:
    desk.tell()
    desk.month(salary=620_000)
    desk.month(food=250_000)


def test_sending_ends_the_draft_and_gives_a_reference(desk: Desk) -> None:
    full(desk)
    desk.paper()

    reference = desk.send()

    latest = desk.latest()
    assert latest is not None
    assert latest.reference == reference
    assert latest.submitted_at == NOW
    assert desk.draft() is None
    with pytest.raises(NoDraft):
        desk.send("k2")


def test_the_same_form_sent_twice_gives_the_same_reference(desk: Desk) -> None:
    full(desk)
    barrier, answers = threading.Barrier(8), []

    def send() -> None:
        barrier.wait()
        answers.append(desk.send("same"))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 8
    assert len(set(answers)) == 1


def test_a_sent_report_does_not_change_when_something_new_is_told(desk: Desk) -> None:
    full(desk)
    first = desk.send()

    desk.tell(reason="illness", story="new")

    latest = desk.latest()
    assert latest is not None
    assert (latest.reference, latest.reason) == (first, "income_lost")
    full(desk)
    assert desk.send("k2", now=NOW + timedelta(days=1)) != first
    latest = desk.latest()
    assert latest is not None
    assert latest.reference != first


def test_papers_of_a_sent_report_are_sent_apart(desk: Desk) -> None:
    full(desk)
    desk.send()
    desk.paper(key="later")

    def more() -> int:
        return desk.database.write(
            lambda session: operations.send_more(session, borrower_id=desk.lin, now=NOW)
        )

    assert more() == 1
    assert more() == 0
    desk.tell()
    with pytest.raises(NoDraft):
        more()


def test_a_paper_may_come_before_a_word(desk: Desk) -> None:
    desk.paper()

    assert desk.draft() is not None


def test_a_strangers_report_is_not_there(desk: Desk) -> None:
    full(desk)
    reference = desk.send()
    zhao = desk.database.write(lambda session: people.zhao(session, desk.keys))

    with desk.database.read() as connection:
        assert queries.report_for(connection, desk.keys, zhao, reference) is None
        assert queries.latest_report_for(connection, desk.keys, zhao) is None
        assert queries.report_for(connection, desk.keys, desk.lin, reference) is not None
