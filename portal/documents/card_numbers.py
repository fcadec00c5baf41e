"""Finding payment card numbers in what people type, so that none is ever stored. Pure.

A card number is 13 to 19 digits that pass the Luhn check, however it is spaced and in whatever
digits it is written. Amounts and dates standing side by side are not one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

SHORTEST, LONGEST = 13, 19

#: What may stand between two groups of one number: a few spaces, dashes and invisible characters, or
#: single points throughout. Points are apart because amounts with cents stand beside each other too.
_GAPS = (re.compile(r"[\s_·・/\\|~\-‐-―−\u200b-\u200f\u2060\ufeff]{1,3}"), re.compile(r"\."))
_DIGITS = re.compile(r"[0-9]+")
_DATE = re.compile(r"(?<![0-9])(?<![0-9][-/.])(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![-/.]?[0-9])")


def has_card_number(text: str) -> bool:
    """Whether a card number can be read out of `text`.

    >>> has_card_number("卡号 ４１１１ 1111-1111 1111"), has_card_number("贷款 L240901371，还 1,396.51")
    (True, False)
    """
    plain = _plain(text)
    return any(_luhn_ok(digits) for gap in _GAPS for digits in _candidates(plain, gap))


def without_card_number(text: str, instead: str = "") -> str:
    """`text`, or `instead` when it holds a card number."""
    return instead if has_card_number(text) else text


def _plain(text: str) -> str:
    """Every decimal digit as ASCII; dates made unreadable as digits."""
    folded = unicodedata.normalize("NFKC", text)
    digits = "".join(
        str(unicodedata.decimal(character)) if unicodedata.category(character) == "Nd" else character
        for character in folded
    )
    return _DATE.sub("日", digits)


def _candidates(text: str, gap: re.Pattern[str]) -> Iterator[str]:
    """Every run of neighbouring groups, and every stretch of a longer run, of a card number's length."""
    for groups in _neighbours(text, gap):
        for first in range(len(groups)):
            joined = ""
            for group in groups[first:]:
                joined += group
                if len(joined) > LONGEST:
                    break
                if len(joined) >= SHORTEST:
                    yield joined
        yield from _inside(group for group in groups if len(group) > LONGEST)


def _inside(groups: Iterator[str]) -> Iterator[str]:
    for group in groups:
        for length in (16, 19):
            yield from (group[at : at + length] for at in range(len(group) - length + 1))


def _neighbours(text: str, gap: re.Pattern[str]) -> Iterator[list[str]]:
    groups: list[str] = []
    end = 0
    for match in _DIGITS.finditer(text):
        if groups and gap.fullmatch(text, end, match.start()) is None:
            yield groups
            groups = []
        groups.append(match.group())
        end = match.end()
    if groups:
        yield groups


def _luhn_ok(digits: str) -> bool:
    if len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
