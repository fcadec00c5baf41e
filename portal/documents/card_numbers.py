"""Finding payment card numbers in what people type, so that none is ever stored. Pure.

A card number is 13 to 19 digits that pass the Luhn check, however it is spaced and in whatever
digits it is written. Amounts and dates standing side by side are not one.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

SHORTEST, LONGEST = 13, 19

#: What may stand between two groups of one number: a few spaces, dashes and invisible characters, or
#: single points throughout. Points are apart because amounts with cents stand beside each other too.
_GAPS = (re.compile(r"[\s_·・/\\|~\-‐-―−\u200b-\u200f\u2060\ufeff]{1,3}"), re.compile(r"\."))
_DIGITS = re.compile(r"[0-9]+")
_DATE = re.compile(r"(?<![0-9])(?<![0-9][-/.])(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?![-/.]?[0-9])")

#: Every decimal digit of every script, as ASCII.
_ASCII_DIGITS = {
    code: str(unicodedata.decimal(chr(code)))
    for code in range(128, sys.maxunicode + 1)
    if unicodedata.category(chr(code)) == "Nd"
}


def has_card_number(text: str) -> bool:
    """Whether a card number can be read out of `text`.

    >>> has_card_number("卡号 ４１１１ 1111-1111 1111"), has_card_number("贷款 L240901371，还 1,396.51")
    (True, False)
    """
    plain = _plain(text)
    return any(_holds_one(groups) for gap in _GAPS for groups in _neighbours(plain, gap))


def without_card_number(text: str, instead: str = "") -> str:
    """`text`, or `instead` when it holds a card number."""
    return instead if has_card_number(text) else text


def _plain(text: str) -> str:
    """Every decimal digit as ASCII; dates made unreadable as digits."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_ASCII_DIGITS)
    return _DATE.sub("日", folded)


def _holds_one(groups: Sequence[str]) -> bool:
    """Whether neighbouring groups together, or a stretch of a longer group, are a card number.

    In time that grows with the text alone: the sum of every stretch is the difference of two sums.
    """
    digits = "".join(groups)
    if len(digits) < SHORTEST:
        return False
    sums = _sums(digits)
    ends = list(accumulate(map(len, groups)))
    starts = [0, *ends[:-1]]
    for start in starts:
        first = bisect_left(ends, start + SHORTEST)
        for end in ends[first : first + LONGEST]:
            if end - start > LONGEST:
                break
            if _luhn_ok(digits, sums, start, end):
                return True
    return any(
        _luhn_ok(digits, sums, at, at + length)
        for start, end in zip(starts, ends, strict=True)
        if end - start > LONGEST
        for length in (16, 19)
        for at in range(start, end - length + 1)
    )


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


def _sums(digits: str) -> tuple[list[int], list[int]]:
    """Running sums of the digits as Luhn counts them, every even place doubled, and every odd one."""
    single = [int(digit) for digit in digits]
    double = [2 * value - 9 if value > 4 else 2 * value for value in single]
    even = [double[at] if at % 2 == 0 else single[at] for at in range(len(single))]
    odd = [single[at] if at % 2 == 0 else double[at] for at in range(len(single))]
    return [0, *accumulate(even)], [0, *accumulate(odd)]


def _luhn_ok(digits: str, sums: tuple[list[int], list[int]], start: int, end: int) -> bool:
    """Whether the digits from `start` to `end` pass: the one before the last is doubled, and every second."""
    running = sums[end % 2]
    if (running[end] - running[start]) % 10:
        return False
    return digits.count(digits[start], start, end) < end - start
