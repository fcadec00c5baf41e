"""What a swindler makes of a genuine text: one change each, of many kinds, by a seeded generator."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable

from portal.access import codes
from portal.content.folding import fold
from tests.notices.book import BASE, HOST, Book, Printed, plain_characters

COMMON = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得"
    "经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事"
)
WORDS = (" not", " now", "Pay ", " to me", " un", "n't", " or", " and pay", " 5", "s ", " no", " to", "-")
LETTERS = "abcdefghijkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ0123456789аеορ"
SCAMS = (
    "请转账至6222020200112233445张三。", "请加微信hb8899办理。", "详询13800000000。", "办理请点 http://hb-pay.top/q 。", "逾期后果自负，速联系李经理。",
    "点击bit.ly/3xk9减免。", "请下载附件安装。", "验证码请回复本短信。", "可减免五成，仅限今日。", "Pay now at evil.cc.", "Call 13800000000 at once.", "Transfer it to 6222020200112233445 today.", "Our colleague takes cash.",
    "Reply with the code you get.", "Half is forgiven if you pay today.",
)  # fmt: skip
OTHER_BANKS = (
    "【海湾银行】",
    "【港弯银行】",
    "【港湾银行客服】",
    "【HarbourBank】",
    "【法务部】",
    "【港湾銀行贷后】",
)
NEGATIONS = (
    ("不收取", "收取"),
    ("有权", "无权"),
    ("非本人", "本人"),
    ("请", "勿"),
    ("应", "不应"),
    ("可以", "必须"),
    ("核实", "付款"),
    ("never", "always"),
    ("not ", ""),
    ("Nobody", "Anybody"),
    ("without", "with"),
    ("no ", "a "),
    ("yourself", "your bank"),
    ("check it", "pay it"),
    ("may", "must"),
)
SCHEMES = (
    "hbank://pay?to=1",
    "alipays://platformapi/startapp?x=1",
    "weixin://dl/business",
    "tel:13800000000",
    "javascript:alert(1)",
    "data:text/html,x",
)
LOOKING_LIKE = {
    "a": "аɑα@4", "b": "Ьƅ6", "c": "сϲ", "e": "еҽ3", "h": "һհ", "i": "іıl1", "l": "1Iӏ", "m": "rnм", "o": "0оοօ", "p": "рρ", "r": "гɾ",
    "s": "ѕ5", "u": "υսv", "x": "х×", "y": "уүγ", "k": "к", "n": "пո", "t": "τт", "d": "ԁ",
}  # fmt: skip
#: Characters that turn the reading order, and strokes drawn through or around the one before.
HIDDEN = "\u202e\u202d\u2066\u2067\u200e\u200f\u0338\u0336\u0301\u20dd\u061c"
_HIDDEN = frozenset(HIDDEN)
Mutator = Callable[[random.Random, Printed, Book], str]


def look_alikes(host: str, count: int, chance: random.Random) -> list[str]:
    """`count` different hosts, or hosts with something before or after, that are made to look like `host`."""
    made: dict[str, None] = {}
    while len(made) < count:
        one = _look_alike(host, chance)
        if fold(one).rstrip("/") != fold(host):
            made[one] = None
    return list(made)


def _look_alike(host: str, chance: random.Random) -> str:
    labels, evil = (
        host.split("."),
        plain_characters(chance, 5).lower() + chance.choice((".cc", ".top", ".cn", ".vip")),
    )
    at = chance.choice([n for n, c in enumerate(host) if c in LOOKING_LIKE])
    drawn = host[:at] + chance.choice(LOOKING_LIKE[host[at]]) + host[at + 1 :]
    swapped = list(host)
    swapped[at], swapped[at - 1] = swapped[at - 1], swapped[at]
    idn = drawn.split(".")
    puny = ".".join("xn--" + p.encode("punycode").decode() if not p.isascii() else p for p in idn)
    word = chance.choice(("pay", "repay", "bank", "safe", "vip", "kefu", "login", "www1"))
    ways = [
        drawn, puny, "".join(swapped), f"{host}.{evil}", f"{host}@{evil}", f"{host}:{chance.randrange(1, 65536)}",
        f"{word}-{host}", f"{'-'.join(labels[:-1])}.{labels[-1]}", f"{'-'.join(labels)}.{evil.split('.')[1]}",
        ".".join([*labels[:-1], chance.choice(("cn", "com", "net", "exarnple", "examp1e", "example.cn", "top"))]),
        f"{word}.{host}", f"{host[:at]}{host[at]}{host[at:]}", host[:at] + host[at + 1 :], f"{evil}/{host}", f"{evil}/?u={host}",
        f"{evil}#{host}", f"{chance.choice(('bit.ly', 't.cn', 'dwz.cn', 'url.cn'))}/{evil[:5]}",
        f"{chance.randrange(1, 255)}.{chance.randrange(255)}.{chance.randrange(255)}.{chance.randrange(1, 255)}",
        f"{labels[0]}{word}.{'.'.join(labels[1:])}", f"{labels[0]}.{labels[1]}{word}.{'.'.join(labels[2:]) or 'cn'}",
        host.replace(".", "。", 1), host.replace(".", "․", 1), host.replace(".", "-", 1), f"{host}%2e{evil}", f"{host}\\@{evil}",
    ]  # fmt: skip
    return chance.choice(ways)


def _place(chance: random.Random, text: str) -> int:
    return chance.randrange(len(text))


def _changed(chance: random.Random, one: Printed, book: Book) -> str:
    at = _place(chance, one.text)
    return one.text[:at] + chance.choice(COMMON if ord(one.text[at]) > 127 else LETTERS) + one.text[at + 1 :]


def _inserted(chance: random.Random, one: Printed, book: Book) -> str:
    at = _place(chance, one.text)
    put = (
        chance.choice(WORDS) if one.is_english and chance.random() < 0.5 else chance.choice(COMMON + LETTERS)
    )
    return one.text[:at] + put + one.text[at:]


def _deleted(chance: random.Random, one: Printed, book: Book) -> str:
    at = _place(chance, one.text)
    return one.text[:at] + one.text[at + chance.randrange(1, 9) :]


def _digit(chance: random.Random, one: Printed, book: Book) -> str:
    digits = [n for n, character in enumerate(one.text) if character.isdigit()]
    if not digits:
        return _changed(chance, one, book)
    at = chance.choice(digits)
    return one.text[:at] + chance.choice("0123456789") + one.text[at + 1 :]


def _run(chance: random.Random, one: Printed, book: Book) -> str:
    """An amount, account, phone number, day or reference of somebody else's."""
    runs = [found.span() for found in re.finditer(r"[0-9][0-9.-]{2,}[0-9]", one.text)]
    if not runs:
        return _changed(chance, one, book)
    start, end = chance.choice(runs)
    other = chance.choice(
        (
            f"{chance.randrange(1, 10**6)}.{chance.randrange(100):02}", f"1{chance.randrange(3 * 10**9, 10**10)}",
            f"62{chance.randrange(10**16, 10**17)}", f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            f"400{chance.randrange(10**6, 10**7)}", f"{chance.randrange(1, 100)}万",
        )
    )  # fmt: skip
    return one.text[:start] + other + one.text[end:]


