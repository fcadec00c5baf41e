"""The two words of a visit: what the visitor must say first, and what the borrower then answers.

Pure. Each side's word follows from a keyed digest over the visit, the side and the slot of five minutes
the instant lies in; the key is outside the database, so that nobody who reads the database knows a word.
The lists of the two sides share no word: whoever hears one and says it back has not said the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

#: A word is said for so long. The one before still counts for as long again (one slot of grace).
SLOT_SECONDS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Side(StrEnum):
    """Whose word it is."""

    VISITOR = "visitor"
    BORROWER = "borrower"


@dataclass(frozen=True)
class Word:
    """One word in every language: two people with pages in different languages still agree."""

    zh: str
    zh_hant: str
    en: str

    def said(self, locale: str) -> str:
        """The word as a page in `locale` shows it."""
        return {"zh": self.zh, "zh_Hant": self.zh_hant}.get(locale, self.en)

    def also(self, locale: str) -> str:
        """The same word for who speaks the other language."""
        return self.zh if locale == "en" else self.en


@dataclass(frozen=True)
class Pair:
    """A side's word now, and the one of the slot before, which still counts."""

    now: Word
    before: Word


@dataclass(frozen=True)
class Words:
    """Both sides' words at one instant. `changes_at` is when both become others."""

    visitor: Pair
    borrower: Pair
    changes_at: datetime


#: A keyed digest of a text as hex digits; `Keys.digest` with its purpose filled in.
Digest = Callable[[str], str]


def words_at(digest: Digest, visit_ref: str, instant: datetime) -> Words:
    """Both words of the visit `visit_ref` at `instant` (aware)."""
    slot = slot_of(instant)
    return Words(
        visitor=_pair(digest, visit_ref, Side.VISITOR, slot),
        borrower=_pair(digest, visit_ref, Side.BORROWER, slot),
        changes_at=_EPOCH + timedelta(seconds=(slot + 1) * SLOT_SECONDS),
    )


def slot_of(instant: datetime) -> int:
    """The number of the five minutes an instant lies in.

    >>> slot_of(datetime(1970, 1, 1, 0, 4, 59, tzinfo=UTC)), slot_of(datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
    (0, 1)
    """
    return (instant - _EPOCH) // timedelta(seconds=SLOT_SECONDS)


def place_of(digest: Digest, visit_ref: str, side: Side, slot: int, count: int) -> int:
    """Which of `count` words it is (3 at least): each as likely as any other, and never that of the slot before.

    Even slots draw freely. An odd slot draws from what its two neighbours left; as the neighbours are
    uniform, so is what is drawn from the rest.
    """
    if slot % 2 == 0:
        return _drawn(digest, visit_ref, side, slot, count)
    taken = {_drawn(digest, visit_ref, side, near, count) for near in (slot - 1, slot + 1)}
    left = [place for place in range(count) if place not in taken]
    return left[_drawn(digest, visit_ref, side, slot, len(left))]


def _pair(digest: Digest, visit_ref: str, side: Side, slot: int) -> Pair:
    words = lists()[side]
    now, before = (words[place_of(digest, visit_ref, side, which, len(words))] for which in (slot, slot - 1))
    return Pair(now, before)


def _drawn(digest: Digest, visit_ref: str, side: Side, slot: int, count: int) -> int:
    """A number below `count` out of 256 bits: which one is as good as even."""
    return int(digest(f"{visit_ref}\0{side}\0{slot}"), 16) % count


@functools.cache
def lists() -> dict[Side, tuple[Word, ...]]:
    """The words of each side, read once."""
    found: dict[Side, list[Word]] = {side: [] for side in Side}
    for line in Path(__file__).with_name("words.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        side, *word = line.split("\t")
        found[Side(side)].append(Word(*word))
    return {side: tuple(words) for side, words in found.items()}
