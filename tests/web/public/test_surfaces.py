"""The three surfaces, whole: every public route has one, every page of it is walked, in every language.

Reached by a code: words, amounts, fields. Home, check and reports: words and amounts. Help: title and address.
"""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.db import Database
from portal.keys import Keys
from portal.messages.texts import TEXTS, text_for
from portal.notices.faces import NoticeSeen
from portal.notices.wording import amounts_in, forbidden_words_in
from tests.conftest import StandingClock
from tests.web.public.test_check import AGENTS, contents
from tests.web.public.test_third_party import FIELDS, LANGUAGES
from tests.web.public.walk import CHOSEN, DIGEST, HELD, PAPER, STATEMENT, WORDS, Walk, everything, walk_over

#: What a reader of a signed list of accounts is told is the bank's own.
PUBLISHED = ("9999000011112222333", "10690000000001")


@pytest.fixture
def walk(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys, clock: StandingClock) -> Walk:
    return walk_over(sqlite_client, sqlite_database, keys, clock)


def public_endpoints(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("public.")}


def test_every_public_route_has_exactly_one_surface(sqlite_app: Flask) -> None:
    surfaces = [*HELD, *WORDS, *CHOSEN]

    assert set(surfaces) == public_endpoints(sqlite_app)
    assert len(surfaces) == len(set(surfaces))


def test_the_address_of_a_public_page_names_no_debt(sqlite_app: Flask) -> None:
    for rule in sqlite_app.url_map.iter_rules():
        if rule.endpoint.startswith(("public.", "officer.", "static")):
            plain = re.sub(r"[/_.<>:-]", " ", f"{rule.rule} {rule.endpoint}")
            assert forbidden_words_in(plain) == (), rule.rule


def test_no_file_that_a_public_page_loads_is_named_after_debt(walk: Walk) -> None:
    walk.get("/")
    walk.get(f"/n/{walk.scene.genuine.token}")
    named = {
        name for _, page, _ in walk.pages for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    }

    assert named
    for name in named:
        assert forbidden_words_in(re.sub(r"[/_.-]", " ", name)) == (), name
        file = walk.scene.client.get(name)
        assert file.status_code == 200
        if name.endswith(".svg"):
            assert forbidden_words_in(file.text) == (), name


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_message_names_debt_on_a_locked_screen(name: str, language: str) -> None:
    kind, _, purpose = name.partition(".")
    given = {"code": "482913", "host": "my.harbour.example", "minutes": "10", "reference": "P-7KQF-3MWD2"}
    given["phone"] = "400-000-0001"
    text = text_for(kind, language, {**given, "purpose": purpose, "day": "2026-12-01"})

    assert forbidden_words_in(text) == ()
    assert amounts_in(text) == ()


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_tells_a_third_party_more_than_its_surface_may(walk: Walk, language: str) -> None:
    walk.scene.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    everything(walk)

    walked = {endpoint for endpoint, _, _ in walk.pages}
    assert public_endpoints(walk.scene.client.application) <= walked
    assert max(page.status_code for _, page, _ in walk.pages) < 500
    told = [
        (endpoint, page.request.method, page.request.path, page.status_code, leak)
        for endpoint, page, given in walk.pages
        for leak in leaks(walk, endpoint, page)
        if leak not in given  # who wrote it reads it again
    ]
    assert told == []


def leaks(walk: Walk, endpoint: str, page: TestResponse) -> list[str]:
    """What a page tells that its surface may not."""
    text = walk.readable(page)
    if endpoint in CHOSEN:
        title = re.search(r"<title>([^<]+)</title>", page.text)
        assert title, endpoint
        return [*forbidden_words_in(f"{title[1]} {page.request.path}"), *previews(text)]
    found = [*forbidden_words_in(text), *amounts_in(text), *previews(text)]
    fields = FIELDS if endpoint not in WORDS else tuple(set(FIELDS) - set(PUBLISHED))
    return found + [field for field in fields if field in text]


def previews(text: str) -> list[str]:
    """What a messenger would draw beside a link: nothing is offered, so there is nothing to get wrong."""
    return re.findall(r'<meta (?:property|name)="(?:og|twitter):[^"]*"|<meta name="description"', text)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_alone_tells_neither_kind_nor_hour_of_a_visit(walk: Walk, language: str) -> None:
    """A visit's notice and a text message's lead to the same bytes; the hour comes after the mobile's end only."""
    client = walk.scene.client
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language

    def shape(code: str) -> str:
        text = re.sub(
            r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}|[0-9A-Z]{13}", "CODE", walk.scene.check(code).text
        )
        return re.sub(r'(<time[^>]*>).*?</time>|datetime="[^"]*"', "TIME", text)

    assert shape(walk.visit.code) == shape(walk.scene.genuine.code) == shape(walk.letter.code)
    for tail in ("", "0035", "34", "x"):
        page = client.post("/visit", data={"code": walk.visit.code, "tail": tail})
        assert page.status_code == 422
        assert "15:00" not in page.text
    door = client.post("/visit", data={"code": walk.visit.code, "tail": walk.visit.tail}).location
    assert "15:00" in client.get(door).text


@pytest.mark.slow
def test_whatever_fetches_ahead_leaves_nothing_but_that_somebody_looked(walk: Walk) -> None:
    """Every public address there is, by GET and HEAD, as thirty messengers, scanners and crawlers ask for it."""
    client = walk.scene.client
    given = {"code": walk.visit.code, "tail": walk.visit.tail}
    door = client.post("/visit", data=given).location
    report = client.post("/report", data={"form_key": "ahead", "text": "a text"}).location
    paths = [
        rule.rule
        for rule in client.application.url_map.iter_rules()
        if rule.endpoint in HELD | WORDS | CHOSEN
    ]
    paths = [path for path in paths if "<" not in path]
    paths += [f"/n/{walk.scene.genuine.token}", f"/pay/{'0' * 26}", door, f"{door}/photo/1", report]
    paths += [f"/statement/{STATEMENT}?digest={DIGEST}", f"/paper/{PAPER}?digest={DIGEST}"]
    before = contents(walk.scene.database)

    for number, path in enumerate(paths):
        for agent in AGENTS[number % 3 :: 3]:
            for ask in (client.get, client.head):
                answer = ask(path, headers={"User-Agent": agent})
                assert answer.status_code < 500
                assert "Set-Cookie" not in answer.headers, path

    assert contents(walk.scene.database) == before
    assert walk.scene.rows(NoticeSeen) <= 2
