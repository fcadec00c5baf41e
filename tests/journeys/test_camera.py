"""A camera before a printed letter, in a real browser: its link is found and the verdict opens; without a camera
or without leave there are words, and a picture can be chosen as ever."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import PHONE, assert_accessible, assert_fits
from tests.notices.paper_book import letters

FAKE_DEVICE = "--use-fake-device-for-media-stream"
BUTTON, STOP = "Read the code with the camera", "Stop the camera"
pytestmark = pytest.mark.browser


def film(folder: Path, *, with_letter: bool) -> Path:
    """What a camera sees that is held over a table, and for `with_letter` then over our letter: JPEG after JPEG."""
    table = Image.new("L", (1280, 720), 120)
    frames = [table] * 20
    if with_letter:
        page = pypdfium2.PdfDocument(letters()[2].paper.pdf)[0].render(scale=150 / 72).to_pil().convert("L")
        frames += [page.crop((0, 500, 1240, 1200)).resize((1280, 722)).crop((0, 0, 1280, 720))] * 40
    path = folder / f"{with_letter}.mjpeg"
    with path.open("wb") as file:
        for one in frames:
            made = io.BytesIO()
            one.save(made, "JPEG", quality=80)
            file.write(made.getvalue())
    return path


@pytest.fixture(scope="module")
def seeing(
    tmp_path_factory: pytest.TempPathFactory, launch: Callable[..., Browser]
) -> Iterator[dict[bool, Browser]]:
    """Two browsers whose cameras see a letter, or only a table."""
    folder = tmp_path_factory.mktemp("films")
    browsers = {
        seen: launch(
            FAKE_DEVICE,
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={film(folder, with_letter=seen)}",
        )
        for seen in (True, False)
    }
    yield browsers
    for browser in browsers.values():
        browser.close()


def camera_page(browser: Browser, base: str) -> tuple[Page, list[str]]:
    context = browser.new_context(viewport=PHONE, locale="en-GB", base_url=base)
    context.set_default_timeout(15_000)
    page, problems = context.new_page(), list[str]()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto("/check/photo")
    return page, problems


def test_a_letter_before_the_camera_leads_to_the_verdict(
    seeing: dict[bool, Browser], live_portal: str
) -> None:
    page, problems = camera_page(seeing[True], live_portal)
    frames: list[int] = []
    page.on(
        "response", lambda answer: frames.append(answer.status) if answer.url.endswith("/frame") else None
    )

    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("button", name=STOP)).to_be_visible()
    page.wait_for_url("**/check/photo", wait_until="load")
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        "code in the picture is not ours", timeout=30_000
    )

    assert frames[-1] == 200
    assert 204 in frames, "the table was looked at first"
    assert_accessible(page)
    assert_fits(page)
    assert problems == []


def test_nothing_to_see_goes_on_until_it_is_stopped_and_one_frame_at_a_time(
    seeing: dict[bool, Browser], live_portal: str
) -> None:
    page, problems = camera_page(seeing[False], live_portal)
    under_way: list[int] = [0, 0]

    def more(request: object) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)

    page.on("request", lambda request: more(request) if request.url.endswith("/frame") else None)
    page.on(
        "requestfinished",
        lambda r: under_way.__setitem__(0, under_way[0] - 1) if r.url.endswith("/frame") else None,
    )

    page.get_by_role("button", name=BUTTON).click()
    for _ in range(3):
        with page.expect_response("**/check/photo/frame") as answer:
            pass
        assert answer.value.status == 204
    assert_fits(page)
    assert_accessible(page)
    page.get_by_role("button", name=STOP).click()
    expect(page.locator("video")).to_have_count(0)
    expect(page.get_by_role("button", name=BUTTON)).to_be_visible()

    assert under_way[1] == 1
    assert problems == []


def test_offline_and_a_minute_without_a_code_have_words(
    seeing: dict[bool, Browser], live_portal: str
) -> None:
    page, _ = camera_page(seeing[False], live_portal)
    page.clock.install()
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("status").filter(has_text="Hold the square code")).to_be_visible()
    page.clock.fast_forward(61_000)
    expect(page.get_by_role("status").filter(has_text="No code was found within a minute")).to_be_visible()

    page.get_by_role("button", name=BUTTON).click()
    page.context.set_offline(True)
    page.clock.fast_forward(1_000)
    expect(page.get_by_role("status").filter(has_text="There is no network just now")).to_be_visible()
    expect(page.locator("video")).to_have_count(0)


def test_no_camera_has_words_and_the_form_stays(browser: Browser, live_portal: str) -> None:
    page, problems = camera_page(browser, live_portal)
    page.get_by_role("button", name=BUTTON).click()
    expect(
        page.get_by_role("status")
        .filter(has_text="Choose a picture instead")
        .or_(page.get_by_role("status").filter(has_text="may not use the camera"))
    ).to_be_visible()
    expect(page.get_by_label("Choose a photo or screenshot")).to_be_visible()
    assert problems == []


def test_refused_leave_has_words(launch: Callable[..., Browser], live_portal: str) -> None:
    page, problems = camera_page(launch(FAKE_DEVICE, "--deny-permission-prompts"), live_portal)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("status").filter(has_text="may not use the camera")).to_be_visible()
    assert problems == []


def test_without_script_a_picture_is_chosen(browser: Browser, live_portal: str) -> None:
    context = browser.new_context(
        viewport=PHONE, locale="en-GB", base_url=live_portal, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/check/photo")
    expect(page.get_by_label("Choose a photo or screenshot")).to_be_visible()
    expect(page.get_by_role("button", name=BUTTON)).to_have_count(0)
    context.close()
