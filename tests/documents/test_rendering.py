"""The child that opens strangers' files: pixels out, or a reason; never the app's memory or a live object."""

from __future__ import annotations

import io
import resource
from pathlib import Path

import pytest
from PIL import Image

from portal.documents.kinds import DEFAULT_LIMITS
from portal.documents.media import HEIC, JPEG, PDF, PNG
from portal.documents.rendering import RenderedPage, Unreadable, render
from tests.documents import corpus

pytestmark = pytest.mark.slow


def rendered(data: bytes, media_type: str) -> tuple[RenderedPage, ...]:
    return render(data, media_type, limits=DEFAULT_LIMITS)


def reason_of(data: bytes, media_type: str) -> str:
    with pytest.raises(Unreadable) as unreadable:
        rendered(data, media_type)
    return unreadable.value.reason


def opened(page: RenderedPage) -> Image.Image:
    picture = Image.open(io.BytesIO(page.jpeg))
    assert picture.size == (page.width, page.height)
    return picture


def resident() -> int:
    """This process's memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def is_red(pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    return pixel[0] > 150 and pixel[1] < 90


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(corpus.picture(), JPEG), (corpus.picture(kind="PNG"), PNG), (corpus.HEIC, HEIC)],
)
def test_a_picture_becomes_one_page_with_the_same_content(data: bytes, media_type: str) -> None:
    (page,) = rendered(data, media_type)

    picture = opened(page)
    assert picture.size == (640, 480)
    assert is_red(picture.getpixel((10, 10)))
    assert not is_red(picture.getpixel((630, 470)))


def test_a_large_photo_is_shrunk_in_proportion() -> None:
    (page,) = rendered(corpus.picture((4000, 3000)), JPEG)

    assert (page.width, page.height) == (2000, 1500)
    assert is_red(opened(page).getpixel((10, 10)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_is_readable(mode: str) -> None:
    value = {"1": 1, "L": 255, "LA": (0, 0), "P": 0, "RGBA": (0, 0, 0, 0), "I;16": 65535}[mode]
    (page,) = rendered(corpus.saved(Image.new(mode, (50, 40), value), "PNG"), PNG)

    expected = 0 if mode == "P" else 255
    assert opened(page).getpixel((20, 20)) == (expected,) * 3


def test_photos_stand_upright_and_lose_every_tag() -> None:
    (page,) = rendered(corpus.photo_with_everything(), JPEG)

    picture = opened(page)
    assert picture.size == (300, 400)
    assert is_red(picture.getpixel((290, 10)))
    assert b"CANARY" not in page.jpeg
    assert dict(picture.getexif()) == {}
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_heic_photos_lose_their_place() -> None:
    (page,) = rendered(corpus.HEIC, HEIC)

    assert b"Exif" in corpus.HEIC
    assert b"Exif" not in page.jpeg
    assert b"ACME" not in page.jpeg


def test_a_pdf_becomes_its_pages() -> None:
    pages = rendered(corpus.pdf(3), PDF)

    assert len(pages) == 3
    assert max(pages[0].width, pages[0].height) == 2000
    assert opened(pages[0]).convert("L").getextrema() == (0, 255)


def test_a_page_of_200_inches_stays_small() -> None:
    (page,) = rendered(corpus.pdf(size=(14_400, 14_400)), PDF)

    assert (page.width, page.height) == (2000, 2000)


def test_a_filled_in_form_field_is_printed() -> None:
    (page,) = rendered(corpus.pdf_with_form_field("3500"), PDF)

    assert opened(page).convert("L").getextrema()[0] < 100


def test_a_pdf_that_is_only_locked_against_changes_is_read() -> None:
    assert len(rendered(corpus.pdf_locked_against_printing(), PDF)) == 1


@pytest.mark.parametrize("action", ["javascript", "launch", "uri", "embedded", "named"])
def test_active_pdfs_leave_pixels_only(action: str) -> None:
    (page,) = rendered(corpus.active_pdf(action), PDF)

    opened(page).load()
    assert page.jpeg.startswith(b"\xff\xd8\xff")
    assert not any(mark in page.jpeg for mark in (b"JavaScript", b"Launch", b"EmbeddedFile", b"evil.exe"))


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (corpus.picture() + corpus.zipped({"a": b"EVIL-PAYLOAD"}), JPEG),
        (corpus.picture(kind="PNG") + b"<?php EVIL-PAYLOAD ?>", PNG),
        (corpus.pdf() + corpus.HTML + b"EVIL-PAYLOAD", PDF),
        (corpus.pdf() + corpus.zipped({"a": b"EVIL-PAYLOAD"}), PDF),
    ],
)
def test_of_polyglots_only_the_picture_is_left(data: bytes, media_type: str) -> None:
    (page,) = rendered(data, media_type)

    opened(page).load()
    assert b"EVIL-PAYLOAD" not in page.jpeg


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (corpus.encrypted_pdf(), PDF, "encrypted"),
        (corpus.pdf(21), PDF, "too_many_pages"),
        (corpus.pdf(0), PDF, "damaged"),
        (b"%PDF-1.7\nnothing", PDF, "damaged"),
        (corpus.page_tree_loop(), PDF, "damaged"),
        (cut(corpus.picture((800, 600))), JPEG, "damaged"),
        (cut(corpus.picture((800, 600), "PNG")), PNG, "damaged"),
        (cut(corpus.HEIC), HEIC, "damaged"),
        (b"\xff\xd8\xff" + b"\0" * 100, JPEG, "damaged"),
        (b"\xff\xd8\xff" + corpus.EICAR, JPEG, "damaged"),
        (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 50, HEIC, "damaged"),
        (corpus.picture(kind="PNG"), JPEG, "damaged"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, media_type: str, reason: str) -> None:
    assert reason_of(data, media_type) == reason


@pytest.mark.slow
def test_bombs_end_in_the_child_and_the_app_stays_flat() -> None:
    image, layers = corpus.image_bomb(), corpus.flate_bomb()
    before = resident()

    image_reason, layers_reason = reason_of(image, PNG), reason_of(layers, PDF)

    assert len(image) < 30_000
    assert len(layers) < 5_000
    assert image_reason == "too_many_pixels"
    assert layers_reason in ("too_complex", "damaged")
    assert resident() - before < 50 * 2**20


def test_a_picture_just_over_the_pixel_limit_is_refused() -> None:
    assert reason_of(corpus.saved(Image.new("1", (8_000, 5_001)), "PNG"), PNG) == "too_many_pixels"
    assert len(rendered(corpus.saved(Image.new("1", (8_000, 5_000)), "PNG"), PNG)) == 1


def test_the_child_knows_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_MASTER_KEY", "canary")
    seen: dict[str, str] = {}
    import subprocess

    started = subprocess.Popen

    def spy(*arguments: object, **options: object) -> object:
        seen.update(options["env"])  # type: ignore[call-overload]
        return started(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", spy)
    rendered(corpus.picture(), JPEG)

    assert set(seen) == {"LANG", "PATH"}
