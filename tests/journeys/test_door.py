"""The door scene: the borrower's phone and the officer's phone, two browsers at once over one portal."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from app import create_app
from portal.db import Database
from portal.keys import Keys
from portal.settings import Settings
from portal.visits import changes
from tests import people
from tests.conftest import StandingClock
from tests.journeys.conftest import PHONE, assert_accessible, assert_fits, free_ports
from tests.visits.door import Announced, announced
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("JOURNEY_PICTURES")
LANGUAGES = {"zh": "zh-CN", "zh_Hant": "zh-TW", "en": "en-GB"}
#: What is called off is seen on both sides within so many seconds.
SEEN_WITHIN = 5


@pytest.fixture
def app(settings: Settings, sqlite_database: Database, clock: StandingClock) -> Flask:
    """The portal under the address it is served at."""
    base_url = f"http://127.0.0.1:{free_ports()[0]}"
    return create_app(replace(settings, base_url=base_url), clock=clock, db=sqlite_database)


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The portal of this test behind a real socket, each request in a thread of its own."""
    base_url: str = app.extensions["portal"].settings.base_url
    server = make_server("127.0.0.1", int(base_url.rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield base_url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(sqlite_database: Database, keys: Keys, clock: StandingClock) -> Announced:
    """Lin is visited at 15:00; it is 15:00."""
    made = sqlite_database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    clock.advance(hours=6)
    return made


@pytest.fixture
def window(browser: Browser, served: str) -> Iterator[Callable[..., Page]]:
    """A phone's browser of its own; `cookies` are those of a test client that has signed in."""
    contexts: list[BrowserContext] = []

    def opened(name: str = "", cookie: str = "", *, language: str = "zh", script: bool = True) -> Page:
        context = browser.new_context(
            viewport=PHONE,  # type: ignore[arg-type]
            locale=LANGUAGES[language],
            java_script_enabled=script,
            base_url=served,
            has_touch=True,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        cookies = [{"name": "language", "value": language, "url": served}]
        if name:
            cookies.append({"name": name, "value": cookie, "url": served})
        context.add_cookies(cookies)  # type: ignore[arg-type]
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


def officers_phone(app: Flask, window: Callable[..., Page], **how: object) -> Page:
    client = app.test_client()
    people.sign_in_officer(client)
    cookie = client.get_cookie("portal_visiting")
    assert cookie
    return window("portal_visiting", cookie.value, **how)


def ask_at_the_door(page: Page, visit: Announced) -> None:
    page.goto("/visit?of=V1")
    assert page.locator("h1").count() == 1
    page.fill("#code", visit.code.lower())
    page.fill("#tail", visit.tail)
    with page.expect_navigation():
        page.locator("form.card button.btn").click()


def words(page: Page) -> list[str]:
    return [page.locator(f"[data-word={side}] .said-word").inner_text() for side in ("visitor", "answer")]


def look(page: Page, name: str, *, script: bool = True) -> None:
    assert page.locator("h1").count() == 1
    assert_fits(page) if script else None
    if script:
        assert_accessible(page)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"door-{name}.png", full_page=True)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_scene(
    app: Flask,
    sqlite_database: Database,
    window: Callable[..., Page],
    visit: Announced,
    clock: StandingClock,
    language: str,
) -> None:
    officer = officers_phone(app, window, language=language)
    borrower = window(language=language)
    officer.goto("/visiting")
    look(officer, f"{language}-1-today")
    with officer.expect_navigation():
        officer.locator("a.btn").first.click()
    look(officer, f"{language}-2-code")
    borrower.goto("/visit")
    look(borrower, f"{language}-3-ask")
    ask_at_the_door(borrower, visit)
    look(borrower, f"{language}-4-door")
    first = words(officer)
    assert words(borrower) == first

    clock.advance(minutes=5)
    wait_until(lambda: words(officer) != first and words(borrower) != first, seconds=SEEN_WITHIN + 5)
    assert words(officer) == words(borrower)

    sqlite_database.write(
        lambda s: changes.refuse(s, borrower_id=visit.borrower_id, visit_ref="V1", now=clock.now())
    )
    for page in (officer, borrower):
        expect(page.locator(".verdict.bad")).to_be_visible(timeout=(SEEN_WITHIN + 5) * 1000)
        assert page.locator("[data-word]").count() == 0
    look(officer, f"{language}-5-off-officer")
    look(borrower, f"{language}-6-off-borrower")


def test_without_script_the_pages_renew_themselves(
    app: Flask,
    sqlite_database: Database,
    window: Callable[..., Page],
    visit: Announced,
    clock: StandingClock,
) -> None:
    officer, borrower = officers_phone(app, window, script=False), window(script=False)
    officer.goto("/visiting/V1")
    ask_at_the_door(borrower, visit)
    assert words(borrower) == words(officer)

    sqlite_database.write(
        lambda s: changes.refuse(s, borrower_id=visit.borrower_id, visit_ref="V1", now=clock.now())
    )

    for page in (officer, borrower):
        expect(page.locator(".verdict.bad")).to_be_visible(timeout=15_000)


def test_the_signed_in_borrower_has_the_same_page_and_changes_the_visit_there(
    app: Flask, window: Callable[..., Page], visit: Announced
) -> None:
    client = app.test_client()
    people.sign_in(client, visit.borrower_id)
    cookie = client.get_cookie("portal_session")
    assert cookie
    page, officer = window("portal_session", cookie.value), officers_phone(app, window)
    officer.goto("/visiting/V1")
    page.goto("/my/visits")
    look(page, "7-visits")
    with page.expect_navigation():
        page.locator("a.btn").first.click()
    look(page, "8-door-signed-in")
    assert words(page) == words(officer)
    with page.expect_navigation():
        page.locator(".btns a.alt").click()
    look(page, "9-change")
    page.locator("input[name=window]").first.check()
    with page.expect_navigation():
        page.locator("form[action$=move] button").click()
    look(page, "10-moved")

    wait_until(lambda: officer.locator("[data-word]").count() == 0, seconds=SEEN_WITHIN + 5)


def test_without_a_connection_the_words_are_taken_away(
    app: Flask, window: Callable[..., Page], visit: Announced
) -> None:
    officer = officers_phone(app, window)
    officer.goto("/visiting/V1")
    expect(officer.locator(".live-lost")).to_be_hidden()

    officer.context.set_offline(True)

    expect(officer.locator(".live-lost")).to_be_visible(timeout=15_000)
    expect(officer.locator("[data-word=visitor] .said-word")).to_be_hidden()
    officer.context.set_offline(False)
    expect(officer.locator("[data-word=visitor] .said-word")).to_be_visible(timeout=15_000)
