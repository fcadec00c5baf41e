"""What a letter must say before it may be printed: the contents of art. 69, each by its name. Pure.

The words are the caller's, in the language of the letter; this module sees that none of the contents is
missing, and that the first page, which anybody in the house may read, holds no amount.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Measures on commercial banks' credit-card business, art. 69: name and balance stand before these.
ARTICLES = ("reason", "consequences", "how")
#: Anything that looks like an amount of money.
_AMOUNT = re.compile(r"[¥￥$€£]\s?[0-9]|[0-9][0-9,]*\.[0-9]{2}(?![0-9])|[0-9]\s?(?:元|圆|圓|yuan|CNY|RMB)")


class IncompleteLetter(ValueError):
    """A letter lacks something it must say, or says on its first page what it must not; the message names it."""


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code of a letter: the drawing, what a screen reader says, and the words below it."""

    drawing: str
    alt: str
    label: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading with what stands below it: numbered steps, or paragraphs; `strong` is the sentence among them
    that must not be missed, set after the first."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    strong: str = ""

    def data(self) -> dict[str, Any]:
        """As the template reads it."""
        steps = {"steps": list(self.steps)} if self.steps else {}
        made = {"heading": self.heading, "paragraphs": list(self.paragraphs), "strong": self.strong}
        return made | steps


@dataclass(frozen=True, slots=True)
class Cover:
    """The first page: how to make sure that the letter is ours, the code word, the two QR codes."""

    heading: str
    paragraphs: tuple[str, ...]
    code_label: str
    code: str
    link: Code
    offline: Code
    passages: tuple[Passage, ...]
    warning: tuple[str, str] | None = None
    #: what helps whoever copies or reads the code aloud
    code_note: str = ""


@dataclass(frozen=True, slots=True)
class Inside:
    """The second page. `articles` has a passage for each of ARTICLES: reason and legal basis; consequences and
    rights; how to check, repay, object and submit evidence."""

    heading: str
    lead: str
    figure: Mapping[str, str]
    table: Mapping[str, Any]
    articles: Mapping[str, Passage]
    contact: Passage
    validity: str
    seal: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter or a visit notice. `sheet` is what every paper has around it (title, bank, corner, foot, running);
    `visit` holds the facts of a visit, none for a letter; a letter always has an inside."""

    sheet: Mapping[str, Any]
    address: tuple[str, ...]
    recipient: str
    recipient_mark: str
    cover: Cover
    inside: Inside | None
    visit: tuple[tuple[str, str], ...] = ()


def letter_data(letter: Letter) -> tuple[str, dict[str, Any]]:
    """The template of a letter and its data. Raises IncompleteLetter."""
    if not letter.visit and letter.inside is None:
        raise IncompleteLetter("a letter without its second page")
    data: dict[str, Any] = {
        **letter.sheet,
        "address": list(letter.address),
        "recipient": {"name": _said("recipient", letter.recipient), "mark": letter.recipient_mark},
        "cover": _cover(letter.cover),
    }
    if letter.visit:
        data["visit"] = [[name, _said(name, value)] for name, value in letter.visit]
    _no_amount(data["cover"])
    _no_amount(data.get("visit", []))
    if letter.inside is not None:
        data["inside"] = _inside(letter.inside)
    return ("visit" if letter.visit else "letter"), data


def _cover(cover: Cover) -> dict[str, Any]:
    made: dict[str, Any] = {
        "heading": _said("heading", cover.heading),
        "paragraphs": list(cover.paragraphs),
        "code": {"label": cover.code_label, "text": _said("code", cover.code), "note": cover.code_note},
        "link": _code(cover.link),
        "offline": _code(cover.offline),
        "sections": [passage.data() for passage in cover.passages],
    }
    if cover.warning is not None:
        made["warning"] = {"lead": cover.warning[0], "rest": cover.warning[1]}
    return made


def _inside(inside: Inside) -> dict[str, Any]:
    lacking = [name for name in ARTICLES if not _says(inside.articles.get(name))]
    if lacking:
        raise IncompleteLetter(f"nothing on {', '.join(lacking)}")
    if not _says(inside.contact) or not inside.table.get("rows"):
        raise IncompleteLetter("no contact or no balance")
    return {
        "heading": inside.heading,
        "lead": _said("lead", inside.lead),
        "figure": dict(inside.figure),
        "table": dict(inside.table),
        "articles": [inside.articles[name].data() for name in ARTICLES],
        "contact": {"heading": inside.contact.heading, "lines": list(inside.contact.paragraphs)},
        "validity": inside.validity,
        "seal": dict(inside.seal),
    }


def _code(code: Code) -> dict[str, str]:
    return {"drawing": code.drawing, "alt": code.alt, "label": code.label}


def _says(passage: Passage | None) -> bool:
    return passage is not None and any(text.strip() for text in (*passage.paragraphs, *passage.steps))


def _said(name: str, text: str) -> str:
    if not text.strip():
        raise IncompleteLetter(f"no {name}")
    return text


def _no_amount(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name != "drawing":
                _no_amount(part)
    elif isinstance(value, list):
        for part in value:
            _no_amount(part)
    elif isinstance(value, str) and _AMOUNT.search(value):
        raise IncompleteLetter("an amount on the first page")
