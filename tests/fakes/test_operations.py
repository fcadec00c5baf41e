"""A report is kept once, finds its group in any order, and two people at the desk lose nothing."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from portal.audit import Actor, AuditEntry
from portal.db import Database
from portal.fakes import queries
from portal.fakes.lifecycle import GroupAction
from portal.fakes.models import FakeDecision, FakeReport
from portal.fakes.operations import REPORTS_NETWORK, Published, Told, UnableToDecide, UnableToReport, Word
from portal.fakes.operations import decide as decided
from portal.fakes.operations import report as reported
from portal.keys import Keys

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
PUBLISHED = Published(("my.harbour.example",), ("4000000001",))
FREEZE = (
    "【港弯银行客服】您的账户存在异常，将于今日冻结。请速联系专员，或点击链接办理解除手续，逾期后果自负。"
)
PARCEL = "您好，您的快递因地址不详已被退回，请尽快登录网站补充收件信息并支付二次派送费用，谢谢配合。"
TOLD = (
    Told(text=FREEZE),
    Told(text=FREEZE.replace("今日", "明日") + " 17000001234"),
    Told(number="170 0000 1234"),
    Told(link="https://hb-kefu.top/a"),
    Told(text="去 hb-kefu.top/b 领奖，电话17000001234"),
    Told(text=PARCEL),
)


def report(database: Database, keys: Keys, told: Told, form_key: str, network: str = "n") -> str:
    return database.write(
        lambda s: reported(
            s, told, keys=keys, published=PUBLISHED, form_key=form_key, network=network, now=NOW, real_now=NOW
        )
    )


def decide(database: Database, keys: Keys, group_id: int, word: Word, who: str = "R1") -> None:
    database.write(
        lambda s: decided(
            s, keys=keys, group_id=group_id, word=word, staff_ref=who, actor=Actor("staff", "1"), now=NOW
        )
    )


def waiting(database: Database, keys: Keys) -> tuple[queries.GroupRow, ...]:
    with database.read() as connection:
        return queries.queue(connection, keys)


def partition(database: Database) -> set[frozenset[str]]:
    with database.read() as connection:
        rows = connection.execute(select(FakeReport.group_id, FakeReport.reference)).all()
    found: dict[int, set[str]] = {}
    for group_id, reference in rows:
        found.setdefault(group_id, set()).add(reference)
    return {frozenset(one) for one in found.values()}


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(TOLD))))[::103])
def test_the_same_groups_whatever_came_first(
    sqlite_database: Database, keys: Keys, order: tuple[int, ...]
) -> None:
    references = {at: report(sqlite_database, keys, TOLD[at], f"form {at}") for at in order}

    together = frozenset(references[at] for at in range(5))
    assert partition(sqlite_database) == {together, frozenset({references[5]})}
    assert [row.reports for row in waiting(sqlite_database, keys)] == [5, 1]


def test_the_same_form_twice_is_one_report(database: Database, keys: Keys) -> None:
    barrier, made = threading.Barrier(4), []

    def send() -> None:
        barrier.wait()
        made.append(report(database, keys, Told(text=FREEZE), "one form"))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert len(set(made)) == 1
    assert [row.reports for row in waiting(database, keys)] == [1]


def test_two_alike_at_the_same_instant_are_one_group(database: Database, keys: Keys) -> None:
    barrier = threading.Barrier(4)

    def send(n: int) -> None:
        barrier.wait()
        report(database, keys, Told(text=f"{FREEZE}{n}"), f"form {n}", network=f"n{n}")

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row.reports for row in waiting(database, keys)] == [4]


def test_of_two_who_decide_one_does_and_the_other_is_told(database: Database, keys: Keys) -> None:
    report(database, keys, TOLD[4], "a")
    (row,) = waiting(database, keys)
    barrier, told = threading.Barrier(2), []
    words = (
        Word(
            GroupAction.CONFIRM, 1, "a fake", text="去领奖，尊敬的王明先生13900000034", links=("hb-kefu.top",)
        ),
        Word(GroupAction.CLEAR, 1, "harmless"),
    )

    def act(word: Word) -> None:
        barrier.wait()
        try:
            decide(database, keys, row.group_id, word)
            told.append("done")
        except UnableToDecide as error:
            told.append(error.reason)

    threads = [threading.Thread(target=act, args=(word,)) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["done", "meanwhile"]
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(FakeDecision)) == 1


def test_a_confirmed_fake_warns_without_anybodys_data_and_takes_in_its_likes(
    database: Database, keys: Keys
) -> None:
    reference = report(database, keys, TOLD[4], "a")
    (row,) = waiting(database, keys)
    text = "尊敬的王明先生 13900000034 去领奖"
    word = Word(GroupAction.CONFIRM, 1, "three victims", text=text, links=("hb-kefu.top",))
    decide(database, keys, row.group_id, word)
    report(database, keys, Told(link="hb-kefu.top/zzz"), "b")

    assert waiting(database, keys) == ()
    with database.read() as connection:
        (warned,) = queries.warnings(connection)
        assert queries.confirmed_hosts(connection) == {"hb-kefu.top"}
        receipt = queries.receipt(connection, reference)
        (shown,) = queries.queue(connection, keys, decided=True)
        events = connection.scalars(select(AuditEntry.event).order_by(AuditEntry.id)).all()
    assert "王明" not in warned.text
    assert "13900000034" not in warned.text
    assert "去领奖" in warned.text
    assert receipt is not None
    assert receipt.confirmed
    assert shown.reports == 2
    assert events == ["fakes.reported", "fakes.confirm", "fakes.reported"]
    with pytest.raises(DBAPIError):
        database.write(lambda s: s.execute(FakeDecision.__table__.delete()))


def test_what_differs_from_a_cleared_group_is_looked_at_anew(sqlite_database: Database, keys: Keys) -> None:
    report(sqlite_database, keys, Told(text=FREEZE), "a")
    (row,) = waiting(sqlite_database, keys)
    decide(sqlite_database, keys, row.group_id, Word(GroupAction.OWN, 1, "our own words"))
    report(sqlite_database, keys, Told(text=FREEZE), "the same")
    assert waiting(sqlite_database, keys) == ()

    report(sqlite_database, keys, Told(text=FREEZE + " hb-kefu.top"), "with an address")

    assert len(waiting(sqlite_database, keys)) == 1


def test_reports_that_come_together_tell_whoever_was_deciding(sqlite_database: Database, keys: Keys) -> None:
    report(sqlite_database, keys, TOLD[2], "a")
    report(sqlite_database, keys, TOLD[3], "b")
    assert len(waiting(sqlite_database, keys)) == 2
    report(sqlite_database, keys, TOLD[4], "c")
    (row,) = waiting(sqlite_database, keys)

    with pytest.raises(UnableToDecide, match="meanwhile"):
        decide(sqlite_database, keys, row.group_id, Word(GroupAction.CLEAR, 1, "note"))
    assert row.reports == 3


def test_nothing_and_card_numbers_and_floods_are_refused(sqlite_database: Database, keys: Keys) -> None:
    with pytest.raises(UnableToReport, match="empty"):
        report(sqlite_database, keys, Told(text="  "), "a")
    with pytest.raises(UnableToReport, match="card_number"):
        report(sqlite_database, keys, Told(text="pay to 4111 1111 1111 1111"), "b")
    for n in range(REPORTS_NETWORK.most):
        report(sqlite_database, keys, Told(text=FREEZE), f"form {n}")
    with pytest.raises(UnableToReport, match="wait"):
        report(sqlite_database, keys, Told(text=FREEZE), "one more")
    assert report(sqlite_database, keys, Told(text=FREEZE), "elsewhere", network="other")
