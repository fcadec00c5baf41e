"""Texts as people and phones change them, brought to one form that can be compared. Pure.

Folded away: width and case, spaces and line breaks in Chinese, quotation marks, characters without a
shape, traditional for simplified, one stop or comma for another. Kept: every other character, so that
a letter of another script, a stroke drawn through a word, a raised digit stay what they are and are
found out; and every space between two characters of an address, where it would end the address.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path

_DATA = Path(__file__).with_name("data")
#: Marks that stand for one another, after compatibility normalisation (which makes full-width ASCII).
_LIKE = {
    **dict.fromkeys("、;﹐", "，"),
    "｡": "。",
    **dict.fromkeys("(﹙〔", "（"),
    **dict.fromkeys(")﹚〕", "）"),
    **dict.fromkeys("‐‑‒–—−", "-"),
    **dict.fromkeys("〖[", "【"),
    **dict.fromkeys("〗]", "】"),
    "〜": "~",
}
_QUOTES = frozenset("\"'“”„‟‘’‚‛「」『』《》〈〉«»‹›`´′″")
#: Characters that change the order in which others are read: no message of ours has one.
ORDER_CHANGERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
#: Compatibility forms that read as what they stand for; a raised or circled digit does not.
_SAME_WHEN_READ = ("<wide>", "<narrow>", "<compat>", "<noBreak>", "<font>", "<small>", "<vertical>")
_SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
#: A mark of ASCII where Chinese, a space or an end is beside it is the same as the full-width one, a comma
#: everywhere but between digits. A stop between a letter and Chinese stays: it may go on with an address.
_STOPS = re.compile(
    r",(?![0-9])|(?<![0-9]),|[:!?](?![!-~])|(?<![!-~])[:!?]"
    r"|(?<!\.)\.(?= |$)|(?<=[^\x00-\x7f])(?<!\.)\.(?![!-~])|(?<=[ ])\.(?![!-~])"
)
_STOP_OF = {",": "，", ".": "。", ":": "：", "!": "！", "?": "？"}
#: A space counts only between two characters of ASCII, and there not between two digits, unless the first ends an
#: amount: in a row of a table the next one begins.
_SPACES = re.compile(r" +(?=[^\x00-\x7f])|(?<=[^\x00-\x7f]) +|(?<=[0-9])(?<!\.[0-9][0-9]) +(?=[0-9])|^ +| +$")
_RUNS = re.compile(r"(?<= ) +")


class _Folding(dict[int, str]):
    """What each character becomes, found out once for each."""

    def __missing__(self, code: int) -> str:
        made = "".join(_folded(part) for part in _plain(chr(code)))
        self[code] = made
        return made


def _plain(character: str) -> str:
    """The compatibility form, where it reads the same."""
    parts = unicodedata.decomposition(character)
    if parts.startswith("<") and not parts.startswith(_SAME_WHEN_READ):
        return character
    return unicodedata.normalize("NFKC", character)


@functools.cache
def _simplified() -> dict[str, str]:
    lines = (_DATA / "simplified.txt").read_text(encoding="utf-8").splitlines()
    pairs = "".join(line for line in lines if not line.startswith("#"))
    return dict(zip(pairs[0::2], pairs[1::2], strict=True))


def _folded(character: str) -> str:
    if character.isspace():
        return " "
    if character in _QUOTES or _SHAPELESS.match(character):
        return ""
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co"):
        return ""
    plain = _LIKE.get(character, character)
    return _simplified().get(plain, plain).lower()


_TABLE = _Folding()


def fold(text: str) -> str:
    """`text` in the form that is compared.

    >>> fold("【港灣銀行】您有一份服務通知，查詢碼 7KQF－3MWD-2A9RB。")
    '【港湾银行】您有一份服务通知，查询码7kqf-3mwd-2a9rb。'
    >>> fold("Please open\\n my.harbour.example .") == fold("please open my.harbour.example.")
    True
    >>> fold("my.harbour.example. To check"), fold("my.harbour.example.to check")
    ('my.harbour.example。to check', 'my.harbour.example.to check')
    """
    made = _RUNS.sub("", text.translate(_TABLE))
    return _SPACES.sub("", _STOPS.sub(_stop, made.strip(" ")))


def _stop(found: re.Match[str]) -> str:
    return _STOP_OF[found.group()]


def fold_lines(text: str) -> str:
    r"""As `fold`, line by line; the lines that say something, with a line end between.

    >>> fold_lines("Sign in at\n my.harbour.example \n\n。")
    'sign in at\nmy.harbour.example\n。'
    """
    return "\n".join(filter(None, map(fold, text.splitlines())))


def fold_with_places(text: str) -> tuple[str, list[int]]:
    """As `fold`, and for each character of the result the place in `text` it came from."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for one in _TABLE[ord(character)]:
            characters.append(one)
            places.append(place)
    made, places = _without(_RUNS, "".join(characters), places)
    made, places = _without(re.compile("^ +| +$"), made, places)
    return _without(_SPACES, _STOPS.sub(_stop, made), places)


def _without(pattern: re.Pattern[str], text: str, places: list[int]) -> tuple[str, list[int]]:
    gone = {place for found in pattern.finditer(text) for place in range(*found.span())}
    if not gone:
        return text, places
    kept = [at for at in range(len(text)) if at not in gone]
    return "".join(text[at] for at in kept), [places[at] for at in kept]


def changes_order(text: str) -> bool:
    """Whether `text` holds a character that makes it read otherwise than it is written."""
    return not text.isascii() and not ORDER_CHANGERS.isdisjoint(text)


@functools.cache
def _look_alikes() -> dict[int, str]:
    lines = (_DATA / "look_alikes.txt").read_text(encoding="utf-8").splitlines()
    table: dict[int, str] = {}
    for line in lines:
        if not line.startswith("#"):
            table |= {ord(other): line[0] for other in line[2:]}
    return table | {ord("1"): "l", ord("0"): "o", ord("|"): "l"}


def skeleton(text: str) -> str:
    """What a host or word looks like: two that look the same have the same skeleton.

    >>> skeleton("my.hаrb0ur.example") == skeleton("my.harbour.example")
    True
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_look_alikes())
    return plain.replace("rn", "m").replace("vv", "w").replace("i", "l")
