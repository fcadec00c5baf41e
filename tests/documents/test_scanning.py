"""Photographs of letters: nearly all are read however they were taken, and never a code that is not there."""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Callable

import pypdfium2
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from portal.documents import scanning
from portal.documents.kinds import DEFAULT_LIMITS, Limits
from portal.documents.media import Refused
from portal.documents.rendering import Unreadable
from portal.documents.scan import texts_in
from portal.documents.scanning import Busy, Codes, codes_in
from tests.documents import corpus
from tests.papers.test_letters import LINK, OFFLINE, letter, printed

#: Of each kind of photograph; seven kinds.
EACH = {"quick": 4, "soak": 200}.get(os.environ.get("PORTAL_TEST_PROFILE", ""), 43)
#: A phone held over a page of A4 sees some 200 dots an inch.
SCALE = 200 / 72


def half(picture: Image.Image, _chance: random.Random) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BILINEAR)


def rotated(picture: Image.Image, chance: random.Random) -> Image.Image:
    angle = chance.uniform(0, 360)
    return picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=chance.randrange(256))


def jpeg(picture: Image.Image, _chance: random.Random, quality: int = 40) -> Image.Image:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=quality)
    return Image.open(made).convert("L")


def blurred(picture: Image.Image, chance: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.8, 1.6)))


def dim(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Little light, little contrast, darker to one side, and grain."""
    darker = ImageEnhance.Brightness(ImageEnhance.Contrast(picture).enhance(0.5)).enhance(0.35)
    shade = Image.linear_gradient("L").resize(picture.size).rotate(chance.choice((0, 90, 180, 270)))
    shaded = Image.blend(darker, Image.eval(shade, lambda value: value // 4), 0.3)
    grain = Image.effect_noise(picture.size, chance.uniform(4, 8))
    return Image.blend(shaded, grain, 0.06)


def aslant(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Seen from one side: each corner up to a tenth of the page away from where it belongs."""
    wide, high = picture.size
    corners = [(0, 0), (0, high), (wide, high), (wide, 0)]
    seen = [
        (
            x + chance.uniform(-0.1, 0) * wide * (1 if x == 0 else -1),
            y + chance.uniform(-0.1, 0) * high * (1 if y == 0 else -1),
        )
        for x, y in corners
    ]
    return picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        _perspective(corners, seen),
        Image.Resampling.BICUBIC,
        fillcolor=90,
    )


KINDS: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "straight": lambda picture, _chance: picture,
    "rotated": rotated,
    "half the size": half,
    "JPEG quality 40": jpeg,
    "blurred": blurred,
    "dim": dim,
    "aslant": aslant,
}


@pytest.fixture(scope="module")
def pages() -> list[Image.Image]:
    """The first page of a visit notice and of letters in two languages, as they are printed."""
    made = [printed(letter("zh", visit=True), "zh"), printed(letter("zh"), "zh"), printed(letter("en"), "en")]
    return [pypdfium2.PdfDocument(content)[0].render(scale=SCALE).to_pil().convert("L") for content in made]


@pytest.mark.slow
def test_letters_are_read_however_they_were_photographed(pages: list[Image.Image]) -> None:
    read, strange = Counter[str](), []
    for kind, change in KINDS.items():
        for seed in range(EACH):
            chance = random.Random(f"{kind}{seed}")
            found = texts_in(change(pages[seed % len(pages)], chance))
            read[f"{kind}: link"] += LINK in found
            read[f"{kind}: offline"] += OFFLINE in found
            strange += [text for text in found if text not in (LINK, OFFLINE, "")]

    rates = "\n".join(f"{name:28} {count:4} of {EACH}" for name, count in read.items())
    print(rates)
    assert strange == [], rates
    for code in ("link", "offline"):
        total = sum(count for name, count in read.items() if name.endswith(code))
        assert total >= 0.95 * EACH * len(KINDS), rates


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_of_each_kind_is_read_in_the_child(pages: list[Image.Image], kind: str) -> None:
    assert codes_in(_file(pages[0], kind), limits=DEFAULT_LIMITS) == Codes((LINK, OFFLINE), False)


def test_a_picture_without_a_code_has_none() -> None:
    assert codes_in(corpus.HEIC, limits=DEFAULT_LIMITS) == Codes((), False)
    assert codes_in(corpus.picture(), limits=DEFAULT_LIMITS) == Codes((), False)


def test_a_code_pasted_over_another_is_the_one_that_is_told(pages: list[Image.Image]) -> None:
    import segno

    sticker = io.BytesIO()
    segno.make("https://evil.example/n/1", error="m").save(sticker, kind="png", scale=8, border=4)
    page = pages[0].copy()
    page.paste(Image.open(sticker).convert("L"), (60, 60))

    assert set(texts_in(page)) == {LINK, OFFLINE, "https://evil.example/n/1"}


def test_a_code_that_is_seen_and_not_read_is_told(pages: list[Image.Image]) -> None:
    import segno

    drawn = io.BytesIO()
    segno.make("https://evil.example/" + "n" * 60, error="l").save(drawn, kind="png", scale=8, border=4)
    spoilt = Image.open(drawn).convert("L")
    spoilt.paste(128, (spoilt.width // 3, spoilt.height // 3, spoilt.width * 3 // 4, spoilt.height * 3 // 4))
    page = pages[0].copy()
    page.paste(spoilt, (60, 60))

    assert set(texts_in(page)) == {LINK, OFFLINE, ""}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "pdf"),
        (b"GIF89a", "gif"),
        (b"PK\3\4word/", "office"),
        (b"<html>", "web"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        codes_in(data, limits=DEFAULT_LIMITS)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, DEFAULT_LIMITS, "damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", DEFAULT_LIMITS, "damaged"),
        (corpus.picture(), Limits(pixels=1000), "too_many_pixels"),
    ],
)
def test_what_cannot_be_opened_says_why(data: bytes, limits: Limits, reason: str) -> None:
    with pytest.raises(Unreadable) as unreadable:
        codes_in(data, limits=limits)

    assert unreadable.value.reason == reason


def test_nobody_waits_long_for_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "WAIT_SECONDS", 0.01)
    turns = [scanning._turns.acquire(blocking=False) for _ in range(scanning.CHILDREN)]
    try:
        with pytest.raises(Busy):
            codes_in(corpus.picture(), limits=DEFAULT_LIMITS)
    finally:
        for _ in filter(None, turns):
            scanning._turns.release()


def _file(picture: Image.Image, kind: str) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind)
    return made.getvalue()


def _perspective(onto: list[tuple[int, int]], seen: list[tuple[float, float]]) -> list[float]:
    """The eight numbers of the projection that takes `onto` to `seen`, by elimination."""
    rows = []
    for (x, y), (u, v) in zip(onto, seen):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for at in range(8):
        best = max(range(at, 8), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for row in range(8):
            if row != at:
                rows[row] = [one - rows[row][at] * other for one, other in zip(rows[row], rows[at])]
    return [row[8] for row in rows]
