"""What honest people and their phones make of a genuine text without meaning anything by it; by a seeded generator."""

from __future__ import annotations

import functools
import random
import re
import textwrap
from collections.abc import Callable

from portal.access import codes
from portal.content.folding import _simplified
from tests.notices.book import Printed

Mangler = Callable[[random.Random, str, Printed], str]
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_QUOTES = ("“{}”", "「{}」", "《{}》", "'{}'", '"{}"', "『{}』")
_ABOVE = (
    "{sender}\n", "{sender}\n今天 14:10\n", "今天 下午2:05\n", "2026年11月1日 星期日\n", "2026-11-01 14:10\n", "周一 09:30\n", "发件人：{sender}\n",
    "11月1日 上午9:05\n", "昨天 20:15\n",
)  # fmt: skip
_ABOVE_EN = (
    "Today 14:10\n",
    "Today, 2:05 PM\n",
    "Yesterday at 20:15\n",
    "Text Message\nToday 2:05 PM\n",
    "2026-11-01 14:10\n",
    "{sender}\n",
)
_BEFORE_EN = ("Fwd: ", "FW: ", "Forwarded message: ", "> ", "SMS: ", "Message: ")
_AFTER_EN = (
    "\nSent from my iPhone",
    " Reply STOP to opt out.",
    "\n14:10",
    "\nToday 2:05 PM",
    "...",
    " Sent from my Galaxy",
)
_BEFORE = (
    "转发：",
    "Fwd: ",
    "FW：",
    "转：",
    "【转发】".replace("【", "").replace("】", "："),
    "> ",
    "短信：",
    "收到一条短信：",
    "内容：",
)
_AFTER = (
    " 退订回T",
    "拒收请回复R",
    "\n14:10",
    "\n今天 14:10",
    " 回复TD退订",
    "\n发自我的iPhone",
    "\nSent from my iPhone",
    "……",
    "...",
)


def _between(chance: random.Random, text: str, put: str, most: int) -> str:
    for _ in range(chance.randrange(1, most)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + put + text[at:]
    return text


def _lines(chance: random.Random, text: str, one: Printed) -> str:
    """Line breaks anywhere: within words, numbers and links too; on paper where a word ends."""
    if one.is_paper:
        return re.sub(" ", lambda _: "\n" if chance.random() < 0.02 else " ", text)
    return _between(chance, text, chance.choice(("\n", "\r\n")), 6)


def _wrapped(chance: random.Random, text: str, one: Printed) -> str:
    if one.is_paper:  # a mail program breaks lines between words
        width = chance.randrange(30, 80)
        return "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in text.splitlines()
        )
    width = chance.randrange(8, 40)
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def _spaces(chance: random.Random, text: str, one: Printed) -> str:
    """Spaces around Chinese characters and marks, and in long numbers; in English, wider ones."""
    if one.is_english:
        return re.sub(" ", lambda _: chance.choice((" ", " ", "  ", "\u00a0")), text)
    if one.is_paper:
        places = [m.start() for m in re.finditer(r"(?=[\u3000-\uffef])|(?<=[\u3000-\uffef])", text)]
    else:
        places = [m.start() for m in re.finditer(r"(?=[^\x00-\x7f])|(?<=[^\x00-\x7f])|(?<=\d)(?=\d)", text)]
    for at in sorted(chance.sample(places, min(len(places), chance.randrange(1, 9))), reverse=True):
        text = text[:at] + chance.choice((" ", "  ", "\u3000", "\u00a0", "\t")) + text[at:]
    return text


def _quoted(chance: random.Random, text: str, one: Printed) -> str:
    if chance.random() < 0.5:
        return chance.choice(_QUOTES).format(text)
    at = chance.randrange(len(text) - 4)
    return text[:at] + chance.choice(_QUOTES).format(text[at : at + 3]) + text[at + 3 :]


def _wide(chance: random.Random, text: str, one: Printed) -> str:
    """All of ASCII full-width, or only its letters and digits; or Chinese commas half-width."""
    way = chance.randrange(3)
    if one.is_english:
        return text.upper() if way == 0 else text.lower() if way == 1 else text.translate(_WIDE)
    if way == 0:
        return text.translate(_WIDE)
    if way == 1:
        return "".join(chr(_WIDE[ord(c)]) if c.isascii() and c.isdigit() else c for c in text)
    return text.replace("，", ",").replace("：", ":").replace("（", "(").replace("）", ")")


def _signature(chance: random.Random, text: str, one: Printed) -> str:
    found = re.match("【[^】]+】", text)
    if not found:
        return text
    bare = text.removeprefix(found.group())
    return chance.choice(
        (
            bare,
            bare + found.group(),
            found.group().replace("【", "[").replace("】", "]") + bare,
            found.group() + " " + bare,
        )
    )


def _above(chance: random.Random, text: str, one: Printed) -> str:
    lines = _ABOVE_EN if one.is_english else _ABOVE
    chosen = chance.choice(lines if one.sender else [line for line in lines if "{sender}" not in line])
    return chosen.format(sender=one.sender) + text


def _forwarded(chance: random.Random, text: str, one: Printed) -> str:
    return chance.choice(_BEFORE_EN if one.is_english else _BEFORE) + text


def _after(chance: random.Random, text: str, one: Printed) -> str:
    return text + chance.choice(_AFTER_EN if one.is_english else _AFTER)


@functools.cache
def _traditional() -> dict[str, str]:
    made: dict[str, str] = {}
    for old, new in _simplified().items():
        made[new] = made.get(new, "") + old
    return made


def _script(chance: random.Random, text: str, one: Printed) -> str:
    """In traditional characters, as the committed table has them."""
    return "".join(chance.choice(_traditional().get(character, character)) for character in text)


def _zero_width(chance: random.Random, text: str, one: Printed) -> str:
    return _between(chance, text, chance.choice("\u200b\ufeff\u00ad\u2060\ufe0f\u200d"), 6)


def _code(chance: random.Random, text: str, one: Printed) -> str:
    was = codes.grouped(one.code)
    made = (
        was.lower(),
        one.code,
        one.code.lower(),
        was.replace("-", "－"),
        was.replace("-", " "),
        was.replace("-", "–"),
        f" {was} ",
    )
    return text.replace(was, chance.choice(made))


def _stop(chance: random.Random, text: str, one: Printed) -> str:
    if one.is_english:
        return text.removesuffix(".") + chance.choice(("", ".", " ."))
    return text.removesuffix("。") + chance.choice(("", "。", "｡"))


def _padded(chance: random.Random, text: str, one: Printed) -> str:
    return chance.choice(("\n", "  ", "\u3000\n", "\r\n\r\n")) + text + chance.choice(("\n\n", " ", "\u3000"))


#: Those that may be combined: each leaves what the others need.
KINDS: tuple[Mangler, ...] = (
    _code, _stop, _script, _signature, _spaces, _quoted, _forwarded, _after, _above, _lines, _wrapped, _wide, _padded, _zero_width,
)  # fmt: skip


def cut(chance: random.Random, one: Printed) -> str:
    """The text cut off where it is neither within something particular nor before its code."""
    text = one.text
    first = max(text.index(codes.grouped(one.code)) + 15, int(len(text) * 0.7))
    places = [at for at in range(first, len(text)) if not (text[at - 1].isascii() and text[at].isascii())]
    return text[: chance.choice(places)] + chance.choice(("", "", "...", "……", "…")) if places else text
