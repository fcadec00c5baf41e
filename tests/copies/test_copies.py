"""What the desk answers to copied codes and to networks with a list: exactly once, and what follows from it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from portal.access.limits import STANDARD, Guards, guards_of
from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.checking import pasted
from portal.checking.pasted import TextVerdict
from portal.contacts.models import WrongNumber
from portal.copies import operations as copies
from portal.copies import queries as copy_queries
from portal.copies.operations import CannotAnswer, Telling, Word
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.notices import faces
from portal.notices.alarms import CodeAnswer, NetworkAlarm
from portal.notices.faces import NoticeFace, Tried
from portal.notices.lifecycle import NetworkAction
from portal.notices.models import Notice
from portal.notices.operations import MintedCode, open_code, sync_faces
from portal.notices.verification import asked_for, verdict_on
from portal.settings import Checks
from tests.conftest import BANK_MORNING
from tests.notices.made import SENDING, TEXT, minted, notice
from tests.people import lin

TODAY = date(2026, 11, 20)
BASE = SENDING.base_url
WORD = Word("asked the borrower", "B2107", Actor("staff", "B2107"), BANK_MORNING + timedelta(minutes=5))


@dataclass
class Desk:
    """One notice whose code was used in six networks, and what the desk does about it."""

    database: Database
    keys: Keys
    borrower_id: int
    notice_id: int
    made: MintedCode

    def check(
        self, code: str, network: str, hours: float = 0, guards: Guards = STANDARD, tail: str = ""
    ) -> Tried:
        asked = asked_for(self.keys, code)
        at = BANK_MORNING + timedelta(hours=hours)
        return self.database.write(
            lambda s: faces.try_code(
                s, asked, keys=self.keys, network=network, real_now=at, guards=guards, tail=tail
            )
        )

    def said(self, code: str, network: str, hours: float = 0) -> str:
        return verdict_on(
            asked_for(self.keys, code), self.check(code, network, hours).face, today=TODAY
        ).value

    def seen_at(self) -> datetime:
        with self.database.read() as connection:
            (row,) = copy_queries.copied_rows(connection, self.keys)
            return row.copied_at

    def clear(self, seen_at: datetime) -> None:
        self.database.write(
            lambda s: copies.clear(
                s, keys=self.keys, notice_id=self.notice_id, seen_at=seen_at, word=WORD, guards=STANDARD
            )
        )

    def reissue(self, seen_at: datetime) -> None:
        self.database.write(
            lambda s: copies.reissue(
                s,
                keys=self.keys,
                notice_id=self.notice_id,
                seen_at=seen_at,
                word=WORD,
                telling=Telling(SENDING, {1: True}),
                real_now=BANK_MORNING,
            )
        )

    def texts(self) -> list[str]:
        with self.database.read() as connection:
            rows = connection.execute(select(Message.text_sealed).order_by(Message.id))
            return [self.keys.unseal("message.text", row.text_sealed) for row in rows]


@pytest.fixture
def desk(database: Database, keys: Keys) -> Desk:
    borrower_id = database.write(lambda s: lin(s, keys))
    notice_id = database.write(lambda s: notice(s, borrower_id=borrower_id))
    made = minted(database, keys, notice_id)
    found = Desk(database, keys, borrower_id, notice_id, made)
    assert [found.said(made.code, f"net {n}") for n in range(6)] == ["genuine"] * 5 + ["copied"]
    return found


def test_the_household_is_cleared_until_so_many_networks_more(desk: Desk) -> None:
    desk.clear(desk.seen_at())

    said = [desk.said(desk.made.code, f"net {n}", hours=1) for n in range(12)]
    assert said == ["genuine"] * 11 + ["copied"]
    with desk.database.read() as connection:
        detail = copy_queries.copied_detail(connection, desk.keys, desk.notice_id)
    assert detail is not None
    assert (detail.row.networks, [one.action for one in detail.answers]) == (12, ["clear"])
    desk.clear(desk.seen_at())  # a second warning is a second question
    assert desk.said(desk.made.code, "net 0") == "genuine"


def test_a_replaced_code_is_withdrawn_and_the_borrower_has_another(desk: Desk) -> None:
    desk.database.write(lambda s: s.execute(update(Borrower).values(language="en")))
    desk.reissue(desk.seen_at())

    assert desk.said(desk.made.code, "net 0") == "withdrawn"
    told, again = desk.texts()
    assert "14 October 2026 no longer counts" in told
    assert "400-000-0001" in told
    code = next(word for word in again.replace("。", " ").replace(".", " ").split() if word.count("-") == 2)
    assert code.replace("-", "") != desk.made.code
    assert desk.said(code, "net 0") == "genuine"
    with desk.database.read() as connection:
        assert copy_queries.copied_count(connection) == 0
        # a text has gone out: nobody keeps the code
        assert connection.scalar(select(Notice.code_sealed).where(Notice.id == desk.notice_id)) is None


def test_a_replaced_code_stays_withdrawn_whatever_the_banks_next_file_says(desk: Desk) -> None:
    desk.reissue(desk.seen_at())
    desk.database.write(sync_faces)

    assert desk.said(desk.made.code, "net 0", 30) == "withdrawn"


def test_the_old_message_pasted_is_withdrawn_and_the_new_one_genuine(desk: Desk) -> None:
    desk.reissue(desk.seen_at())
    old = TEXT.replace("{code}", desk.made.code).replace("{link}", f"{BASE}/n/{desk.made.token}")
    new = desk.texts()[1]
    found = []
    for text in (old, new):
        read = pasted.read(desk.keys, text, base=BASE)
        tried = desk.database.write(
            lambda s, read=read: pasted.try_text(
                s, read, keys=desk.keys, base=BASE, network="net 0", real_now=BANK_MORNING
            )
        )
        found.append(pasted.text_verdict(read, tried, today=TODAY)[0])

    assert found == [TextVerdict.WITHDRAWN, TextVerdict.GENUINE]


def test_of_a_paper_the_new_code_waits_to_be_printed(desk: Desk) -> None:
    desk.database.write(lambda s: s.execute(update(Notice).values(channel="letter", code_sealed=None)))
    desk.reissue(desk.seen_at())

    with desk.database.read() as connection:
        sealed = connection.scalar(select(Notice.code_sealed).where(Notice.id == desk.notice_id))
    assert sealed is not None
    assert desk.said(open_code(desk.keys, sealed).code, "net 0") == "genuine"
    assert len(desk.texts()) == 1


def test_this_is_not_me_on_an_old_code_is_heard(desk: Desk) -> None:
    desk.reissue(desk.seen_at())
    face = desk.check(desk.made.code, "net 0").face
    assert face is not None
    desk.database.write(
        lambda s: faces.report_wrong_person(s, face, keys=desk.keys, network="net 0", now=BANK_MORNING)
    )

    with desk.database.read() as connection:
        assert connection.scalar(select(WrongNumber.borrower_id)) == desk.borrower_id


@pytest.mark.parametrize("change", [{"status": "withdrawn"}, {"expires_on": date(2026, 11, 19)}])
def test_what_is_over_is_not_issued_again_and_can_be_cleared(desk: Desk, change: dict[str, object]) -> None:
    desk.database.write(lambda s: s.execute(update(NoticeFace).values(**change)))
    with pytest.raises(CannotAnswer, match="ended"):
        desk.reissue(desk.seen_at())
    assert desk.texts() == []
    desk.clear(desk.seen_at())


def test_of_many_at_once_one_answers(desk: Desk) -> None:
    seen_at = desk.seen_at()
    barrier, told = threading.Barrier(4), []

    def act(answer: Callable[[datetime], None]) -> None:
        barrier.wait()
        try:
            answer(seen_at)
            told.append("done")
        except CannotAnswer as error:
            told.append(error.reason)

    threads = [
        threading.Thread(target=act, args=(verb,))
        for verb in (desk.clear, desk.reissue, desk.clear, desk.reissue)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["done", "meanwhile", "meanwhile", "meanwhile"]
    with desk.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(CodeAnswer)) == 1


def thief(desk: Desk, count: int = 14) -> list[str]:
    """So many codes of ours, checked from one network one after the other."""
    found = []
    for n in range(count):
        number = desk.database.write(
            lambda s, n=n: notice(s, borrower_id=desk.borrower_id, notice_ref=f"T{n}", channel="letter")
        )
        found.append(minted(desk.database, desk.keys, number).code)
        desk.check(found[-1], "a thief")
    return found


def network_of(desk: Desk) -> copy_queries.NetworkRow:
    with desk.database.read() as connection:
        (row,) = copy_queries.network_rows(connection, answered=False)
    return row


def judge(desk: Desk, action: NetworkAction, version: int = 1, hours: float = 0) -> int:
    word = Word("looked", "B2107", Actor("staff", "B2107"), BANK_MORNING + timedelta(hours=hours))
    return desk.database.write(
        lambda s: copies.judge_network(
            s, keys=desk.keys, network_id=1, action=action, version=version, word=word, guards=STANDARD
        )
    )


def test_a_network_with_a_list_waits_at_the_desk_with_what_it_asked(desk: Desk) -> None:
    thief(desk)
    row = network_of(desk)

    assert (row.codes, row.alarms, row.state) == (14, 1, "open")
    with desk.database.read() as connection:
        detail = copy_queries.network_detail(connection, desk.keys, row.network_id)
    assert detail is not None
    assert [one.notice_ref for one in detail.asked if one.unanswered] == [f"T{n}" for n in range(10, 14)]


def test_all_that_a_thief_asked_about_counts_as_copied_once(desk: Desk) -> None:
    codes = thief(desk)

    assert judge(desk, NetworkAction.DISTRUST) == 14
    with pytest.raises(CannotAnswer, match="meanwhile"):
        judge(desk, NetworkAction.DISTRUST)
    assert {desk.said(code, "its owner") for code in codes[:5]} == {"copied"}
    with desk.database.read() as connection:
        assert copy_queries.copied_count(connection) == 15


def test_a_shared_network_is_quiet_for_a_while_and_then_asked_about_again(desk: Desk) -> None:
    codes = thief(desk)
    judge(desk, NetworkAction.SHARE)

    def again(hours: float) -> list[str]:
        for code in codes[:11]:
            desk.check(code, "a thief", hours)
        with desk.database.read() as connection:
            return [state for (state,) in connection.execute(select(NetworkAlarm.state))]

    assert desk.said(codes[0], "its owner") == "genuine"
    assert again(24) == ["shared"]
    assert again(24 * 31) == ["open"]
    with pytest.raises(CannotAnswer, match="meanwhile"):
        judge(desk, NetworkAction.SHARE)
    judge(desk, NetworkAction.DISTRUST, 3, 24 * 31)


def test_behind_a_shared_address_the_end_of_the_mobile_opens_the_answer(desk: Desk) -> None:
    codes = thief(desk, 12)

    assert desk.check(codes[10], "a thief") == Tried(None, asks_tail=True)
    refused = desk.check(codes[10], "a thief", tail="0035")
    unknown = desk.check("0" * 13, "a thief", tail="0034")
    assert refused == unknown == Tried(None, asks_tail=True, tail_refused=True)
    assert desk.check(codes[10], "a thief", tail="0034").face is not None
    assert desk.check(codes[10], "a thief").face is not None  # seen in this hour: not asked again
    assert desk.check(codes[11], "a thief") == Tried(None, asks_tail=True)


def test_ends_of_a_mobile_are_not_tried_through(desk: Desk) -> None:
    codes = thief(desk, 11)
    wrong = [desk.check(codes[10], "a thief", tail=f"{n:04}") for n in range(5)]

    assert all(one.tail_refused for one in wrong)
    assert desk.check(codes[10], "a thief", tail="0034").tail_refused
    for n in range(40):
        last = desk.check(codes[n % 11], "a thief", tail=f"{n:04}") if n % 11 == 10 else None
        last = desk.check("0" * 13, "a thief", tail=f"{n:04}")
    assert last is not None
    assert last.wait_seconds > 0


def test_a_bank_draws_its_own_lines(desk: Desk) -> None:
    guards = guards_of(Checks(real_codes_per_network=3))
    codes = thief(desk, 5)

    asked = [desk.check(code, "an office", guards=guards).asks_tail for code in codes]
    assert asked == [False, False, False, True, True]
