"""Minting and sending: every notice one code, every text handed over once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from portal.access import codes
from portal.contacts.log import Rules
from portal.contacts.operations import lift_hold, place_hold
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages import operations as outbox
from portal.messages.models import Message
from portal.notices import operations
from portal.notices.faces import NoticeFace
from portal.notices.models import Notice
from portal.notices.operations import Sending, Sent, open_code
from tests.notices.made import SENDING, minted, notice
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def send(database: Database, keys: Keys, *, sending: Sending = SENDING, demonstration: bool = False) -> Sent:
    return database.write(
        lambda session: operations.send(
            session,
            keys=keys,
            sending=sending,
            demonstration={1: demonstration},
            now=NOW,
            real_now=NOW,
        )
    )


def outgoing(database: Database, keys: Keys) -> list[str]:
    claims = database.write(
        lambda session: outbox.claim(
            session,
            keys=keys,
            owner="w",
            real_now=NOW,
            now=NOW,
            rules=Rules.of(pack("cn"), "Asia/Shanghai"),
            limit=100,
        )
    )
    return [claimed.text for claimed in claims]


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return database.write(lambda session: lin(session, keys))


def test_a_code_and_a_link_lead_to_the_same_face(database: Database, keys: Keys, borrower_id: int) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))

    made = minted(database, keys, notice_id)

    with database.read() as connection:
        face = connection.execute(select(NoticeFace.__table__)).one()
    assert (face.notice_id, face.mobile_tail, face.status) == (notice_id, "34", "live")
    assert (face.issued_on, face.expires_on) == (date(2026, 10, 14), date(2026, 12, 13))
    assert face.code_digest == codes.digest_of(keys, made.code)
    assert face.token_digest == codes.digest_of(keys, made.token)
    assert (len(made.code), len(made.token)) == (13, 26)


def test_the_issue_date_is_the_banks_own_day(database: Database, keys: Keys, borrower_id: int) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    evening = datetime(2026, 10, 14, 16, 30, tzinfo=UTC)
    database.write(lambda session: session.execute(update(Notice).values(issued_at=evening)) and None)

    minted(database, keys, notice_id)

    with database.read() as connection:
        assert connection.scalar(select(NoticeFace.issued_on)) == date(2026, 10, 15)


def test_minting_again_changes_nothing(database: Database, keys: Keys, borrower_id: int) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    first = minted(database, keys, notice_id)

    again = database.write(lambda session: operations.mint(session, keys=keys, zone="UTC", now=NOW))

    assert again == 0
    assert minted(database, keys, notice_id) == first


def test_expired_and_withdrawn_notices_are_minted_but_not_sent(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    def unit(session: Session) -> None:
        notice(session, borrower_id=borrower_id, notice_ref="N1", expires_on=date(2026, 11, 19))
        notice(session, borrower_id=borrower_id, notice_ref="N2", status="withdrawn")
        notice(session, borrower_id=borrower_id, notice_ref="N3", channel="letter")
        notice(session, borrower_id=borrower_id, notice_ref="N4", expires_on=date(2026, 11, 20))

    database.write(unit)

    assert database.write(lambda session: operations.mint(session, keys=keys, zone="UTC", now=NOW)) == 4
    assert send(database, keys).queued == 1
    with database.read() as connection:
        assert connection.scalars(select(Message.dedupe_key)).all() == ["notice:4"]


def test_the_text_goes_out_once_with_code_and_link_and_the_code_is_wiped(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    made = minted(database, keys, notice_id)

    counts = [send(database, keys).queued, send(database, keys).queued]

    assert counts == [1, 0]
    assert outgoing(database, keys) == [
        f"【港湾银行】您有一份服务通知，查询码{codes.grouped(made.code)}。请打开"
        f"https://my.harbour.example/n/{made.token}核实，或自行输入my.harbour.example。"
    ]
    with database.read() as connection:
        assert connection.scalar(select(Notice.code_sealed)) is None


def test_a_bank_that_sends_no_links_sends_the_other_text(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    made = minted(database, keys, notice_id)

    send(database, keys, sending=replace(SENDING, links_in_sms=False))

    assert outgoing(database, keys) == [
        f"【港湾银行】您有一份服务通知，查询码{codes.grouped(made.code)}。请自行输入my.harbour.example核实。"
    ]


def test_letters_and_calls_keep_their_code_sealed_for_the_core(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id, channel="letter"))
    made = minted(database, keys, notice_id)

    send(database, keys)

    with database.read() as connection:
        sealed = connection.scalar(select(Notice.code_sealed))
        stored = connection.execute(text("SELECT * FROM notice")).one()
    assert sealed is not None
    assert open_code(keys, sealed) == made
    assert not any(made.code in str(value) or made.token in str(value) for value in stored)


def test_a_borrower_with_a_hold_waits_for_the_next_run(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    minted(database, keys, notice_id)
    hold = {"borrower_id": borrower_id, "kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
    database.write(lambda session: place_hold(session, now=NOW, **hold))

    held = send(database, keys).queued
    database.write(lambda s: lift_hold(s, source="negotiation:1", reason="proposal_open", now=NOW))

    assert (held, send(database, keys).queued) == (0, 1)


@pytest.mark.parametrize("body", ["【港湾银行】您的贷款已逾期，{code}", "【港湾银行】应付20704.59，{code}"])
def test_a_text_with_debt_words_or_an_amount_is_refused_and_named(
    database: Database, keys: Keys, borrower_id: int, body: str
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id, body=body))
    minted(database, keys, notice_id)

    sent = send(database, keys)

    assert (sent.queued, sent.refused) == (0, ("N1",))
    assert outgoing(database, keys) == []


@pytest.mark.parametrize("flag", [True, False])
def test_the_demonstrations_mark_follows_the_batch(
    database: Database, keys: Keys, borrower_id: int, flag: bool
) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    minted(database, keys, notice_id)

    send(database, keys, demonstration=flag)

    with database.read() as connection:
        assert connection.scalar(select(Message.demonstration)) is flag


def test_a_message_is_worthless_once_its_notice_has_expired(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    notice_id = database.write(
        lambda session: notice(session, borrower_id=borrower_id, expires_on=date(2026, 11, 20))
    )
    minted(database, keys, notice_id)

    send(database, keys)

    with database.read() as connection:
        assert connection.scalar(select(Message.expires_at)) == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


def test_a_withdrawal_reaches_the_face(database: Database, keys: Keys, borrower_id: int) -> None:
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    minted(database, keys, notice_id)
    database.write(lambda session: session.execute(update(Notice).values(status="withdrawn")) and None)

    changed = [database.write(operations.sync_faces), database.write(operations.sync_faces)]

    assert changed == [1, 0]
    with database.read() as connection:
        assert connection.scalar(select(NoticeFace.status)) == "withdrawn"


@pytest.mark.parametrize("spelled", ["7CNY", "0DEBT0"])
def test_a_code_that_happens_to_spell_a_word_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    bodies = iter([f"{spelled}ZZZZZZZZZZZZ"[:12], "7KQF3MWD2A9R"])
    tokens = iter(["0" * 26, "0" * 26])
    monkeypatch.setattr(codes, "new_code", lambda: codes.with_check(next(bodies)))
    monkeypatch.setattr(codes, "new_token", lambda: next(tokens))

    assert operations.new_minted().code == "7KQF3MWD2A9RB"


def test_two_runs_at_once_mint_and_queue_each_notice_once(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> None:
        for borrower_id in (lin(session, keys), zhao(session, keys)):
            for number in range(40):
                notice(session, borrower_id=borrower_id, notice_ref=f"N{borrower_id}-{number}")

    database.write(unit)
    start = threading.Barrier(2)
    minted_counts, queued_counts = list[int](), list[int]()

    def run() -> None:
        start.wait()
        for _ in range(20):
            minted_counts.append(
                database.write(lambda s: operations.mint(s, keys=keys, zone="UTC", now=NOW, limit=10))
            )
            queued_counts.append(send(database, keys).queued)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        left = connection.scalar(select(func.count()).where(Notice.code_sealed.is_not(None)))
        faces = connection.scalar(select(func.count()).select_from(NoticeFace))
        texts = connection.scalar(select(func.count()).select_from(Message))
    counts = (sum(minted_counts), faces, sum(queued_counts), texts, left)
    assert counts == (80, 80, 80, 80, 0), (minted_counts, queued_counts)


def test_the_validity_of_a_message_counts_on_real_time(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    """The demonstration's clock may stand months before the real one."""
    notice_id = database.write(lambda session: notice(session, borrower_id=borrower_id))
    minted(database, keys, notice_id)
    real_now = NOW + timedelta(days=400)

    database.write(
        lambda session: operations.send(
            session, keys=keys, sending=SENDING, demonstration={1: True}, now=NOW, real_now=real_now
        )
    )

    with database.read() as connection:
        expires_at = connection.scalar(select(Message.expires_at))
    assert expires_at is not None
    assert expires_at > real_now
