"""From a reminder to an agreed plan and its first payment, as people walk it: four ways of looking at one portal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from portal.web.locale import HTML_LANG
from tests.journeys import steps
from tests.journeys.conftest import DESKTOP, PHONE, assert_accessible
from tests.journeys.steps import Walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WALKS = [
    pytest.param("C800138", PHONE, "zh", True, id="phone-zh-script"),
    pytest.param("C800001", PHONE, "en", False, id="phone-en-no-script"),
    pytest.param("C800009", DESKTOP, "en", True, id="desktop-en-script"),
    pytest.param("C800013", DESKTOP, "zh_Hant", False, id="desktop-zh-hant-no-script"),
]


@pytest.mark.parametrize(("customer_ref", "viewport", "language", "script"), WALKS)
def test_from_reminder_to_first_payment(
    open_page: Callable[..., Page],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    customer_ref: str,
    viewport: dict[str, int],
    language: str,
    script: bool,
) -> None:
    walk = Walk(
        page=open_page(viewport=viewport, script=script),
        side=open_page(viewport=DESKTOP),
        customer_ref=customer_ref,
        script=script,
        name=request.node.callspec.id,
        lang=HTML_LANG[language],
    )

    steps.choose_language(walk, language)
    steps.check_by_code(walk)
    steps.check_the_reminder(walk)
    steps.sign_in(walk)
    steps.see_the_balance(walk)
    steps.explain(walk, steps.make_papers(tmp_path))
    steps.propose(walk)
    texts = len(steps.phone_texts(walk))

    desk = open_page(viewport=DESKTOP, language="zh-CN", script=script)
    decide = counter_offer if customer_ref == "C800138" else approve
    decide(desk, walk)

    steps.accept(walk, after=texts)
    steps.pay(walk)


def approve(desk: Page, walk: Walk) -> None:
    """The reviewer looks at figures and papers, and agrees."""
    _enter(desk, walk, "hemin")
    _look(desk, walk, "queue")
    steps.open_case(desk, walk.customer_ref)
    _look(desk, walk, "case")
    desk.check("input[name=kind][value=approve]")
    with desk.expect_navigation():
        desk.locator("#decide button[data-send]").click()
    _look(desk, walk, "case-approved")


def counter_offer(desk: Page, walk: Walk) -> None:
    """The reviewer waives the fees for fewer instalments; a second person confirms it."""
    _enter(desk, walk, "luoyan")
    steps.open_case(desk, walk.customer_ref)
    desk.check("input[name=kind][value=counter]")
    desk.fill("input[name=count]", "48")
    desk.check("input[name=waive_fee]")
    desk.fill("textarea[name=note]", "材料已核实。早几期结清，违约金我们免了。")
    _look(desk, walk, "case-counter")
    with desk.expect_navigation():
        desk.locator("#decide button[data-send]").click()
    _look(desk, walk, "case-waits-for-second")
    with desk.expect_navigation():
        desk.locator("form[action$='/desk/sign-out'] button").click()
    steps.staff_sign_in(desk, walk.side, "guoli")
    steps.open_case(desk, walk.customer_ref)
    _look(desk, walk, "case-second-approval")
    with desk.expect_navigation():
        desk.locator("button[name=kind][value=confirm]").click()
    _look(desk, walk, "case-countered")
    desk.goto("/desk/dashboard")
    _look(desk, walk, "dashboard")


def _enter(desk: Page, walk: Walk, login: str) -> None:
    desk.goto("/desk/sign-in")
    _look(desk, walk, "sign-in")
    steps.staff_sign_in(desk, walk.side, login)
    assert_accessible(walk.side)


def _look(desk: Page, walk: Walk, title: str) -> None:
    assert desk.locator("h1").count() == 1, desk.url
    if walk.script:
        assert_accessible(desk)
    if steps.PICTURES:
        walk.seen.append(title)
        desk.screenshot(
            path=Path(steps.PICTURES) / f"{walk.name}-{len(walk.seen):02d}-desk-{title}.png", full_page=True
        )
