"""The public verdict: four answers of one shape, that tell a neighbour nothing and cost a guesser much."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.access import codes
from portal.access.limits import WRONG_CODES_NETWORK
from portal.access.models import Counter
from portal.audit import AuditEntry
from portal.db import Base, Database
from portal.keys import Keys
from portal.notices import faces
from portal.notices.faces import NoticeSeen
from portal.notices.operations import MintedCode
from portal.schema import metadata
from tests.notices.made import minted, notice, typed
from tests.people import lin

UNKNOWN = codes.with_check("7KQF3MWD2A9R")
UNKNOWN_TOKEN = "0123456789ABCDEFGHJKMNPQRS"
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
    "WhatsApp/2.24.13 A", "TelegramBot (like TwitterBot)", "facebookexternalhit/1.1", "Twitterbot/1.0",
    "Slackbot-LinkExpanding 1.0", "Discordbot/2.0", "SkypeUriPreview Preview/0.5", "LinkedInBot/1.0",
    "Googlebot/2.1", "bingbot/2.0", "Baiduspider/2.0", "YandexBot/3.0", "Sogou web spider/4.0", "360Spider",
    "Bytespider", "PetalBot", "Applebot/0.1", "DuckDuckBot/1.1", "Safe-Browsing", "Symantec-WebPulse",
    "McAfee WebGateway", "Barracuda Sentinel", "Proofpoint URL Defense", "MS-Office SafeLinks",
    "ZscalerSandbox", "curl/8.8.0", "python-requests/2.32", "okhttp/4.12",
)  # fmt: skip


@dataclass
class Scene:
    """The portal with one notice of Lin's per verdict."""

    client: FlaskClient
    database: Database
    genuine: MintedCode
    expired: MintedCode
    withdrawn: MintedCode

    def check(self, code: str, **kwargs: Any) -> TestResponse:
        return self.client.post("/check", data={"code": code}, **kwargs)

    def rows(self, table: type[Base]) -> int:
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def scene(client: FlaskClient, database: Database, keys: Keys) -> Scene:
    return scene_over(client, database, keys)


@pytest.fixture
def sqlite_scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    return scene_over(sqlite_client, sqlite_database, keys)


def scene_over(client: FlaskClient, database: Database, keys: Keys) -> Scene:
    def unit(session: Session) -> list[int]:
        borrower_id = lin(session, keys)
        return [
            notice(session, borrower_id=borrower_id, notice_ref="N20261100001"),
            notice(session, borrower_id=borrower_id, notice_ref="N2", expires_on=date(2026, 11, 19)),
            notice(session, borrower_id=borrower_id, notice_ref="N3", status="withdrawn"),
        ]

    made = [minted(database, keys, notice_id) for notice_id in database.write(unit)]
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return Scene(client, database, *made)


