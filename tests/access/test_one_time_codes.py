"""One-time codes: five comparisons whatever the concurrency, one browser, one use, ten minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update

from portal.access import limits
from portal.access import operations as access
from portal.access.counters import window_start
from portal.access.models import Challenge, Counter
from portal.access.operations import Accepted, Refused
from portal.audit import AuditEntry
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.access.doors import ID_TAIL, Door, Outbox, at_once, notice

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def door(database: Database, keys: Keys, outbox: Outbox) -> Door:
    return Door(database, keys, outbox)


@pytest.fixture
def lin_code(database: Database, keys: Keys) -> str:
    """The code of a live notice of Lin's."""
    return database.write(lambda s: notice(s, keys, people.lin(s, keys))[1])


def step_up(door: Door, borrower_id: int, subject: str, now: datetime = NOW) -> bool:
    return door.database.write(
        lambda s: access.start_challenge(
            s,
            keys=door.keys,
            borrower_id=borrower_id,
            notice_id=None,
            purpose="accept",
            subject=subject,
            browser=door.browser,
            real_now=now,
            sender=door.outbox.sender,
        )
    )


def test_the_code_and_the_id_tail_sign_in(door: Door, lin_code: str) -> None:
    door.ask(lin_code, NOW)

    assert isinstance(door.answer(door.outbox.codes[0], NOW + timedelta(minutes=9, seconds=59)), Accepted)


def test_full_width_digits_and_spaces_are_the_same_code(door: Door, lin_code: str) -> None:
    door.ask(lin_code, NOW)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in door.outbox.codes[0])

    assert isinstance(door.answer(f"{wide[:3]} {wide[3:]}", NOW, id_tail=" ０００１ "), Accepted)


def test_the_sixth_serial_try_is_not_compared_even_when_right(door: Door, lin_code: str) -> None:
    door.ask(lin_code, NOW)

    answers = [door.answer(door.wrong(), NOW) for _ in range(5)] + [door.answer(door.outbox.codes[-1], NOW)]

    assert answers == [Refused("wrong")] * 5 + [Refused("spent")]


def test_forty_guesses_at_once_give_at_most_five_comparisons(
    door: Door, lin_code: str, database: Database
) -> None:
    door.ask(lin_code, NOW)
    guesses = [f"{(int(door.outbox.codes[0]) + number + 1) % 10**6:06d}" for number in range(40)]

    answers = at_once(40, lambda number: door.answer(guesses[number], NOW))

    assert answers.count(Refused("wrong")) == 5
    assert answers.count(Refused("spent")) == 35
    with database.read() as connection:
        assert connection.execute(select(Challenge.tries)).scalar_one() == 5


def test_forty_times_the_right_code_at_once_is_accepted_once(door: Door, lin_code: str) -> None:
    door.ask(lin_code, NOW)

    answers = at_once(40, lambda _: door.answer(door.outbox.codes[0], NOW))

    assert sum(isinstance(answer, Accepted) for answer in answers) == 1


def test_asking_again_does_not_raise_the_days_comparisons_above_25(door: Door, lin_code: str) -> None:
    compared = 0
    for hour in range(8):
        for minute in range(4):
            now = NOW.replace(hour=hour) + timedelta(minutes=minute)
            door.ask(lin_code, now)
            compared += sum(door.answer(door.wrong(), now) == Refused("wrong") for _ in range(7))

    assert compared == 25
    assert len(door.outbox.codes) == 5


def test_every_notice_of_one_number_shares_its_codes(database: Database, keys: Keys, outbox: Outbox) -> None:
    def unit(session) -> list[str]:  # type: ignore[no-untyped-def]
        lin = people.lin(session, keys)
        return [notice(session, keys, lin, notice_ref=f"N-{number}")[1] for number in range(10)]

    codes = database.write(unit)
    for number, code in enumerate(codes):
        Door(database, keys, outbox, browser=f"b-{number}").ask(code, NOW + timedelta(minutes=number))
    assert len(outbox.codes) == limits.CODES_HOUR.most

    for hour in range(1, 8):
        Door(database, keys, outbox).ask(codes[0], NOW + timedelta(hours=hour))
    assert len(outbox.codes) == limits.CODES_DAY.most


def test_three_in_an_hour_even_when_asked_for_at_once(
    door: Door, lin_code: str, database: Database, keys: Keys, outbox: Outbox
) -> None:
    at_once(12, lambda number: Door(database, keys, outbox, browser=f"b-{number}").ask(lin_code, NOW))

    with database.read() as connection:
        sent = connection.execute(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.event == "access.code_sent")
        ).scalar_one()
    assert sent == 3


def test_the_last_code_stays_good_when_no_more_may_be_sent(door: Door, lin_code: str) -> None:
    for minute in range(4):
        door.ask(lin_code, NOW + timedelta(minutes=minute))

    assert len(door.outbox.codes) == 3
    assert isinstance(door.answer(door.outbox.codes[-1], NOW + timedelta(minutes=4)), Accepted)


