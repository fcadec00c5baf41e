"""After the door: the officer records, the borrower answers and complains, the desk answers; three browsers, one portal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from portal.db import Database
from portal.disputes.models import Complaint, VisitAnswer, VisitRecord
from portal.keys import Keys
from tests import people
from tests.conftest import StandingClock
from tests.journeys.test_door import app as app
from tests.journeys.test_door import look, officers_phone
from tests.journeys.test_door import served as served
from tests.journeys.test_door import visit as visit
from tests.journeys.test_door import window as window
from tests.visits.door import Announced

pytestmark = pytest.mark.browser
LANGUAGES = ("zh", "zh_Hant", "en")
RADIOS = {
    "outcome": "met",
    "word_first": "yes",
    "identity_shown": "yes",
    "authority_shown": "yes",
    "purpose_stated": "yes",
    "place": "at_door",
    "told_others": "no",
    "money": "no",
    "recording": "video",
}
BOXES = {
    "present": "borrower",
    "spoke": "borrower",
    "shown": "notice",
    "handed": "notice",
    "agreed": "propose",
}


def signed_in(client, who: Callable[..., str], cookie: str, person: int) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    who(client, person)
    found = client.get_cookie(cookie)
    assert found
    return cookie, found.value


def press(page: Page, selector: str) -> None:
    with page.expect_navigation():
        page.locator(selector).first.click()


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f"input[name={name}][value='{value}']").check()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("script", [True, False])
def test_from_the_record_to_the_answer_of_the_bank(
    app: Flask,
    sqlite_database: Database,
    keys: Keys,
    window: Callable[..., Page],
    visit: Announced,
    clock: StandingClock,
    language: str,
    script: bool,
) -> None:
    clock.advance(minutes=40)
    how = {"language": language, "script": script}
    name = f"{language}-{'script' if script else 'plain'}"
    officer = officers_phone(app, window, **how)
    officer.goto("/visiting")
    press(officer, "a[href$='/V1/record']")
    look(officer, f"{name}-1-empty", script=script)
    expect(officer.locator("#money")).to_be_hidden()
    choose(officer, "outcome", "other_person")
    expect(officer.locator("#money")).to_be_hidden()
    expect(officer.locator("#told_others")).to_be_visible()
    for question, code in RADIOS.items():
        choose(officer, question, code)
    officer.fill("#said", "谈了目前的收入情况。")
    press(officer, "button[value=check]")
    look(officer, f"{name}-2-faults", script=script)
    assert officer.locator(".summary li").count() == len(BOXES) + 2, "the boxes and both times"
    assert officer.locator("#said").input_value() == "谈了目前的收入情况。"
    for question, code in BOXES.items():
        choose(officer, question, code)
    officer.fill("#started", "15:05")
    officer.fill("#ended", "15:30")
    press(officer, "button[value=check]")
    look(officer, f"{name}-3-check", script=script)
    press(officer, "form:not(.tools) button.btn")
    look(officer, f"{name}-4-sent", script=script)
    assert officer.locator(".verdict.ok").count() == 1

    cookie = signed_in(app.test_client(), people.sign_in, "portal_session", visit.borrower_id)
    borrower = window(*cookie, **how)
    borrower.goto("/my/visits")
    press(borrower, "a[href$='/V1/record']")
    look(borrower, f"{name}-5-read", script=script)
    expect(borrower.locator("#items")).to_be_hidden()
    choose(borrower, "confirms", "no")
    choose(borrower, "item_identity_shown", "different")
    borrower.fill("#words_identity_shown", "没有看到任何证件。")
    choose(borrower, "rate_pressed", "yes")
    choose(borrower, "rate_overall", "2")
    look(borrower, f"{name}-6-answering", script=script)
    press(borrower, "form.answer button.btn")
    look(borrower, f"{name}-7-answered", script=script)
    assert borrower.locator(".is-marked").count() == 2
    press(borrower, "form[action$=complain] button")
    look(borrower, f"{name}-8-complaint", script=script)
    reference = borrower.url.rsplit("/", 1)[1]

    mei = sqlite_database.write(lambda s: people.mei(s, keys))
    desk = window(*signed_in(app.test_client(), people.sign_in_staff, "portal_desk", mei), **how)
    desk.set_viewport_size({"width": 1280, "height": 900})
    desk.goto("/desk/records")
    look(desk, f"{name}-9-records", script=script)
    press(desk, "a[href$='/records/V1']")
    look(desk, f"{name}-10-both", script=script)
    desk.goto("/desk/complaints")
    look(desk, f"{name}-11-queue", script=script)
    press(desk, f"a[href$='/{reference}']")
    press(desk, "button[value=take]")
    look(desk, f"{name}-12-taken", script=script)
    choose(desk, "outcome", "upheld")
    desk.fill("#answer", "您反映的情况属实，已要求该机构整改。")
    press(desk, "button[value=answer]")
    look(desk, f"{name}-13-answered", script=script)

    borrower.reload()
    look(borrower, f"{name}-14-read", script=script)
    assert "您反映的情况属实，已要求该机构整改。" in borrower.inner_text("main")
    press(borrower, "form[action$=settle] button")
    with sqlite_database.read() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(model))
            for model in (VisitRecord, VisitAnswer, Complaint)
        ]
        assert counts == [1, 1, 1]
        assert connection.scalar(select(Complaint.state)) == "closed"


def test_a_figure_is_disputed_from_its_explanation(
    app: Flask, window: Callable[..., Page], visit: Announced, clock: StandingClock
) -> None:
    cookie = signed_in(app.test_client(), people.sign_in, "portal_session", visit.borrower_id)
    page = window(*cookie)
    page.goto("/my/loans/C-LIN-1/fee")
    press(page, "a[href*='about=figure']")
    page.locator("input[name=lines]").first.check()
    page.fill("#text", "这笔费用没有约定过。")
    look(page, "figure-1-form")
    press(page, "form.card button.btn")
    look(page, "figure-2-sent")
    page.goto("/my/loans/C-LIN-1/fee")
    look(page, "figure-3-marked")
    assert page.locator(".tag.warn").count() == 1
    page.goto("/my/complaints")
    look(page, "figure-4-list")
    page.goto("/my/complaints/new")
    look(page, "figure-5-about")
    for about in ("visit", "stranger", "call"):
        page.goto(f"/my/complaints/new?about={about}")
        look(page, f"figure-6-{about}")


def test_a_late_record_says_so_on_the_phone(
    app: Flask, window: Callable[..., Page], visit: Announced, clock: StandingClock
) -> None:
    clock.advance(hours=timedelta(days=1).total_seconds() // 3600)
    officer = officers_phone(app, window)
    officer.goto("/visiting")
    look(officer, "late-1-today")
    press(officer, "a[href$='/V1/record']")
    look(officer, "late-2-form")
    assert officer.locator(".note.warn").count() == 1
