"""A whole portal as `make run` starts it, on free ports, and a real Chromium to walk through it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests import machine
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
AXE = (ROOT / "tests/vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


def free_ports() -> tuple[int, int]:
    """Two free neighbouring ports: the portal's and the sandbox's."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with socket.socket() as second:
                try:
                    second.bind(("127.0.0.1", port + 1))
                except OSError:
                    continue
                return port, port + 1


@pytest.fixture(scope="session")
def live_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base address of a demonstration of this run's own, served by the production server."""
    port, _ = free_ports()
    data = tmp_path_factory.mktemp("demonstration") / "var"
    log = (data.parent / "log").open("wb")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.demo.start", "--port", str(port), "--data", str(data)],
        cwd=ROOT,
        env=environ,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    base = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError((data.parent / "log").read_text(errors="replace")[-3000:])
        try:
            with urllib.request.urlopen(f"{base}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(answers, seconds=180)
    yield base
    process.terminate()
    process.wait(timeout=60)
    log.close()


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Start a Chromium with more flags than the usual ones; all end with the run."""
    path = machine.chromium()
    assert path, "no Chromium on this machine: `make test` installs it, or apt-get install chromium"
    browsers: list[Browser] = []
    with sync_playwright() as playwright:

        def launched(*flags: str) -> Browser:
            browsers.append(playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS, *flags]))
            return browsers[-1]

        yield launched
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Browser:
    """One Chromium for the run."""
    return launch()


@pytest.fixture
def open_page(browser: Browser, live_portal: str) -> Iterator[Callable[..., Page]]:
    """Open a fresh browser window: size, language, script on or off. Unexpected errors fail the test."""
    contexts = []
    problems: list[str] = []

    def opened(*, viewport: dict[str, int] = PHONE, language: str = "zh-CN", script: bool = True) -> Page:
        context = browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            locale=language,
            java_script_enabled=script,
            base_url=live_portal,
            has_touch=viewport == PHONE,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if is_fault(message) else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def is_fault(message: ConsoleMessage) -> bool:
    """An error the browser reports. A form shown again with its mistakes (422) is an answer, no fault."""
    return message.type == "error" and "status of 422" not in message.text


def assert_accessible(page: Page) -> None:
    """No violation of WCAG 2.2 AA or of best practice on the page as it stands."""
    page.evaluate(AXE)
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))",
        AXE_RULES,
    )
    assert found == [], f"{page.url}: {found}"


def assert_fits(page: Page) -> None:
    """Nothing sticks out sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