def _name(chance: random.Random, one: Printed, book: Book) -> str:
    other = chance.choice(book.printed).name
    return one.text.replace(one.name, other) if one.name in one.text else other + "：" + one.text


def _negation(chance: random.Random, one: Printed, book: Book) -> str:
    was, made = chance.choice(NEGATIONS)
    return one.text.replace(was, made, 1) if was in one.text else one.text.replace(made, was, 1)


def _clauses(chance: random.Random, one: Printed, book: Book) -> str:
    parts = re.split("([，。、,.;])", one.text)
    first, second = chance.sample(range(0, len(parts), 2), 2)
    parts[first], parts[second] = parts[second], parts[first]
    return "".join(parts)


def _scam(chance: random.Random, one: Printed, book: Book) -> str:
    words, at = chance.choice(SCAMS), chance.choice((0, len(one.text), _place(chance, one.text)))
    return one.text[:at] + words + one.text[at:]


def _foreign_sentence(chance: random.Random, one: Printed, book: Book) -> str:
    parts = [part for part in re.split("(?<=[。.])", chance.choice(book.printed).text) if part]
    at = _place(chance, one.text)
    return one.text[:at] + chance.choice(parts) + one.text[at:]


def _host(chance: random.Random, one: Printed, book: Book) -> str:
    return one.text.replace(HOST, _look_alike(HOST, chance), chance.choice((1, 2)))


