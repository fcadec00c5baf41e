"""Every sentence is there in every language, and the compiled catalogues are those of the texts."""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path

import pytest
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from portal.web.locale import LOCALES

ROOT = Path(__file__).parent.parent.parent
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "_l": None,
    "_n": (1, 2),
    "N_": None,
    "lazy_gettext": None,
}
METHODS = [
    ("app.py", "python"),
    ("portal/**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("templates/**.txt", "jinja2"),
]


@functools.cache
def used_messages() -> frozenset[str]:
    """Every msgid in the code and the templates."""
    options = {
        "templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"},
        "templates/**.txt": {"trim_blocks": "true", "lstrip_blocks": "true"},
    }
    found = set()
    for folder in ("portal", "templates"):
        for _, _, message, _, _ in extract_from_dir(
            str(ROOT / folder),
            method_map=[(pattern.removeprefix(f"{folder}/"), method) for pattern, method in METHODS],
            options_map={pattern.removeprefix(f"{folder}/"): option for pattern, option in options.items()},
            keywords=KEYWORDS,
        ):
            found.add(message[0] if isinstance(message, tuple) else message)
    return frozenset(found - {""})


def catalogue(locale: str) -> Catalog:
    """The text catalogue of `locale`."""
    with (ROOT / f"translations/{locale}/LC_MESSAGES/messages.po").open("rb") as file:
        return pofile.read_po(file, locale=locale)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_is_translated(locale: str) -> None:
    known = {
        (message.id[0] if isinstance(message.id, tuple | list) else message.id): message
        for message in catalogue(locale)
    }

    missing = sorted(
        text
        for text in used_messages()
        if text not in known or known[text].fuzzy or not any(_texts(known[text].string))
    )

    assert missing == []


@pytest.mark.parametrize("locale", LOCALES)
def test_translations_keep_every_placeholder(locale: str) -> None:
    wrong = []
    for message in catalogue(locale):
        if not message.id:
            continue
        wanted = set(PLACEHOLDER.findall(" ".join(_texts(message.id))))
        for text in _texts(message.string):
            if text and not set(PLACEHOLDER.findall(text)) <= wanted:
                wrong.append((message.id, text))
            if text and not isinstance(message.id, tuple | list) and set(PLACEHOLDER.findall(text)) != wanted:
                wrong.append((message.id, text))

    assert wrong == []


@pytest.mark.parametrize("locale", LOCALES)
def test_compiled_catalogue_is_of_these_texts(locale: str) -> None:
    made = io.BytesIO()
    mofile.write_mo(made, catalogue(locale))

    assert (ROOT / f"translations/{locale}/LC_MESSAGES/messages.mo").read_bytes() == made.getvalue()


def test_no_html_in_messages() -> None:
    assert [text for text in used_messages() if re.search(r"<\w+", text)] == []


def test_traditional_catalogue_has_no_simplified_characters() -> None:
    simplified = set("这们为对说还时个开关门间问国发现实际账户贷款额")
    offenders = [
        text
        for message in catalogue("zh_Hant")
        for text in _texts(message.string)
        if simplified & set(text) - set("款實")
    ]

    assert offenders == []


def _texts(value: object) -> list[str]:
    return list(value) if isinstance(value, tuple | list) else [str(value or "")]
