"""Texts that break programs, by what they break: at least 515 of them, made here from their parts.

In the spirit of the well-known list of naughty strings, whose own lines are not copied.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

WORDS = [
    "undefined",
    "undef",
    "null",
    "NULL",
    "(null)",
    "nil",
    "NIL",
    "true",
    "false",
    "True",
    "False",
    "TRUE",
    "FALSE",
    "None",
    "none",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "INF",
    "hasOwnProperty",
    "__proto__",
    "constructor",
    "toString",
    "then",
    "CON",
    "PRN",
    "AUX",
    "NUL",
    "COM1",
    "LPT1",
    "nul.txt",
    ".htaccess",
    "/",
    "~",
    "-",
    "--",
    "..",
    ".",
    ".env",
    "password",
    "admin",
    "root",
    "test",
    "select",
    "空",
    "无",
    "未定义",
]
NUMBERS = [
    "0",
    "1",
    "-1",
    "1.00",
    "$1.00",
    "1/2",
    "1E2",
    "1E+02",
    "-1E-02",
    "0x0",
    "0xffffffff",
    "0xabad1dea",
    "00",
    "0123",
    "+1",
    "1_000",
    "1,000",
    "1'000",
    "1.000,00",
    ".5",
    "5.",
    "-0",
    "-0.00",
    "--1",
    "0..0",
    "0/0",
    "1/0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "2147483648",
    "4294967296",
    "1e309",
    "1e-400",
    "1e9",
    "123456789012345678901234567890123456789",
    "0.1e1",
    "0b1",
    "0o17",
    "١٢٣",
    "１２３",
    "一二三",
    "ⅷ",
    "²",
    "½",
    "๑",
    "꘠",
    "٫",
    "1e٣",
    "1970-01-01",
    "2026-02-30",
    "24:00",
]
SYMBOLS = (
    ",./;'[]\\-=", '<>?:"{}|_+', "!@#$%^&*()`~", "\\", "\\\\", "\\n", "\\u0000", "%00", "%0a", "%s%s%n", "%d", "%(x)s", "{0}",
    "{}", "{name}", "{link}", "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7 %>", "{% raw %}", "{{ config }}", "$HOME", "${IFS}",
    "`id`", "$(id)", "; id", "| id", "&& id", "'", '"', "''", '""', "'\"'", "`", "“”‘’", "«»", "„“", "「」『』", "【】", "（）",
)  # fmt: skip
SPACES = "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
UNSEEN = "\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufe0f\U000e0001\U000e0041"
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SCRIPTS = [
    "田中さんにあげて下さい",
    "和製漢語",
    "部落格",
    "사회과학원",
    "찦차를",
    "울란바토르",
    "𠜎𠜱𠝹",
    "䶮㛃喆龘",
    "阿卜杜·热合曼",
    "玛丽·O’Neil",
    "슬픔",
    "﷽",
    "مرحبا",
    "שלום",
    "ﺍﻟﺴﻼﻡ",
    "हिन्दी",
    "বাংলা",
    "ภาษาไทย",
    "ລາວ",
    "ខ្មែរ",
    "မြန်မာ",
    "ქართული",
    "հայերեն",
    "ελληνικά",
    "кириллица",
    "ТЕСТ",
    "ᚠᛇᚻ",
    "⠓⠑⠇⠇⠕",
    "𝕋𝕖𝕤𝕥",
    "ⓣⓔⓢⓣ",
    "ｔｅｓｔ",
    "ʇsǝʇ",
    "Ⱥ",
    "Ⱦ",
    "ß",
    "ẞ",
    "İ",
    "ı",
    "ſ",
    "ŉ",
    "ǰ",
    "ΐ",
    "ﬀ",
    "ﬃ",
    "K",
    "Å",
    "Ω",
    "é",
    "é",
    "ñ",
    "ñ",
    "Ç",
    "Ç",
    "﹫",
    "․",
    "／",
    "＜script＞",
    "‹b›",
    "𐍈",
    "𒀀",
    "🀄",
    "𓀀",
]
EMOJI = [
    "😀",
    "👩🏽",
    "👨\u200d👩\u200d👧\u200d👦",
    "🏳️\u200d🌈",
    "🇨🇳",
    "🇨",
    "1️⃣",
    "❤️",
    "👾",
    "🙇💁🙅🙆🙋🙎🙍",
    "🐵🙈🙉🙊",
    "✋🏿💪🏿👐🏿",
    "(",
    "͡°͜ʖ͡°)",
    "(╯°□°）╯︵┻━┻",
    "¯\\_(ツ)_/¯",
    "ಠ_ಠ",
]
_TAGS = (
    "script",
    "img",
    "svg",
    "iframe",
    "object",
    "a",
    "body",
    "style",
    "math",
    "input",
    "video",
    "details",
)
_HANDLERS = (
    "onerror=alert(1)",
    "onload=alert(1)",
    "src=javascript:alert(1)",
    "href='javascript:alert(1)'",
    "style=x:expression(1)",
)
HTML = (
    "<script>alert(1)</script>", "&lt;script&gt;", "&#x3C;b&#x3E;", "&amp;", "&nbsp;", "&", "<", ">", "</", "<!--", "-->",
    "<![CDATA[x]]>", "]]>", '"><script>alert(1)</script>', "'><img src=x onerror=alert(1)>", "</td></tr></table>", "</title><b>",
    "</script><script>alert(1)</script>", "javascript:alert(1)", "<b>bold</b>", "<br/>", "<a href=//x.test>x</a>",
    *(f"<{tag} x {handler}>" for tag, handler in itertools.product(_TAGS, _HANDLERS)),
)  # fmt: skip
QUERIES = (
    "1;DROP TABLE loan", "1'; DROP TABLE loan-- 1", "' OR 1=1 -- 1", "' OR '1'='1", "\\' OR 1=1", "%' AND '1'='1", "_", "%", "?", ":x",
    "%(now)s", "$1", "@@version", "*/ 1 /*", "-- x", "/* x */", "1 UNION SELECT 1", "x' || 'y", "\\.", "\\N", "E'\\x00'", "$$x$$",
)  # fmt: skip
PLACES = (
    "../../../etc/passwd", "..\\..\\win.ini", "/dev/null", "C:\\", "file:///etc/passwd", "//[", "http://a/%30%30", "https://x.test/?a=b&c=d#e",
    "mailto:a@x.test", "tel:110", "data:text/html,x", "10.0.0.1", "[::1]", "xn--fiqs8s", "0.0.0.0:80", "a@b", "//x.test",
)  # fmt: skip
FORMULAS = tuple(
    f"{sign}{rest}" for sign, rest in itertools.product(
        ("=", "+", "-", "@", "\t=", " ="), ("1+1", "cmd|' /C calc'!A0", "HYPERLINK(\"//x\")", "SUM(A1:A9)", "")
    )
)  # fmt: skip
MARKUP = (
    '{"a": 1}', "[1, 2]", "{", "}", "<?xml version='1.0'?>", "<!DOCTYPE x>", "<!ENTITY x SYSTEM 'file:///x'>", "---", "a: b", "# x",
    "*x*", "_x_", "[x](//y)", "![x](//y)", "~~x~~", "|a|b|", "a,b", 'a,"b",c', '"', 'a"b', ";", "a;b", "a\tb", "a|b",
)  # fmt: skip
#: A text with one of these is refused by name.
REFUSED = tuple(
    f"a{chr(code)}b" for code in (*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0xFFFD)
)


def texts() -> list[str]:
    """All that may stand in a bank's file, each once, none longer than a product's name."""
    return [text for text in dict.fromkeys(_made()) if text and len(text) <= 64]


def _made() -> Iterator[str]:
    for some in (WORDS, NUMBERS, SYMBOLS, SCRIPTS, EMOJI, HTML, QUERIES, PLACES, FORMULAS, MARKUP):
        yield from some
    for one in SPACES + UNSEEN + BIDI:
        yield f"a{one}b"
        yield f"{one}x"
    for one in BIDI:
        yield f"{one}txt.exe{BIDI[2]}"
    for count in range(1, 31, 2):
        yield "Z" + "".join(chr(0x0300 + 7 * at % 0x6F) for at in range(count))
    yield from ("a" * 64, "字" * 64, "🀄" * 64, "\u202e" * 64, " " * 3 + "x", "x" + " " * 3, "a  b")
