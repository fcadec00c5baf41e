"""Every character we print is in a font; one that is not is seen as its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.papers import characters

ROOT = Path(__file__).parent.parent.parent
#: Names that systems of banks stumble over: rare, outside the basic plane, with a middle dot.
NAMES = [
    "䶮", "㛃", "堃", "喆", "犇", "煊", "禤", "镕", "玥", "媸", "龑", "㵪", "𬭎", "𬬮", "𬤊", "𫖯", "𨱏", "𠅤",
    "阿依古丽·买买提", "濵田", "李喬", "鄧麗君",
]  # fmt: skip
SIGNS = "0123456789,.+−-–—·…()（）《》“”‘’「」【】，。、；：？！¥￥$€£%％‰№①②③×÷≤≥→Àéñüß"
FOR = {"zh": "SC", "zh_Hant": "TC", "en": "SC"}


def catalogue(language: str) -> set[str]:
    text = (ROOT / f"translations/{language}/LC_MESSAGES/messages.po").read_text(encoding="utf-8")
    return {character for character in text if character.isprintable()}


@pytest.mark.parametrize("language", FOR)
def test_every_character_of_a_catalogue_is_in_a_font(language: str) -> None:
    assert characters.missing("".join(catalogue(language))) == ()


@pytest.mark.parametrize("weight", ["Regular", "Bold"])
@pytest.mark.parametrize("language", ["zh", "zh_Hant"])
def test_each_script_has_its_own_shapes_in_both_weights(language: str, weight: str) -> None:
    (path,) = (p for p in characters.font_files() if p.stem == f"NotoSans{FOR[language]}-{weight}")
    chinese = {ord(c) for c in catalogue(language) if 0x3400 <= ord(c) <= 0x9FFF}

    assert len(chinese) > 700
    # new words may bring a few that come from the other file; more than these, and the fonts are made again
    assert len(chinese - characters.covered(path)) <= len(chinese) // 30


@pytest.mark.parametrize("name", NAMES)
def test_a_rare_name_is_drawn(name: str) -> None:
    assert characters.missing(name) == ()


def test_signs_and_the_common_characters_are_drawn() -> None:
    common = "".join(
        bytes([a, b]).decode("gbk", "ignore") for a in range(0x81, 0xFE) for b in range(0x40, 0xFF)
    )
    chinese = "".join(c for c in common if "\u4e00" <= c <= "\u9fff")

    assert len(set(chinese)) > 20_000
    assert characters.missing(chinese + SIGNS) == ()


def test_what_no_font_draws_stands_as_its_number() -> None:
    assert characters.spelled_out("王\U0002b1a1\U0001f600") == "王〔U+2B1A1〕〔U+1F600〕"
    data, lost = characters.spelled({"lines": ["王\U0001f600", {"name": ("\U0001f600",)}], "count": 2})

    assert data == {"lines": ["王〔U+1F600〕", {"name": ["〔U+1F600〕"]}], "count": 2}
    assert lost == ("\U0001f600",)


def test_an_emptied_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.otf").write_bytes(
        b"OTTO\0\1" + bytes(6) + b"cmap" + bytes(4) + b"\0\0\0\x1c\0\0\0\x04" + bytes(4)
    )

    with pytest.raises(ValueError, match="character map"):
        characters.covered(tmp_path / "none.otf")