class TestMisuse:
    """Twelve and more ways to use a code that was not meant so; none is accepted."""

    def test_a_second_time(self, door: Door, lin_code: str) -> None:
        door.ask(lin_code, NOW)
        door.answer(door.outbox.codes[0], NOW)
        assert door.answer(door.outbox.codes[0], NOW) == Refused("spent")

    def test_in_another_browser(self, door: Door, lin_code: str, database: Database, keys: Keys) -> None:
        door.ask(lin_code, NOW)
        other = Door(database, keys, door.outbox, browser="browser-2")
        assert other.answer(door.outbox.codes[0], NOW) == Refused("spent")

    def test_for_another_person_in_the_same_browser(self, door: Door, lin_code: str) -> None:
        zhao_code = door.database.write(
            lambda s: notice(s, door.keys, people.zhao(s, door.keys), notice_ref="N-2")[1]
        )
        door.ask(lin_code, NOW)
        door.ask(zhao_code, NOW)
        if door.outbox.codes[0] != door.outbox.codes[1]:
            assert door.answer(door.outbox.codes[0], NOW) == Refused("wrong")

    def test_with_another_persons_id(self, door: Door, lin_code: str) -> None:
        door.ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW, id_tail="0002") == Refused("wrong")

    @pytest.mark.parametrize("id_tail", [None, "", "001", "00011", "\0"])
    def test_without_the_id(self, door: Door, lin_code: str, id_tail: str | None) -> None:
        door.ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW, id_tail=id_tail) == Refused("wrong")

    @pytest.mark.parametrize("late", [timedelta(minutes=10), timedelta(minutes=11), timedelta(days=365)])
    def test_too_late(self, door: Door, lin_code: str, late: timedelta) -> None:
        door.ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW + late) == Refused("spent")

    def test_on_a_host_whose_clock_went_back(self, door: Door, lin_code: str) -> None:
        door.ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW - timedelta(hours=1)) == Refused("spent")

    def test_after_a_newer_one(self, door: Door, lin_code: str) -> None:
        door.ask(lin_code, NOW)
        door.ask(lin_code, NOW)
        if door.outbox.codes[0] != door.outbox.codes[1]:
            assert door.answer(door.outbox.codes[0], NOW) == Refused("wrong")
        assert isinstance(door.answer(door.outbox.codes[1], NOW), Accepted)

    def test_after_a_newer_one_was_asked_for_elsewhere(
        self, door: Door, lin_code: str, database: Database, keys: Keys
    ) -> None:
        door.ask(lin_code, NOW)
        Door(database, keys, door.outbox, browser="browser-2").ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW) == Refused("spent")

    def test_to_accept_terms_with_a_sign_in_code(self, door: Door, lin_code: str) -> None:
        door.ask(lin_code, NOW)
        assert door.answer(door.outbox.codes[0], NOW, purpose="accept", subject="hash") == Refused("spent")

    def test_to_sign_in_with_an_accept_code(self, door: Door, database: Database, keys: Keys) -> None:
        lin = database.write(lambda s: people.lin(s, keys))
        step_up(door, lin, "hash-1")
        assert door.answer(door.outbox.codes[0], NOW) == Refused("spent")

    def test_to_accept_other_terms(self, door: Door, database: Database, keys: Keys) -> None:
        lin = database.write(lambda s: people.lin(s, keys))
        step_up(door, lin, "hash-1")
        code = door.outbox.codes[0]
        assert door.answer(code, NOW, purpose="accept", subject="hash-2", id_tail=None) == Refused("spent")
        accepted = door.answer(code, NOW, purpose="accept", subject="hash-1", id_tail=None)
        assert isinstance(accepted, Accepted)
        assert accepted.borrower_id == lin

    def test_of_a_reference_nobody_has(self, door: Door) -> None:
        door.ask("7KQF-3MWD-2H4N7", NOW)
        assert [door.answer("000000", NOW, id_tail=ID_TAIL) for _ in range(6)] == [Refused("wrong")] * 5 + [
            Refused("spent")
        ]


def test_postgresql_ends_a_code_by_its_own_clock(
    postgres_database: Database, keys: Keys, outbox: Outbox
) -> None:
    door = Door(postgres_database, keys, outbox)
    door.ask(postgres_database.write(lambda s: notice(s, keys, people.lin(s, keys))[1]), NOW)

    postgres_database.write(
        lambda s: s.execute(update(Challenge).values(stamped_at=text("now() - interval '11 minutes'")))
    )

    assert door.answer(outbox.codes[0], NOW) == Refused("spent")


def test_no_code_is_sent_beyond_the_budget_of_the_whole_portal(
    database: Database, keys: Keys, outbox: Outbox, door: Door, lin_code: str
) -> None:
    limit = limits.CODES_ALL
    database.write(
        lambda s: s.add(
            Counter(
                scope=limit.scope,
                key_digest=keys.digest("counter", ""),
                window_start=window_start(NOW, limit.seconds),
                count=limit.most,
            )
        )
    )

    door.ask(lin_code, NOW)
    assert outbox.codes == []

    door.ask(lin_code, NOW + timedelta(hours=1))
    assert len(outbox.codes) == 1


def test_a_spray_over_accounts_raises_one_alarm(database: Database, keys: Keys, outbox: Outbox) -> None:
    limit = limits.WRONG_ANSWERS_ALL
    door = Door(database, keys, outbox)
    database.write(
        lambda s: s.add(
            Counter(
                scope=limit.scope,
                key_digest=keys.digest("counter", ""),
                window_start=window_start(NOW, limit.seconds),
                count=limit.most - 2,
            )
        )
    )
    code = database.write(lambda s: notice(s, keys, people.lin(s, keys))[1])
    door.ask(code, NOW)
    for _ in range(4):
        door.answer(door.wrong(), NOW)

    with database.read() as connection:
        events = connection.execute(select(AuditEntry.subject_ref).where(AuditEntry.event == "access.alarm"))
        assert events.scalars().all() == ["otp_wrong_all"]


def test_nothing_a_thief_of_the_database_could_use_is_in_it(
    door: Door, lin_code: str, database: Database
) -> None:
    door.ask(lin_code, NOW)

    with database.read() as connection:
        row = repr(connection.execute(select(Challenge.__table__)).one())
        facts = repr(connection.execute(select(AuditEntry.facts)).all())
    assert door.outbox.codes[0] not in row
    assert door.browser not in row
    assert door.outbox.codes[0] not in facts
    assert lin_code not in row + facts