def verdict_in(page: TestResponse) -> str:
    found = re.search(r'<p class="kind">([^<]+)</p>', page.text)
    assert found, page.text
    return found[1]


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every SQL statement but BEGIN and COMMIT while it lasts."""
    seen: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    for engine in (database.reader, database.writer):
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in (database.reader, database.writer):
        event.remove(engine, "before_cursor_execute", note)
    seen[:] = [statement for statement in seen if not statement.startswith(("BEGIN", "COMMIT"))]


def test_code_and_link_lead_to_the_same_four_answers(scene: Scene) -> None:
    expected = [
        (scene.genuine.code, scene.genuine.token, "Genuine"),
        (scene.expired.code, scene.expired.token, "Genuine, but expired"),
        (scene.withdrawn.code, scene.withdrawn.token, "Genuine, but withdrawn"),
        (UNKNOWN, UNKNOWN_TOKEN, "Not ours"),
    ]

    for code, token, verdict in expected:
        by_code, by_link = scene.check(typed(code)), scene.client.get(f"/n/{token}")
        assert (by_code.status_code, by_link.status_code) == (200, 200)
        assert (verdict_in(by_code), verdict_in(by_link)) == (verdict, verdict)


def test_genuine_shows_what_to_compare_and_nothing_else(scene: Scene) -> None:
    page = scene.client.get(f"/n/{scene.genuine.token}").text.replace(scene.genuine.token, "")

    for shown in ("Harbour Bank", "mobile ends in 34", "14 October 2026", "13 December 2026"):
        assert shown in page
    for hidden in (
        "林晓",
        "13900000034",
        "0034",
        "L-LIN-1",
        "20704",
        "20,704",
        "10690000000001",
        "reminder",
        "SMS",
    ):
        assert hidden not in page


@pytest.mark.parametrize("glued", ["核实", "，或自行输入", "。", ".", ")", "】"])
def test_words_that_a_phone_takes_for_part_of_the_link_do_no_harm(sqlite_scene: Scene, glued: str) -> None:
    page = sqlite_scene.client.get(f"/n/{sqlite_scene.genuine.token}{glued}")

    assert "This message is from us" in page.text


def test_genuine_leads_to_sign_in_and_to_not_me_with_what_was_held(scene: Scene) -> None:
    by_code = scene.check(scene.genuine.code).text
    by_link = scene.client.get(f"/n/{scene.genuine.token}").text

    for page, held in ((by_code, scene.genuine.code), (by_link, scene.genuine.token)):
        assert page.count(f'<input type="hidden" name="reference" value="{held}">') == 2
        assert 'action="/sign-in"' in page
        assert 'action="/not-me"' in page


def test_an_expired_notice_still_starts_a_sign_in_and_a_withdrawn_one_does_not(scene: Scene) -> None:
    assert 'name="reference"' in scene.check(scene.expired.code).text.split('action="/sign-in"')[1][:200]
    assert 'action="/sign-in"' not in scene.check(scene.withdrawn.code).text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (UNKNOWN[:-1], "has 13 letters and digits"),
        (UNKNOWN[:-1] + ("0" if UNKNOWN[-1] != "0" else "1"), "At least one character is wrong"),
        ("查询码", "no code of ours has"),
        (codes.with_check("7KQF3MWD2A9"), "This is an access number"),
    ],
)
def test_a_slip_is_explained_and_what_was_typed_stays(sqlite_scene: Scene, text: str, words: str) -> None:
    page = sqlite_scene.check(text)

    assert page.status_code == 200
    assert verdict_in(page) == "Cannot tell yet"
    assert words in page.text
    assert f'value="{text}"' in page.text


def test_a_pasted_message_gives_up_its_code_and_vouches_for_nothing_else(sqlite_scene: Scene) -> None:
    code = codes.grouped(UNKNOWN)
    answer = sqlite_scene.client.post(
        "/check", data={"code": f"【港湾银行】查询码{code}。请转账到 6217 0000"}
    )
    assert "verdict na" in answer.text
    assert f'value="{code}"' in answer.text
    assert "are not checked" in answer.text
    both = f"{code} {codes.grouped(codes.with_check('7KQF3MWD2A9S'))} 或"
    assert f'value="{both}"' in sqlite_scene.client.post("/check", data={"code": both}).text


def test_an_empty_field_is_asked_for_again(sqlite_scene: Scene) -> None:
    page = sqlite_scene.check("  ")

    assert "Enter the code on the message." in page.text
    assert sqlite_scene.rows(Counter) == 0


def test_what_was_typed_is_shown_as_text(sqlite_scene: Scene) -> None:
    page = sqlite_scene.check('"><script>alert(1)</script>')

    assert "<script>alert" not in page.text


def test_known_and_unknown_have_the_same_status_headers_and_work(scene: Scene) -> None:
    """Length may differ by the declared answer only, so it is left out of the headers compared."""
    seen = []
    for ask in (
        lambda: scene.check(scene.genuine.code),
        lambda: scene.check(UNKNOWN),
        lambda: scene.check(scene.withdrawn.code),
        lambda: scene.check("7KQF-3MWD-2A9R0"),
    ):
        with statements(scene.database) as sql:
            page = ask()
        seen.append((page.status_code, [h for h in page.headers if h[0] != "Content-Length"], list(sql)))

    assert all(one == seen[0] for one in seen)


def test_two_unknown_codes_get_the_same_bytes(sqlite_scene: Scene) -> None:
    first, second = codes.with_check("000000000000"), codes.with_check("ZZZZZZZZZZZZ")

    assert sqlite_scene.check(first).data == sqlite_scene.check(second).data


def test_at_most_three_statements_a_request(scene: Scene) -> None:
    for ask, most in (
        (lambda: scene.client.get("/"), 0),
        (lambda: scene.client.get("/check"), 0),
        (lambda: scene.client.get("/help"), 0),
        (lambda: scene.client.get("/who-may-contact-you"), 1),
        (lambda: scene.client.get(f"/n/{scene.genuine.token}"), 2),
        (lambda: scene.client.get(f"/n/{scene.genuine.token}"), 1),
        (lambda: scene.check(scene.genuine.code), 3),
        (lambda: scene.check(UNKNOWN), 3),
    ):
        with statements(scene.database) as sql:
            assert ask().status_code == 200
        assert len(sql) <= most, sql


def contents(database: Database) -> dict[str, list[Any]]:
    with database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in metadata.sorted_tables
            if table.name != NoticeSeen.__tablename__
        }


def test_prefetching_a_link_changes_nothing_but_seen_rows(scene: Scene) -> None:
    before = contents(scene.database)

    for agent in AGENTS:
        for ask in (scene.client.get, scene.client.head):
            page = ask(f"/n/{scene.genuine.token}", headers={"User-Agent": agent})
            assert page.status_code == 200
            assert "Set-Cookie" not in page.headers

    assert contents(scene.database) == before
    assert scene.rows(NoticeSeen) == 1
    assert verdict_in(scene.client.get(f"/n/{scene.genuine.token}")) == "Genuine"
    assert len(AGENTS) == 30


def test_invented_links_and_codes_fill_no_disk(scene: Scene) -> None:
    for number in range(40):
        token = f"{number:026d}"
        assert scene.client.get(f"/n/{token}").status_code == 200
        assert scene.client.get(f"/n/{token}").status_code == 200
        assert scene.check(f"AB{number}").status_code == 200

    assert scene.rows(NoticeSeen) == 2


def test_seen_rows_keep_neither_code_nor_address(scene: Scene) -> None:
    scene.check(scene.genuine.code, environ_base={"REMOTE_ADDR": "203.0.113.7"})

    with scene.database.read() as connection:
        (row,) = connection.execute(select(NoticeSeen.__table__)).all()
    assert scene.genuine.code not in repr(row)
    assert "203.0.113.7" not in repr(row)


def test_a_network_that_guesses_is_told_when_to_try_again(scene: Scene) -> None:
    guesser = {"REMOTE_ADDR": "203.0.113.7"}
    for _ in range(WRONG_CODES_NETWORK.most):
        assert scene.check(UNKNOWN, environ_base=guesser).status_code == 200

    refused = scene.check(scene.genuine.code, environ_base=guesser)

    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= WRONG_CODES_NETWORK.seconds
    assert re.search(r"You can try again in \d+ minutes?\.", refused.text)
    assert (
        verdict_in(scene.check(scene.genuine.code, environ_base={"REMOTE_ADDR": "203.0.113.8"})) == "Genuine"
    )


def test_the_wait_ends_with_its_window(scene: Scene, clock: Any) -> None:
    for _ in range(WRONG_CODES_NETWORK.most):
        scene.check(UNKNOWN)
    wait = int(scene.check(scene.genuine.code).headers["Retry-After"])

    clock.advance(seconds=wait)

    assert verdict_in(scene.check(scene.genuine.code)) == "Genuine"


def test_right_codes_slips_and_links_are_no_guesses(scene: Scene) -> None:
    for _ in range(WRONG_CODES_NETWORK.most + 5):
        assert scene.check(scene.genuine.code).status_code == 200
        assert scene.check(UNKNOWN[:-1]).status_code == 200
        assert scene.client.get(f"/n/{UNKNOWN_TOKEN}").status_code == 200


def test_guessing_from_many_networks_raises_one_alarm(
    sqlite_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = faces.WRONG_CODES_ALL
    monkeypatch.setattr(faces, "WRONG_CODES_ALL", type(limit)(limit.scope, limit.seconds, 12, limit.source))

    for number in range(20):
        assert (
            sqlite_scene.check(UNKNOWN, environ_base={"REMOTE_ADDR": f"198.51.100.{number}"}).status_code
            == 200
        )

    with sqlite_scene.database.read() as connection:
        alarms = connection.scalar(
            select(func.count()).where(AuditEntry.event == "notices.wrong_codes_alarm")
        )
    assert alarms == 1
    assert verdict_in(sqlite_scene.check(sqlite_scene.genuine.code)) == "Genuine"


def test_forty_guesses_at_once_are_all_counted(scene: Scene) -> None:
    """The limit holds whatever the concurrency: the count is raised in the database, not in Python."""
    start, statuses = threading.Barrier(40), list[int]()

    def guess() -> None:
        client = scene.client.application.test_client()
        start.wait()
        statuses.append(client.post("/check", data={"code": UNKNOWN}).status_code)

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    most = WRONG_CODES_NETWORK.most
    assert sorted(statuses) == [200] * most + [429] * (40 - most)


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-Server", "Forwarded"])
def test_no_address_is_made_from_what_the_request_says(sqlite_scene: Scene, header: str) -> None:
    value = "host=evil.example" if header == "Forwarded" else "evil.example"

    for page in (
        sqlite_scene.client.get("/", headers={header: value}),
        sqlite_scene.client.get(f"/n/{sqlite_scene.genuine.token}", headers={header: value}),
        sqlite_scene.client.get("/no-such-page", headers={header: value}),
    ):
        assert "evil.example" not in page.text
        assert "evil.example" not in str(page.headers)


def test_no_page_may_be_framed_or_kept(sqlite_scene: Scene) -> None:
    for page in (
        sqlite_scene.client.get("/"),
        sqlite_scene.check(UNKNOWN),
        sqlite_scene.client.get("/nowhere"),
    ):
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert sqlite_scene.check(sqlite_scene.genuine.code).headers["Cache-Control"] == "no-store"
    assert sqlite_scene.client.get(f"/n/{UNKNOWN_TOKEN}").headers["Cache-Control"] == "no-store"


def test_another_sites_form_is_refused(sqlite_scene: Scene) -> None:
    page = sqlite_scene.check(UNKNOWN, headers={"Origin": "https://evil.example"})

    assert page.status_code == 403
    assert sqlite_scene.rows(Counter) == 0


def test_random_tokens_are_never_genuine(sqlite_scene: Scene) -> None:
    asks: Callable[[str], TestResponse] = lambda token: sqlite_scene.client.get(f"/n/{token}")  # noqa: E731

    for _ in range(60):
        assert verdict_in(asks(codes.new_token())) == "Not ours"
