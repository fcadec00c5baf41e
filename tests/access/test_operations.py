"""Signing in: which references open the way to whom, and that the answer is the same for those that do not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from portal.access import codes, limits
from portal.access import operations as access
from portal.access.challenges import forget_challenges
from portal.access.models import AccessNumber, Challenge, PortalSession
from portal.access.operations import Accepted, Refused, SignedIn, Started, TryLater
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice
from tests import people
from tests.access.doors import ID_TAIL, Door, Outbox, at_once, notice

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
STRANGER = "7KQF-3MWD-2H4N7"


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def door(database: Database, keys: Keys, outbox: Outbox) -> Door:
    return Door(database, keys, outbox)


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    return database.write(lambda s: people.lin(s, keys))


def finish(door: Door, code: str, now: datetime = NOW, *, replaces: str | None = None) -> SignedIn | Refused:
    return door.database.write(
        lambda s: access.finish_sign_in(
            s,
            keys=door.keys,
            browser=door.browser,
            code=code,
            id_tail=ID_TAIL,
            real_now=now,
            replaces=replaces,
        )
    )


def number_of(door: Door, borrower_id: int) -> str:
    return door.database.write(
        lambda s: access.access_number_of(s, keys=door.keys, borrower_id=borrower_id, real_now=NOW)
    )[0]


def test_code_token_and_access_number_all_reach_the_number_on_file(door: Door, lin: int) -> None:
    _, code, token = door.database.write(lambda s: notice(s, door.keys, lin))
    number = number_of(door, lin)

    for hour, reference in enumerate((code, codes.grouped(code).lower(), token, codes.grouped(number))):
        door.ask(reference, NOW + timedelta(hours=hour))

    assert door.outbox.sent_to == [lin] * 4


def test_an_expired_notice_still_lets_its_own_borrower_in_and_a_withdrawn_one_nobody(
    door: Door, lin: int
) -> None:
    expired = door.database.write(lambda s: notice(s, door.keys, lin, expires_on=date(2026, 1, 1)))[1]
    withdrawn = door.database.write(
        lambda s: notice(s, door.keys, lin, notice_ref="N-2", status="withdrawn")
    )[1]

    door.ask(withdrawn, NOW)
    assert door.outbox.codes == []

    door.ask(expired, NOW)
    answer = door.answer(door.outbox.codes[0], NOW)
    assert isinstance(answer, Accepted)
    assert answer.borrower_id == lin


def test_a_known_and_an_unknown_reference_are_answered_alike(door: Door, lin: int) -> None:
    code = door.database.write(lambda s: notice(s, door.keys, lin))[1]

    assert door.ask(code, NOW) == door.ask(STRANGER, NOW) == Started()


def test_a_guesser_waits_and_the_wait_does_not_depend_on_the_reference(door: Door, lin: int) -> None:
    code = door.database.write(lambda s: notice(s, door.keys, lin))[1]
    for _ in range(limits.WRONG_CODES_NETWORK.most):
        assert door.ask(codes.new_code(), NOW) == Started()

    assert door.ask(code, NOW) == door.ask(codes.new_code(), NOW) == TryLater(3600)
    assert door.outbox.codes == []
    assert door.ask(code, NOW, network="198.51.100.1") == Started()


def test_asking_again_needs_no_reference_and_sends_to_the_same_person(door: Door, lin: int) -> None:
    code = door.database.write(lambda s: notice(s, door.keys, lin))[1]
    door.ask(code, NOW)

    door.database.write(
        lambda s: access.start_again(
            s, keys=door.keys, browser=door.browser, real_now=NOW, sender=door.outbox.sender
        )
    )

    assert door.outbox.sent_to == [lin, lin]
    assert isinstance(door.answer(door.outbox.codes[1], NOW), Accepted)


def test_asking_again_in_a_browser_that_never_asked_sends_nothing(door: Door, lin: int) -> None:
    door.database.write(
        lambda s: access.start_again(
            s, keys=door.keys, browser="elsewhere", real_now=NOW, sender=door.outbox.sender
        )
    )

    assert door.outbox.codes == []
    assert challenges(door) == 0


def test_asking_again_and_again_for_an_unknown_reference_fills_no_table(door: Door, lin: int) -> None:
    door.ask(STRANGER, NOW)

    for _ in range(50):
        door.database.write(
            lambda s: access.start_again(
                s, keys=door.keys, browser=door.browser, real_now=NOW, sender=door.outbox.sender
            )
        )

    assert challenges(door) == 1 + limits.CODES_HOUR.most


def challenges(door: Door) -> int:
    with door.database.read() as connection:
        return connection.execute(select(func.count()).select_from(Challenge)).scalar_one()


def test_the_first_sign_in_issues_the_access_number_and_later_ones_keep_it(door: Door, lin: int) -> None:
    code = door.database.write(lambda s: notice(s, door.keys, lin))[1]
    door.ask(code, NOW)
    first = finish(door, door.outbox.codes[-1])
    later = NOW + timedelta(hours=2)
    door.ask(number_of(door, lin), later)
    second = finish(door, door.outbox.codes[-1], later)

    assert isinstance(first, SignedIn)
    assert isinstance(second, SignedIn)
    assert (first.is_first, second.is_first) == (True, False)


def test_ten_first_sign_ins_at_once_issue_one_access_number(door: Door, lin: int) -> None:
    answers = at_once(
        10,
        lambda _: door.database.write(
            lambda s: access.access_number_of(s, keys=door.keys, borrower_id=lin, real_now=NOW)
        ),
    )

    assert len({number for number, _ in answers}) == 1
    assert sum(issued for _, issued in answers) == 1


def test_the_access_number_is_sealed_and_digested(door: Door, lin: int) -> None:
    number = number_of(door, lin)

    with door.database.read() as connection:
        row = connection.execute(select(AccessNumber.__table__)).one()
    assert number not in repr(row)
    assert row.number_digest == codes.digest_of(door.keys, number)


def test_every_sign_in_has_a_new_session_and_ends_the_one_before(door: Door, lin: int) -> None:
    code = door.database.write(lambda s: notice(s, door.keys, lin))[1]
    door.ask(code, NOW)
    first = finish(door, door.outbox.codes[-1])
    assert isinstance(first, SignedIn)
    before = door.keys.digest("session", first.opened.cookie)
    door.ask(code, NOW)
    second = finish(door, door.outbox.codes[-1], replaces=before)
    assert isinstance(second, SignedIn)

    assert first.opened.cookie != second.opened.cookie
    with door.database.read() as connection:
        rows = connection.execute(select(PortalSession.id_digest, PortalSession.ended_at)).all()
    ended = {row.id_digest: row.ended_at for row in rows}
    assert ended[before] == NOW
    assert ended[door.keys.digest("session", second.opened.cookie)] is None


def test_a_notice_that_changed_hands_signs_in_its_borrower_of_that_moment(door: Door, lin: int) -> None:
    notice_id, code, _ = door.database.write(lambda s: notice(s, door.keys, lin))
    zhao = door.database.write(lambda s: people.zhao(s, door.keys))
    door.database.write(
        lambda s: s.execute(update(Notice).where(Notice.id == notice_id).values(borrower_id=zhao))
    )

    door.ask(code, NOW)

    assert door.outbox.sent_to == [zhao]


def test_the_language_is_kept_in_the_account(door: Door, lin: int) -> None:
    door.database.write(lambda s: access.keep_language(s, borrower_id=lin, language="en", real_now=NOW))

    with door.database.read() as connection:
        assert connection.execute(select(Borrower.language)).scalar_one() == "en"


def test_old_challenges_are_forgotten(door: Door, lin: int) -> None:
    door.ask(STRANGER, NOW - timedelta(days=3))
    door.ask(STRANGER, NOW)

    door.database.write(lambda s: forget_challenges(s, real_now=NOW))

    with door.database.read() as connection:
        assert connection.execute(select(Challenge.created_at)).scalars().all() == [NOW]
