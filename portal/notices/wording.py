"""The words that must not be read where somebody else may be reading. Pure but for its own list."""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path

_LIST = Path(__file__).with_name("forbidden_words.toml")


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    data = tomllib.loads(_LIST.read_text(encoding="utf-8"))
    latin = "|".join(re.escape(word) for word in data["words_en"])
    han = "|".join(re.escape(word) for word in (*data["words_zh"], *data["words_zh_hant"]))
    words = re.compile(rf"(?<![A-Za-z])(?:{latin})(?![A-Za-z])|{han}", re.IGNORECASE)
    return words, re.compile("|".join(f"(?:{pattern})" for pattern in data["amounts"]))


def forbidden_words_in(text: str) -> tuple[str, ...]:
    """The debt-like words in `text`, in their order; empty when a neighbour may read it.

    >>> forbidden_words_in("You have a service notice."), forbidden_words_in("Your Loan is overdue")
    ((), ('Loan', 'overdue'))
    """
    return tuple(match.group() for match in _patterns()[0].finditer(text))


def amounts_in(text: str) -> tuple[str, ...]:
    """What reads as an amount of money in `text`.

    >>> amounts_in("20704.59 or ¥30, not 2026-11-20 08:00")
    ('20704.59', '¥3')
    """
    return tuple(match.group() for match in _patterns()[1].finditer(text))


def may_be_seen(text: str) -> bool:
    """Whether `text` may stand on a screen that anybody can see: no debt-like word, no amount."""
    return not forbidden_words_in(text) and not amounts_in(text)
