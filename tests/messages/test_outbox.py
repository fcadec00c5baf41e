"""The outbox: queued once, sent once, never again when nobody knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.contacts.log import Rules, Wish, wish
from portal.contacts.models import Contact, ContactBreach
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages import operations as outbox
from portal.messages.lifecycle import LIFECYCLE, Action, State
from portal.messages.models import Message
from portal.messages.operations import Claimed, LeaseLost
from portal.states import NotAllowed
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
RULES = Rules.of(pack("cn"), "Asia/Shanghai")


@dataclass
class Outbox:
    """The outbox over one database, with Lin as the one written to."""

    database: Database
    keys: Keys
    borrower_id: int
    made: list[str] = field(default_factory=list)

    def queue(
        self,
        key: str,
        *,
        kind: str = "notice",
        params: Mapping[str, str] | None = None,
        asked_for: bool = False,
        expires_at: datetime | None = None,
    ) -> bool:
        return self.database.write(
            lambda session: outbox.queue(
                session,
                keys=self.keys,
                borrower_id=self.borrower_id,
                kind=kind,
                params=params or {"text": f"text of {key}"},
                dedupe_key=key,
                asked_for=asked_for,
                real_now=NOW,
                expires_at=expires_at,
            )
        )

    def claim(self, owner: str = "w1", *, at: datetime = NOW) -> tuple[Claimed, ...]:
        return self.database.write(
            lambda session: outbox.claim(
                session, keys=self.keys, owner=owner, real_now=at, now=at, rules=RULES, limit=20
            )
        )

    def finish(self, claimed: Claimed, action: Action, *, at: datetime = NOW) -> State:
        return self.database.write(
            lambda session: outbox.finish(
                session,
                claimed,
                action,
                keys=self.keys,
                rules=RULES,
                real_now=at,
                now=at,
                provider_ref="ref-1",
            )
        )

    def sweep(self, at: datetime) -> dict[str, int]:
        return self.database.write(
            lambda session: outbox.sweep(session, keys=self.keys, rules=RULES, real_now=at, now=at)
        )

    def row(self) -> Message:
        def unit(session: Session) -> Message:
            return session.scalars(select(Message)).one()

        return self.database.write(unit)


@pytest.fixture
def box(database: Database, keys: Keys) -> Outbox:
    return Outbox(database, keys, database.write(lambda session: lin(session, keys)))


def test_the_same_key_queues_once(box: Outbox) -> None:
    assert [box.queue("reminder:1"), box.queue("reminder:1"), box.queue("reminder:2")] == [True, False, True]
    assert [claimed.text for claimed in box.claim()] == ["text of reminder:1", "text of reminder:2"]


def test_a_message_is_written_in_the_borrowers_language(database: Database, keys: Keys) -> None:
    borrower_id = database.write(lambda session: lin(session, keys, language="en"))

    Outbox(database, keys, borrower_id).queue(
        "decision:1", kind="decision", params={"host": "my.harbour.example"}
    )

    (claimed,) = Outbox(database, keys, borrower_id).claim()
    assert claimed.text == (
        "There is an answer to what you sent us. To read it, type my.harbour.example and sign in."
    )
    assert claimed.phone == "13900000034"


def test_nothing_lies_in_clear_and_the_text_is_wiped_once_handed_over(box: Outbox) -> None:
    box.queue("reminder:1", params={"text": "查询码 7KQF-3MWD-2A9RB"})
    with box.database.read() as connection:
        row = connection.execute(text("SELECT * FROM message")).one()
    stored = b"".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row)

    assert b"13900000034" not in stored
    assert b"7KQF" not in stored
    (claimed,) = box.claim()
    box.finish(claimed, Action.HAND_OVER)
    assert (box.row().state, box.row().text_sealed, box.row().provider_ref) == ("sent", None, "ref-1")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_move_of_the_life_of_a_message(state: State, action: Action) -> None:
    allowed = {
        ("queued", "claim"): "sending",
        ("queued", "expire"): "expired",
        ("sending", "hand_over"): "sent",
        ("sending", "put_back"): "queued",
        ("sending", "refuse"): "failed",
        ("sending", "lose"): "unknown",
    }
    expected = allowed.get((state.value, action.value))

    if expected is None:
        with pytest.raises(NotAllowed):
            LIFECYCLE.after(state, action)
    else:
        assert LIFECYCLE.after(state, action) == expected


def test_a_claim_that_ran_out_is_never_sent_again(box: Outbox) -> None:
    box.queue("reminder:1")
    (claimed,) = box.claim()
    later = NOW + timedelta(seconds=outbox.LEASE_SECONDS)

    assert box.claim("w2", at=later) == ()
    assert box.sweep(later)["unknown"] == 1
    assert box.claim("w2", at=later + timedelta(hours=1)) == ()
    with pytest.raises(LeaseLost):
        box.finish(claimed, Action.HAND_OVER, at=later)
    assert (box.row().state, box.row().text_sealed) == ("unknown", None)


def test_another_workers_claim_cannot_be_finished(box: Outbox) -> None:
    box.queue("reminder:1")
    (claimed,) = box.claim("w1")
    thief = Claimed(**{**claimed.__dict__, "owner": "w2"})

    with pytest.raises(LeaseLost):
        box.finish(thief, Action.HAND_OVER)
    assert box.finish(claimed, Action.HAND_OVER) is State.SENT
    with pytest.raises(LeaseLost):
        box.finish(claimed, Action.HAND_OVER)


def test_what_was_certainly_not_sent_comes_again_after_a_pause_and_is_given_up_at_last(box: Outbox) -> None:
    box.queue("reminder:1")
    at, states = NOW, []
    for _ in range(outbox.MOST_ATTEMPTS):
        (claimed,) = box.claim(at=at)
        states.append(box.finish(claimed, Action.PUT_BACK, at=at))
        assert box.claim(at=at + timedelta(seconds=1)) == ()
        at += timedelta(hours=1)

    assert states == ["queued"] * (outbox.MOST_ATTEMPTS - 1) + ["failed"]
    assert box.claim(at=at) == ()


def test_what_is_worthless_expires_unsent(box: Outbox) -> None:
    box.queue("otp:1", asked_for=True, expires_at=NOW + timedelta(minutes=10))
    later = NOW + timedelta(minutes=10)

    assert box.claim(at=later) == ()
    assert box.sweep(later) == {"expired": 1, "unknown": 0}
    assert (box.row().state, box.row().text_sealed) == ("expired", None)


def test_at_night_only_what_was_just_asked_for_departs(box: Outbox) -> None:
    box.queue("reminder:1")
    box.queue("otp:1", asked_for=True)

    night = datetime(2026, 11, 19, 23, 59, tzinfo=UTC)
    assert [claimed.dedupe_key for claimed in box.claim(at=night)] == ["otp:1"]
    assert [claimed.dedupe_key for claimed in box.claim()] == ["reminder:1"]


def test_a_code_just_asked_for_overtakes_the_reminders(box: Outbox) -> None:
    for key, asked_for in (("reminder:1", False), ("reminder:2", False), ("otp:1", True)):
        box.queue(key, asked_for=asked_for)

    assert [claimed.dedupe_key for claimed in box.claim()] == ["otp:1", "reminder:1", "reminder:2"]


@pytest.mark.parametrize(
    ("reason", "departs"),
    [
        ("proposal_open", ["decision:1", "otp:1"]),
        ("wrong_number", ["otp:1"]),
        (None, ["decision:1", "otp:1", "reminder:1"]),
    ],
)
def test_a_hold_keeps_reminders_back_and_a_wrong_number_everything_not_asked_for(
    box: Outbox, reason: str | None, departs: list[str]
) -> None:
    box.queue("reminder:1")
    box.queue("decision:1", kind="decision", params={"host": "my.harbour.example"})
    box.queue("otp:1", asked_for=True)
    if reason:
        hold = {"borrower_id": box.borrower_id, "kind": "pause", "reason": reason, "source": "test"}
        box.database.write(lambda session: place_hold(session, now=NOW, **hold))

    assert sorted(claimed.dedupe_key for claimed in box.claim()) == departs


def test_a_hold_on_one_borrower_does_not_keep_anothers_message_back(box: Outbox) -> None:
    other = box.database.write(lambda session: zhao(session, box.keys))
    hold = {"borrower_id": other, "kind": "pause", "reason": "proposal_open", "source": "test"}
    box.database.write(lambda session: place_hold(session, now=NOW, **hold))
    box.queue("reminder:1")

    assert len(box.claim()) == 1


def test_two_workers_at_once_never_hold_the_same_message(box: Outbox) -> None:
    for number in range(60):
        box.queue(f"decision:{number}", kind="decision", params={"host": "my.harbour.example"})
    start, taken = threading.Barrier(4), list[list[str]]()

    def worker(name: str) -> None:
        start.wait()
        mine: list[str] = []
        while claims := box.database.write(
            lambda session: outbox.claim(
                session, keys=box.keys, owner=name, real_now=NOW, now=NOW, rules=RULES, limit=7
            )
        ):
            mine += [claimed.dedupe_key for claimed in claims]
        taken.append(mine)

    threads = [threading.Thread(target=worker, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = [key for mine in taken for key in mine]
    assert sorted(keys) == sorted({f"decision:{number}" for number in range(60)})


def test_the_same_message_queued_by_many_at_once_is_one(box: Outbox) -> None:
    start, answers = threading.Barrier(8), list[bool]()

    def caller() -> None:
        start.wait()
        answers.append(box.queue("reminder:1"))

    threads = [threading.Thread(target=caller) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 7 + [True]


def test_what_was_sent_is_a_contact_with_the_number_sealed(box: Outbox) -> None:
    box.queue("reminder:1")
    box.queue("otp:1", asked_for=True)
    for claimed in box.claim():
        box.finish(claimed, Action.HAND_OVER)

    with box.database.read() as connection:
        rows = connection.execute(select(Contact.__table__)).all()
    assert sorted((row.source_ref, row.channel, row.outcome, row.asked_for) for row in rows) == [
        ("message:1", "sms", "delivered", False),
        ("message:2", "sms", "delivered", True),
    ]
    assert box.keys.unseal("contact.tail", rows[0].tail_sealed) == "0034"
    assert {row.number_digest for row in rows} == {box.keys.digest("phone", "13900000034")}


def test_a_text_that_may_have_gone_counts_as_a_contact_and_one_that_did_not_is_none(box: Outbox) -> None:
    box.queue("reminder:1")
    box.queue("reminder:2")
    box.queue("reminder:3")
    lost, refused, left = box.claim()
    box.finish(lost, Action.LOSE)
    box.finish(refused, Action.REFUSE)
    box.sweep(NOW + timedelta(hours=1))

    with box.database.read() as connection:
        rows = connection.execute(select(Contact.source_ref, Contact.outcome).order_by(Contact.id)).all()
    assert [tuple(row) for row in rows] == [
        (f"message:{lost.id}", "unknown"),
        (f"message:{left.id}", "unknown"),
    ]


def test_the_fourth_reminder_of_a_day_waits_for_the_next_morning(box: Outbox) -> None:
    for number in range(5):
        box.queue(f"reminder:{number}")

    sent = box.claim()
    for claimed in sent:
        box.finish(claimed, Action.HAND_OVER)
    later = box.claim(at=NOW + timedelta(hours=5))
    night = box.claim(at=datetime(2026, 11, 20, 16, 30, tzinfo=UTC))
    tomorrow = box.claim(at=datetime(2026, 11, 21, 0, 0, tzinfo=UTC))

    assert ([len(some) for some in (sent, later, night, tomorrow)]) == [3, 0, 0, 2]
    with box.database.read() as connection:
        assert connection.execute(select(ContactBreach.__table__)).all() == []


def test_workers_at_once_do_not_share_out_more_reminders_than_a_day_has(box: Outbox) -> None:
    for number in range(12):
        box.queue(f"reminder:{number}")
    start, taken = threading.Barrier(4), list[str]()

    def worker(name: str) -> None:
        start.wait()
        claims = box.database.write(
            lambda session: outbox.claim(
                session, keys=box.keys, owner=name, real_now=NOW, now=NOW, rules=RULES, limit=3
            )
        )
        taken.extend(claimed.dedupe_key for claimed in claims)

    threads = [threading.Thread(target=worker, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 3


def test_who_asked_for_no_messages_gets_no_reminder_and_still_gets_answers(box: Outbox) -> None:
    box.queue("reminder:1")
    box.queue("decision:1", kind="decision", params={"host": "my.harbour.example"})
    box.database.write(
        lambda session: wish(
            session, borrower_id=box.borrower_id, wish=Wish(no_messages=True), pack=RULES.pack, now=NOW
        )
    )

    assert [claimed.dedupe_key for claimed in box.claim()] == ["decision:1"]
    assert box.claim(at=NOW + timedelta(days=1)) == ()
