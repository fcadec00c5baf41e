"""Every text of the Harbour export as it would be sent, in Chinese and for some in English, and a judge of pasted
texts without a database."""

from __future__ import annotations

import csv
import functools
import random
from dataclasses import dataclass
from datetime import date

from portal.access import codes
from portal.checking import pasted
from portal.checking.pasted import TextTried, TextVerdict
from portal.content import comparison as content
from portal.demo import EXPORT
from portal.keys import Keys
from portal.notices import sms_words
from portal.notices.texts import NOTHING, Texts, digest_for
from portal.notices.verification import Face
from tests.conftest import MASTER, PEPPER

BASE = "https://my.harbour.example"
HOST = "my.harbour.example"
TODAY = date(2026, 11, 20)
KEYS = Keys(pepper=PEPPER, master=MASTER)
#: What a judge calls ours, whole or as far as it goes.
OURS = (TextVerdict.GENUINE, TextVerdict.CUT)


@dataclass(frozen=True)
class Printed:
    """One text as its receiver has it, and what is particular in it."""

    text: str
    code: str
    token: str
    name: str
    sender: str
    amount: str
    loan: str

    @property
    def is_english(self) -> bool:
        """Whether words are set apart by spaces."""
        return sum(character.isascii() for character in self.text) > 0.8 * len(self.text)

    @property
    def is_paper(self) -> bool:
        """Whether it was printed, and copied out of the file."""
        return len(self.text) > 1_000


@dataclass(frozen=True, eq=False)
class Book:
    """Every text, and what the portal knows of each notice by the digest of its code or link."""

    printed: tuple[Printed, ...]
    known: dict[str, tuple[Face, Texts]]

    def judge(self, text: str) -> TextVerdict:
        """The verdict on a text, by the portal's own code from reading to answer."""
        read = pasted.read(KEYS, text, base=BASE)
        found = self.known.get(read.asked.digest) if read.asked else None
        face, texts = found if found else (None, NOTHING)
        outcome = (
            pasted.compared(read, texts, keys=KEYS, base=BASE) if read.asked else content.Outcome.ALTERED
        )
        return pasted.text_verdict(read, TextTried(face, texts, outcome), today=TODAY)[0]


def plain_characters(chance: random.Random, count: int) -> str:
    return "".join(chance.choice(codes.ALPHABET) for _ in range(count))


def _english(with_link: bool) -> str:
    return sms_words.english(with_link, signature="港湾银行", host=HOST, phone="4000000001")


@functools.cache
def harbour() -> Book:
    """All 491 notices, each in every form it may be sent in; codes and links by a seed."""
    chance = random.Random(4)
    with (EXPORT / "customers.csv").open(encoding="gb18030", newline="") as file:
        names = {row["客户号"]: row["姓名"] for row in csv.DictReader(file)}
    with (EXPORT / "notices.csv").open(encoding="gb18030", newline="") as file:
        rows = list(csv.DictReader(file))
    printed, known = [], {}
    for number, row in enumerate(rows, 1):
        code, token = codes.with_check(plain_characters(chance, 12)), plain_characters(chance, 26)
        digest, name = digest_for(KEYS, number), names[row["客户号"]]
        own = {"code_digest": digest("code", code), "token_digest": digest("own", token)}
        bodies = tuple(dict.fromkeys((row["正文"], row["正文（无链接）"])))
        if row["渠道"] == "短信" and number % 3 == 0:  # somebody who reads English
            bodies += (_english(True), _english(False))
        ours = tuple(content.sent(body, base=BASE, names=[name], digest=digest, **own) for body in bodies)
        sender = digest("phone", row["发送方"]) if row["发送方"] else ""
        face = Face(number, date(2026, 10, 1), date(2027, 1, 1), "live", "34")
        known[own["code_digest"]] = known[own["token_digest"]] = face, Texts(number, ours, sender)
        for body in bodies:
            text = body.replace("{code}", codes.grouped(code)).replace("{link}", f"{BASE}/n/{token}")
            printed.append(Printed(text, code, token, name, row["发送方"], row["载明金额"], row["借据号"]))
    return Book(tuple(printed), known)
