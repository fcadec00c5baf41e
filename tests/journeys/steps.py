"""The steps of the journey, in any language and with or without script: what a person does on each page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page

from tests.journeys.conftest import assert_accessible, assert_fits
from tests.waiting import wait_until

PICTURES = os.environ.get("JOURNEY_PICTURES")


@dataclass
class Walk:
    """One person's walk: the borrower's page, and a second window for the phone and the staff page."""

    page: Page
    side: Page
    customer_ref: str
    script: bool
    name: str
    lang: str
    seen: list[str] = field(default_factory=list)

    def look(self, title: str) -> None:
        """The page as it stands is accessible, fits the screen, has one heading; photographed on request."""
        self.seen.append(title)
        assert self.page.locator("h1").count() == 1, self.page.url
        assert self.page.locator("html").get_attribute("lang") == self.lang, self.page.url
        if self.script:
            assert_accessible(self.page)
            assert_fits(self.page)
        if PICTURES:
            path = Path(PICTURES) / f"{self.name}-{len(self.seen):02d}-{title}.png"
            self.page.screenshot(path=path, full_page=True)

    def press(self, selector: str) -> None:
        """Press a button or link and wait for the page it leads to."""
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()


def phone_texts(walk: Walk) -> list[str]:
    """The text messages on the borrower's phone, newest last."""
    walk.side.goto(f"/demo/phone/{walk.customer_ref}")
    return walk.side.locator(".bubble").all_inner_texts()


def wait_for_text(walk: Walk, pattern: str, *, after: int = 0) -> re.Match[str]:
    """The first text after the `after` oldest ones that has `pattern` in it, as soon as it arrives."""
    found: list[re.Match[str]] = []

    def arrived() -> bool:
        found[:] = [hit for text in phone_texts(walk)[after:] if (hit := re.search(pattern, text))]
        return bool(found)

    wait_until(arrived, seconds=20)
    return found[0]


def choose_language(walk: Walk, language: str) -> None:
    """Tap a language at the foot of the first page; it stays chosen, also after signing in."""
    walk.page.goto("/")
    walk.press(f"footer button[name=language][value={language}]")
    walk.look("home")


def check_the_reminder(walk: Walk) -> None:
    """Open the link in the newest text: a verdict that says nothing of a debt."""
    link = wait_for_text(walk, r"https?://[!-~]+").group()
    walk.page.goto(link)
    assert walk.page.locator(".verdict.ok").count() == 1
    walk.look("verdict")


def check_by_code(walk: Walk) -> None:
    """Type the code of the text on the first page: the same verdict."""
    code = wait_for_text(walk, r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}").group()
    walk.page.goto("/")
    walk.page.fill("input[name=code]", code.lower().replace("-", " "))
    walk.press("form.card button.btn")
    assert walk.page.locator(".verdict.ok").count() == 1
    walk.look("verdict-by-code")


def sign_in(walk: Walk) -> None:
    """From the verdict to the balance: one-time code from the phone, end of the ID number from the demo."""
    before = len(phone_texts(walk))
    walk.press("form[action='/sign-in'] button")
    walk.look("sign-in-code")
    code = wait_for_text(walk, r"#(\d{6})", after=before).group(1)
    assert_accessible(walk.side)
    tail = re.search(r"\b(\d{3}[0-9X])\b", walk.side.locator(".next").inner_text())
    assert tail
    walk.page.fill("input[name=code]", code)
    walk.page.fill("input[name=id_tail]", tail.group(1).lower())
    walk.press("form[action='/sign-in/code'] button")
    walk.look("access-number")
    walk.press("a.btn")
    assert walk.page.url.endswith("/my/balance")


def see_the_balance(walk: Walk) -> None:
    """Due now large, and a figure that explains itself down to the lines."""
    walk.look("balance")
    walk.press("table a")
    walk.look("explain")
    walk.page.go_back()
    for path, name in (("/my/visits", "visits"), ("/my/more", "more"), ("/my/plan", "no-plan")):
        walk.page.goto(path)
        walk.look(name)


def explain(walk: Walk, papers: Path) -> None:
    """What happened, the month in figures, two papers, sent."""
    walk.page.goto("/my/situation")
    walk.look("situation")
    walk.press("a.btn")
    walk.press("main form button.btn")
    walk.look("situation-reason-missing")
    assert walk.page.locator(".summary").count() == 1
    walk.page.check("input[name=reason][value=income_less]")
    walk.page.fill("textarea[name=story]", "去年起工时减少，收入少了近一半。孩子还在上学。")
    walk.press("main form button.btn")
    walk.look("situation-income")
    walk.page.fill("input[name=salary]", "１２，０００")
    walk.press("main form button.btn")
    walk.look("situation-spending")
    walk.page.fill("input[name=food]", "1 500")
    walk.page.fill("input[name=rent]", "1,800.00")
    walk.press("main form button.btn")
    walk.look("documents")
    walk.page.select_option("select[name=kind]", "income_proof")
    walk.page.set_input_files("#files", [papers / "wage slip.jpg", papers / "statement.pdf"])
    if walk.script:
        walk.page.locator("#add button.btn").click()
        wait_until(lambda: walk.page.locator("#papers > li").count() == 2, seconds=30)
    else:
        walk.press("#add button.btn")
    assert walk.page.locator("#papers .tag.ok").count() == 2
    walk.look("documents-added")
    walk.press("#onward")
    walk.look("situation-check")
    if walk.page.locator("input[name=consent]").count():
        walk.page.check("input[name=consent]")
    walk.press("main form button.btn")
    walk.look("situation-sent")