def _link(chance: random.Random, one: Printed, book: Book) -> str:
    link = f"{BASE}/n/{one.token}"
    other = chance.choice(
        (
            f"http://{HOST}/n/{one.token}", f"{BASE}/n/{chance.choice(book.printed).token}", f"{BASE}/N/{plain_characters(chance, 26)}",
            f"{BASE}/n/{one.token}/../x", f"{BASE}/n/{one.token}?next=//evil.cc", f"{BASE}//n/{one.token}", f"{BASE}/sign-in", f"{BASE}:8443/n/{one.token}",
            f"https://{_look_alike(HOST, chance)}/n/{one.token}", f"{link}.evil.cc", f"{link}@evil.cc", chance.choice(SCHEMES),
        )
    )  # fmt: skip
    return one.text.replace(link, other) if link in one.text else one.text.replace(HOST, other, 1)


def _code(chance: random.Random, one: Printed, book: Book) -> str:
    other = chance.choice((chance.choice(book.printed).code, codes.with_check(plain_characters(chance, 12))))
    return one.text.replace(codes.grouped(one.code), codes.grouped(other))


def _two(chance: random.Random, one: Printed, book: Book) -> str:
    return chance.choice(("", "\n", " ")).join((one.text, chance.choice(book.printed).text))


def _hidden(chance: random.Random, one: Printed, book: Book) -> str:
    at = _place(chance, one.text)
    return one.text[:at] + chance.choice(HIDDEN) + one.text[at:]


def _signature(chance: random.Random, one: Printed, book: Book) -> str:
    other = chance.choice(OTHER_BANKS)
    if "【港湾银行】" in one.text:
        if chance.random() < 0.5:
            at = 6 + chance.randrange(2, len(one.text) - 8)
            return one.text[6:at] + "【港湾银行】" + one.text[at:]
        return one.text.replace("【港湾银行】", other)
    return other + one.text if chance.random() < 0.5 else one.text + other


def _split_address(chance: random.Random, one: Printed, book: Book) -> str:
    """A space within an address: a phone would make a link of its second half."""
    place = one.text.index(HOST) + chance.randrange(1, len(HOST))
    return one.text[:place] + " " + one.text[place:]


def _glued(chance: random.Random, one: Printed, book: Book) -> str:
    """Something added to the end of an address or number without a space."""
    ends = [found.end() for found in re.finditer(r"[0-9A-Za-z]+(?![0-9A-Za-z./:-])", one.text)]
    at = chance.choice(ends)
    return (
        one.text[:at]
        + chance.choice((".cc", ".cn/x", "0", "@evil.cc", ":81", "/pay", "-1", ",000", ".to"))
        + one.text[at:]
    )


KINDS: tuple[Mutator, ...] = (
    _changed, _inserted, _deleted, _digit, _run, _name, _negation, _clauses, _scam, _foreign_sentence, _host, _link, _code, _two,
    _hidden, _signature, _split_address, _glued,
)  # fmt: skip


def is_no_mutation(text: str, one: Printed, book: Book) -> bool:
    """Whether the change is none: it reads the same by the rules of folding, a dash more or less in a code or a
    long number, look-alikes within a code (I, L, O), a stop at the end, a thousands' comma, our signature, the
    word with which phones forward; or the text only ends sooner than ours, which is answered *as far as it goes*; or it has become
    the whole text of another notice, code and all."""
    if not _HIDDEN.isdisjoint(text):
        return False
    was, made = _plain(one.text), _plain(text)
    return was.startswith(made.removeprefix("转")) or made in _whole_texts(book)


@functools.cache
def _whole_texts(book: Book) -> frozenset[str]:
    return frozenset(_plain(one.text) for one in book.printed)


def _plain(text: str) -> str:
    joined = fold(text)
    joined = re.sub(r"(?<=\d),(?=\d{3}(?!\d))|(?<=[0-9a-z])-(?=[0-9a-z])", "", joined)
    joined = re.sub(
        r"(?<=/)n/([0-9a-z]{26})(?![0-9a-z])|(?<![0-9a-z])([0-9a-z]{13})(?![0-9a-z])", _read, joined
    )
    return joined.removeprefix("【港湾银行】").removesuffix("。").removesuffix("/")


def _read(found: re.Match[str]) -> str:
    return codes.normalise(found.group(1) or found.group(2)) or found.group()
