"""What is sent or printed is recognised in the language it was sent or printed in, as a person copies it."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.access import codes
from portal.borrowers.models import Borrower
from portal.checking import pasted
from portal.checking.pasted import TextVerdict
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.notices import indexing, operations
from portal.notices.indexing import Printed, keep_printed
from portal.notices.operations import MintedCode
from portal.notices.texts import NoticeText, Wording
from tests.conftest import BANK_MORNING
from tests.notices.made import SENDING, minted, notice
from tests.notices.paper_book import NAMES, PLACES, Letter, letters
from tests.people import lin

BASE, TODAY = SENDING.base_url, date(2026, 11, 20)


def judged(database: Database, keys: Keys, text: str, network: str = "home") -> TextVerdict:
    read = pasted.read(keys, text, base=BASE)
    tried = database.write(
        lambda s: pasted.try_text(s, read, keys=keys, base=BASE, network=network, real_now=BANK_MORNING)
    )
    return pasted.text_verdict(read, tried, today=TODAY)[0]


def sent(database: Database, keys: Keys, language: str) -> str:
    """The text of an SMS notice as it lies in the outbox for a reader of `language`."""

    def unit(session: Session) -> int:
        borrower_id = lin(session, keys)
        session.execute(update(Borrower).where(Borrower.id == borrower_id).values(language=language))
        return notice(session, borrower_id=borrower_id)

    minted(database, keys, database.write(unit))
    database.write(
        lambda s: operations.send(
            s, keys=keys, sending=SENDING, demonstration={1: True}, now=BANK_MORNING, real_now=BANK_MORNING
        )
    )
    with database.read() as connection:
        return keys.unseal("message.text", connection.scalar(select(Message.text_sealed)))


def test_a_reader_of_english_gets_the_text_in_english_and_it_is_recognised(
    database: Database, keys: Keys
) -> None:
    text = sent(database, keys, "en")

    assert "You have a service notice, code " in text
    assert "您" not in text
    assert judged(database, keys, text) is TextVerdict.GENUINE
    assert judged(database, keys, text.upper().replace("HTTPS://MY.", "https://my.")) is TextVerdict.GENUINE
    assert judged(database, keys, f"Fwd: {text}\nSent from my iPhone") is TextVerdict.GENUINE
    for was, put in (
        ("check it", "pay it"),
        ("yourself", "yourself now"),
        ("my.harbour", "rny.harbour"),
        ("Not for", "For"),
    ):
        assert judged(database, keys, text.replace(was, put)) is TextVerdict.ALTERED, put


@pytest.mark.parametrize("language", ["zh", "zh_Hant"])
def test_a_reader_of_chinese_gets_the_bank_s_own_text(database: Database, keys: Keys, language: str) -> None:
    text = sent(database, keys, language)

    assert text.startswith("【港湾银行】您有一份服务通知")
    assert judged(database, keys, text) is TextVerdict.GENUINE


def printed(database: Database, keys: Keys, letter: Letter, times: int = 1) -> tuple[MintedCode, str]:
    """The paper of a notice of Lin's, kept as the printing keeps it; its code, and the words on it."""
    notice_id = database.write(lambda s: notice(s, borrower_id=lin(s, keys), channel="letter"))
    made = minted(database, keys, notice_id)
    was, code = codes.grouped(letter.notice.minted.code), codes.grouped(made.code)
    forms = replace(
        letter.paper.forms,
        whole=letter.paper.forms.whole.replace(was, code),
        bare=letter.paper.forms.bare.replace(was, code),
    )
    paper = Printed(notice_id, letter.language, code, forms, letter.paper.names)
    for _ in range(times):
        database.write(lambda s: keep_printed(s, [paper], keys=keys, now=BANK_MORNING))
    return made, letter.paper.text.replace(was, code)