def propose(walk: Walk, *, waive: bool = False) -> str:
    """A plan of one's own that is too long, then the nearest that passes, checked and sent."""
    walk.page.goto("/my/plan/propose")
    walk.look("propose-offers")
    walk.page.check("input[name=plan][value=own]")
    walk.page.fill("input[name=amount]", "150")
    walk.page.fill("input[name=day]", "18")
    if walk.script:
        wait_until(lambda: walk.page.locator("#answer a.near").count() > 0, seconds=15)
    else:
        walk.press("form[data-preview] .card button.btn.alt")
    walk.look("propose-too-long")
    walk.press("#answer a.near")
    if waive:
        walk.page.locator("details", has=walk.page.locator("input[name=waive]")).locator("summary").click()
        walk.page.check("input[name=waive][value=fee]")
        if not walk.script:
            walk.press("form[data-preview] .card button.btn.alt")
    walk.look("propose-passes")
    walk.press("#onward button")
    if walk.page.locator("#comment").count() and walk.page.locator("label[for=comment]:not(.hide)").count():
        walk.page.fill("#comment", "每月可以省下这笔钱，家人也会帮忙。")
    walk.look("propose-check")
    walk.press("form[action='/my/plan/propose/send'] button.btn")
    walk.look("receipt")
    reference = walk.page.url.rsplit("/", 1)[1]
    walk.page.goto("/my/plan")
    walk.look("waiting")
    return reference


def accept(walk: Walk, *, after: int) -> None:
    """Read the answer, read the agreement, confirm with a one-time code."""
    wait_until(lambda: len(phone_texts(walk)) > after, seconds=20)
    newest = phone_texts(walk)[-1]
    assert not re.search(r"逾期|欠款|贷款|金额|debt|overdue|loan", newest), newest
    walk.page.goto("/my/plan")
    walk.look("answer")
    walk.press("a[href*='/plan/accept/']")
    walk.look("agreement-to-confirm")
    before = len(phone_texts(walk))
    walk.press("form[action$='/code'] button.btn")
    walk.look("agreement-code")
    code = wait_for_text(walk, r"#(\d{6})", after=before).group(1)
    walk.page.fill("input[name=code]", code)
    walk.press("form[action$='/confirm'] button.btn")
    walk.page.goto("/my/plan")
    walk.look("plan-in-force")
    assert walk.page.locator(".cert").count() == 1
    walk.press("a[href*='/plan/agreement/']")
    walk.look("agreement")
    walk.page.goto("/my/visits")
    assert walk.page.locator(".note.ok").count() == 1
    assert walk.page.locator("section[aria-labelledby=v1]").count() == 0
    walk.look("visits-cancelled")


def pay(walk: Walk) -> None:
    """The next instalment through the sandbox: credited, placed step by step, the plan follows."""
    walk.page.goto("/my/pay")
    walk.look("pay")
    walk.page.check("input[name=what][value=plan]")
    walk.press("form[action$='/pay/check'] button.btn")
    walk.look("pay-check")
    walk.press("form[action$='/pay/start'] button.btn")
    wait_until(lambda: "/my/" not in walk.page.url)
    if walk.script:
        assert_accessible(walk.page)
    walk.press("button[value=pay]")
    wait_until(lambda: _is_posted(walk), seconds=30)
    walk.look("paid")
    walk.page.goto("/my/plan")
    walk.look("plan-after-payment")
    walk.page.goto("/my/balance")
    walk.look("balance-after-payment")


def _is_posted(walk: Walk) -> bool:
    if walk.page.locator(".verdict.ok").count():
        return True
    if "/my/pay/" in walk.page.url:
        walk.page.reload()
    return False


def staff_sign_in(desk: Page, side: Page, login: str) -> None:
    """Sign in at the desk with what the staff page shows now; a spent code is waited out."""
    tried: set[str] = set()

    def entered() -> bool:
        side.goto("/demo/staff")
        card = side.locator("section.card", has=side.locator(f"#a-{login}"))
        facts = card.locator("dd").all_inner_texts()
        code = facts[2].split()[0]
        if code in tried:
            return False
        tried.add(code)
        desk.goto("/desk/sign-in")
        desk.fill("input[name=login]", facts[0].strip())
        desk.fill("input[name=password]", facts[1].strip())
        desk.fill("input[name=totp]", code)
        with desk.expect_navigation():
            desk.locator("form[action='/desk/sign-in'] button.btn").click()
        return "/sign-in" not in desk.url

    wait_until(entered, seconds=70, every=1)


def open_case(desk: Page, customer_ref: str) -> None:
    """Find the case in the queue by the customer's number and open it."""
    desk.goto(f"/desk?q={customer_ref}")
    with desk.expect_navigation():
        desk.locator("table.list tbody th a").first.click()


def make_papers(folder: Path) -> Path:
    """A photographed wage slip and a one-page statement, as a phone and a bank's app make them."""
    picture = Image.new("RGB", (900, 1200), "white")
    ImageDraw.Draw(picture).text((80, 80), "WAGE SLIP  6,000.00", fill="black")
    picture.save(folder / "wage slip.jpg", quality=85)
    picture.save(folder / "statement.pdf")
    return folder


Step = Callable[[Walk], None]
