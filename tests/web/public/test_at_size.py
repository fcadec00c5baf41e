"""What strangers may try, at the sizes of the abuse cases: unknown links, prefetches, staff numbers, the states at the door.

The sizes of every run are a hundredth; `make soak` runs them whole.
"""

from __future__ import annotations

import collections
import os
import random
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from portal.access import codes
from portal.access.models import Counter
from portal.checking.scanned import What, scanned
from portal.contacts.models import Agency
from portal.db import Base, Database
from portal.keys import Keys
from portal.notices.faces import NoticeSeen
from portal.notices.verification import asked_for
from portal.visits import verifying
from portal.visits.models import Officer, Visit
from portal.visits.verifying import Claimed, Said
from tests.conftest import BANK_MORNING, StandingClock
from tests.notices.book import HOST, plain_characters
from tests.notices.mutations import look_alikes
from tests.web.public import test_check_visitor
from tests.web.public.test_check import AGENTS, Scene, contents, scene_over, verdict_in
from tests.web.public.test_check_visitor import Door

door = test_check_visitor.door
SHARE = 1 if os.environ.get("PORTAL_TEST_PROFILE") == "soak" else 100
TOKENS, PREFETCHES, STAFF, PER_STATE = (whole // SHARE for whole in (10_000, 10_000, 100_000, 200))
pytestmark = pytest.mark.slow
CLOCK = StandingClock()


@pytest.fixture
def scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    return scene_over(sqlite_client, sqlite_database, keys)


def test_unknown_links_and_the_links_of_others_are_never_genuine(scene: Scene, keys: Keys) -> None:
    """AC01, AC09: tokens and codes at random, tokens a character away from a real one, real ones at foreign hosts."""
    chance, said = random.Random(9), set[str]()
    for number in range(TOKENS):
        token = plain_characters(chance, 26) if number % 2 else _near(chance, scene.genuine.token)
        said.add(verdict_in(scene.client.get(f"/n/{token}")))
        if number % 4 == 0:
            scene.client.environ_base["REMOTE_ADDR"] = f"198.18.{number // 250 % 250}.{number % 250}"
            said.add(verdict_in(scene.check(codes.with_check(plain_characters(chance, 12)))))
    foreign = [
        scanned(keys, f"https://{host}/n/{scene.genuine.token}", hosts=(HOST, HOST)).what
        for host in look_alikes(HOST, max(20, TOKENS // 20), chance)
    ]

    print(f"links: {TOKENS:,} unknown and {len(foreign):,} foreign, answers {said}, {set(foreign)}")
    assert said == {"Not ours"}
    assert set(foreign) <= {What.FOREIGN, What.OTHER}


def _near(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token))
    other = chance.choice([character for character in codes.ALPHABET if character != token[at]])
    return token[:at] + other + token[at + 1 :]


def test_whatever_fetches_links_ahead_changes_nothing_but_what_was_seen(scene: Scene) -> None:
    """AC18: HEAD and GET by thirty programs from thirty networks, of links in force, expired and withdrawn."""
    before = contents(scene.database)
    for number in range(PREFETCHES):
        made = (scene.genuine, scene.expired, scene.withdrawn)[number % 3]
        page = scene.client.open(
            f"/n/{made.token}",
            method=("GET", "HEAD")[number // 3 % 2],
            headers={"User-Agent": AGENTS[number % len(AGENTS)]},
            environ_base={"REMOTE_ADDR": f"198.51.100.{number % 30}"},
        )
        assert page.status_code == 200
        assert "Set-Cookie" not in page.headers

    changed = [name for name, rows in contents(scene.database).items() if rows != before[name]]
    print(
        f"prefetches: {PREFETCHES:,}, {len(changed)} tables changed, {scene.rows(NoticeSeen)} rows of looks"
    )
    assert changed == []
    assert scene.rows(NoticeSeen) <= 90
    assert verdict_in(scene.client.get(f"/n/{scene.genuine.token}")) == "Genuine"


def test_staff_numbers_without_a_code_are_never_confirmed(door: Door) -> None:
    """AC15: each number with an invented code, an expired one or none, by the operation behind the page."""
    chance, said = random.Random(15), collections.Counter[Said]()

    def some(session: Session, begin: int) -> collections.Counter[Said]:
        return collections.Counter(
            _claim(
                door,
                session,
                f"G{10_000 + number % 90_000}",
                codes.with_check(plain_characters(chance, 12)) if number % 3 else "",
                f"n{number}",
            )
            for number in range(begin, min(begin + 500, STAFF))
        )

    for begin in range(0, STAFF, 500):  # many askings in one transaction: the disk is not what is asked about
        said += door.database.write(lambda session, begin=begin: some(session, begin))  # type: ignore[misc]

    print(f"staff numbers: {STAFF:,} without a code, {said.get(Said.CONFIRMED, 0)} confirmed")
    assert said == {Said.NO_CODE: STAFF}


CHANGED: dict[str, tuple[type[Base] | None, dict[str, object], Said]] = {
    "right": (None, {}, Said.CONFIRMED),
    "unknown number": (None, {}, Said.NOT_CONFIRMED),
    "another's number": (None, {}, Said.NOT_CONFIRMED),
    "has left": (Officer, {"status": "left"}, Said.NOT_VALID),
    "card has run out": (Officer, {"card_valid_until": date(2026, 11, 19)}, Said.NOT_VALID),
    "agency has ended": (Agency, {"engaged_until": date(2026, 11, 19)}, Said.NOT_VALID),
    "another day": (
        Visit,
        {"starts_at": BANK_MORNING + timedelta(days=1), "ends_at": BANK_MORNING + timedelta(days=1, hours=1)},
        Said.NOT_NOW,
    ),
    "called off": (Visit, {"state": "cancelled"}, Said.NOT_NOW),
}


@pytest.mark.parametrize("state", CHANGED)
def test_the_states_at_the_door(door: Door, state: str) -> None:
    """AC14: two hundred askings of each state, in many forms of number, company and code; a name with the right alone."""
    model, change, expected = CHANGED[state]
    if model is not None:
        door.database.write(lambda s: s.execute(update(model).values(**change)) and None)
    chance, right = random.Random(state), 0
    for _ in range(max(PER_STATE, 2)):
        staff = {"unknown number": f"G{chance.randrange(20_000, 99_999)}", "another's number": "G10058"}.get(
            state, "G10354"
        )
        answer = _asked(
            door, _spelled(chance, staff), chance.choice(("", "汇信", "汇信资产服务有限公司")), chance
        )
        right += answer.said is expected and bool(answer.name) is (expected is Said.CONFIRMED)
        # a day later: five askings a day and code
        door.database.write(_forgotten)

    print(f"at the door, {state}: {right} of {max(PER_STATE, 2)} right")
    assert right == max(PER_STATE, 2)


def _claim(door: Door, session: Session, staff: str, code: str, network: str) -> Said:
    return verifying.ask(
        session, Claimed(staff, "", asked_for(door.keys, code)), keys=door.keys, network=network,
        local=CLOCK.local, now=CLOCK.now(), real_now=CLOCK.real_now(),
    ).said  # fmt: skip


def _forgotten(session: Session) -> None:
    session.execute(delete(Counter))
    session.execute(delete(NoticeSeen))


def _spelled(chance: random.Random, staff: str) -> str:
    wide = "".join(chr(ord(character) + 0xFEE0) for character in staff)
    return chance.choice(
        (staff, staff.lower(), wide, f" {staff} ", f"{staff[:2]}-{staff[2:]}", f"{staff[0]} {staff[1:]}")
    )


def _asked(door: Door, staff: str, agency: str, chance: random.Random) -> verifying.Answer:
    code = chance.choice((door.code.code, door.code.code.lower(), codes.grouped(door.code.code)))
    claimed = Claimed(staff, agency, asked_for(door.keys, code))
    return door.database.write(
        lambda session: verifying.ask(
            session,
            claimed,
            keys=door.keys,
            network="home",
            local=CLOCK.local,
            now=CLOCK.now(),
            real_now=CLOCK.real_now(),
        )
    )