@pytest.mark.parametrize(
    "number", range(6), ids=["zh", "zh_Hant", "en", "zh-visit", "zh_Hant-visit", "en-visit"]
)
def test_a_printed_paper_is_recognised_as_it_is_copied(database: Database, keys: Keys, number: int) -> None:
    letter = letters(9)[number]
    made, text = printed(database, keys, letter)
    first, second = text.split("1 / 2")

    assert judged(database, keys, text) is TextVerdict.GENUINE
    assert judged(database, keys, " ".join(text.split())) is TextVerdict.GENUINE
    assert judged(database, keys, first + "1 / 2") is TextVerdict.CUT
    assert judged(database, keys, second) is TextVerdict.CUT
    assert judged(database, keys, moved(letter, made.code)) is TextVerdict.GENUINE


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_thing_changed_on_a_paper_is_altered(database: Database, keys: Keys, number: int) -> None:
    letter = letters(9)[number]
    made, text = printed(database, keys, letter)
    total = f"{letter.notice.stated.minor / 100:,.2f}"

    for was, put in (
        (total, f"{(letter.notice.stated.minor + 100) / 100:,.2f}"),
        ("400-000-0001", "400-000-0002"),
        ("2222 333", "2222 334"),
        ("my.harbour.example", "my.harbour-example.com"),
        (letter.notice.name, "王五"),
        ("96110", "96111"),
    ):
        assert was in text
        assert judged(database, keys, text.replace(was, put, 1), network=was) is TextVerdict.ALTERED, put
        changed = moved(letter, made.code).replace(was, put, 1)
        assert judged(database, keys, changed, network=put) is TextVerdict.ALTERED, put
    extra = moved(letter, made.code) + "\n" + letter.paper.forms.labels[0]
    assert judged(database, keys, extra, network="extra") is TextVerdict.ALTERED


def moved(letter: Letter, code: str) -> str:
    """As a program copies it that sorts by place: each label on a line of its own somewhere, each cell alone."""
    chance = random.Random(letter.notice.notice_ref)
    bare = letter.paper.forms.bare.replace(codes.grouped(letter.notice.minted.code), codes.grouped(code))
    lines = re.sub(r" (?=[0-9][0-9,]*\.[0-9]{2}(?![0-9]))|\f", "\n", bare).replace(" / ", "/").splitlines()
    for label in letter.paper.forms.labels:
        lines.insert(chance.randrange(len(lines)), label.replace("：", ": "))
    return "\n".join(lines)


def test_a_paper_printed_twice_is_kept_once_and_one_with_other_words_beside_it(
    database: Database, keys: Keys
) -> None:
    letter = letters(9)[2]
    made, text = printed(database, keys, letter, times=2)
    with database.read() as connection:
        forms = connection.scalars(select(NoticeText.form).order_by(NoticeText.form)).all()
        notice_id = connection.scalar(select(func.max(NoticeText.notice_id)))
    assert forms == ["en", "link", "plain"]

    other = replace(letter.paper.forms, whole=text.replace("96110", "96119"), bare="")
    again = Printed(int(notice_id or 0), "en", codes.grouped(made.code), other, letter.paper.names)
    database.write(lambda s: keep_printed(s, [again], keys=keys, now=BANK_MORNING))

    assert judged(database, keys, text) is TextVerdict.GENUINE
    assert judged(database, keys, text.replace("96110", "96119")) is TextVerdict.GENUINE


def test_no_wording_of_a_paper_holds_a_person_or_a_figure(database: Database, keys: Keys) -> None:
    for letter in letters(9):
        kept = indexing._of_paper(
            Printed(
                1,
                letter.language,
                codes.grouped(letter.notice.minted.code),
                letter.paper.forms,
                letter.paper.names,
            ),
            keys,
        )
        own = (
            *NAMES,
            *PLACES,
            "韩晨敏",
            "沈国",
            letter.notice.notice_ref,
            *(loan.loan_ref for loan in letter.notice.loans),
        )
        for name in own:
            assert "".join(name.lower().split()) not in "".join(kept.wording.split()), name
        assert not any(character.isdigit() for character in kept.wording.replace("港湾银行", ""))
    printed(database, keys, letters(9)[0])
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Wording)) == 3


def test_every_paper_of_a_visit_says_in_its_language_that_no_cash_is_taken() -> None:
    """AC16: on the page that anybody in the house may read."""
    said = {
        "zh": "来访人不收钱。我们从不收现金",
        "zh_Hant": "來訪人不收錢。我們從不收現金",
        "en": "Visitorsnevertakemoney.Wenevertakecash.",
    }
    visits = [letter for letter in letters(18) if letter.visit is not None]

    assert len(visits) == 6
    for letter in visits:
        first = letter.paper.forms.whole.split("\f")[0]
        assert said[letter.language] in "".join(first.split())
