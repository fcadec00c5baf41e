"""A paper is its data and nothing else: the same bytes, no markup from outside, no empty box."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import papers
from portal.papers import qr
from tests.papers.reading import read

MADE = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def data(**changed: Any) -> dict[str, Any]:
    """A statement with one line."""
    return {
        "title": "Statement S-1",
        "bank": {"name": "港湾银行", "other_name": "Harbour Bank", "accent": "#0b5a6e"},
        "corner": ["No. S-1"],
        "foot": "The foot.",
        "heading": "Statement",
        "lines": ["Customer 林*"],
        "sections": [
            {
                "heading": "Part",
                "table": {
                    "columns": ["fill", "number"],
                    "head": ["Part", "Left"],
                    "rows": [["Principal", "1,234.50"]],
                    "foot": ["Total", "1,234.50"],
                },
            }
        ],
        "proof": {
            "heading": "Proof",
            "paragraphs": [],
            "facts": [["Reference", "S-1"]],
            "qr": {"drawing": qr.drawing("https://my.harbour.example/statement/S-1"), "alt": "Check it"},
        },
    } | changed


def made(language: str = "zh", **changed: Any) -> bytes:
    return papers.render("statement", data(**changed), language=language, timestamp=MADE)


def test_the_same_data_gives_the_same_bytes_and_any_change_others() -> None:
    first = made()

    assert made() == first
    assert made("zh_Hant") != first
    assert made(heading="Statements") != first
    later = papers.render("statement", data(), language="zh", timestamp=MADE.replace(second=1))
    assert later != first


def test_it_is_archivable_tagged_and_says_its_language_and_title() -> None:
    for language, tag in (("zh", b"zh-CN"), ("zh_Hant", b"zh-HK"), ("en", b"en-GB")):
        raw = made(language)
        assert b"/Lang(" + tag + b")" in raw.replace(b"/Lang (", b"/Lang(")
        assert b"<pdfaid:part>3</pdfaid:part>" in raw
        assert b"<pdfuaid:part>1</pdfuaid:part>" in raw
        assert b"/StructTreeRoot" in raw
        assert b"Statement S-1" in raw


@pytest.mark.parametrize(
    "hostile",
    [
        '#read("/etc/passwd")',
        "$x^2$",
        "*bold* _it_ `raw`",
        "= Heading",
        "@label <label>",
        "\\u{41}",
        "// gone",
        "#panic()",
    ],
)
def test_nothing_in_the_data_is_markup(hostile: str) -> None:
    assert hostile.replace(" ", "") in read(made(lines=[hostile], heading=hostile)).solid


def test_a_character_without_a_glyph_is_named_before_anything_is_drawn() -> None:
    with pytest.raises(papers.NotDrawn) as caught:
        made(heading="王\U0001f600")

    assert caught.value.characters == ("\U0001f600",)
    assert str(caught.value) == "no glyph for U+1F600"


def test_rare_characters_keep_their_glyph_in_bold() -> None:
    assert "䶮堃𬭎" in read(made(heading="䶮堃𬭎")).solid


def test_no_floats_on_paper() -> None:
    with pytest.raises(TypeError):
        made(lines=[1.5])


def test_long_tables_repeat_their_head_and_every_page_is_numbered() -> None:
    rows = [[f"Row {number}", f"{number:,}.00"] for number in range(200)]
    table = {
        "columns": ["fill", "number"],
        "head": ["HeadWord", "Left"],
        "rows": rows,
        "foot": ["Total", "1.00"],
    }
    seen = read(made("en", sections=[{"heading": "Part", "table": table}]))

    assert len(seen.pages) > 3
    for number, page in enumerate(seen.pages, start=1):
        assert f"{number} / {len(seen.pages)}" in page
        assert ("Row " in page) == ("HeadWord" in page)
        assert "The foot." in page
    assert all("No. S-1" in page for page in seen.pages)


def test_papers_are_made_side_by_side() -> None:
    made_here: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda at=at: made_here.update({at: made(heading=f"No {at % 4}")}))  # type: ignore[misc]
        for at in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made_here) == 8
    assert all(made_here[at] == made_here[at % 4] for at in range(8))


@pytest.mark.parametrize("place", range(0, 86, 5))
def test_a_signature_can_be_copied_whatever_hyphens_are_in_it(place: int) -> None:
    signature = ("x" * place + "-_-" + "y" * 86)[:85] + "Q"
    proof = data()["proof"] | {"facts": [["Signature", signature, "11"], ["Key", "k"]]}

    assert signature in read(made("en", proof=proof)).solid
