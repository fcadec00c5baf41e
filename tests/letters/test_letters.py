"""Letters and visit notices as printed: all that art. 69 asks for, a first page for anybody, two codes that are true,
and the script of the document run on a real letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.access import codes
from portal.db import Database
from portal.keys import Keys
from portal.letters.paper import Paper, made, page_number
from portal.letters.printable import NotPrintable, Printable, printable
from portal.notices import offline
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.settings import Settings
from portal.signing import KeyRing, Signer
from portal.visits.announced import announced_for
from tests.conftest import BANK_MORNING
from tests.notices.letters import script, written
from tests.papers.reading import Read, read

TODAY = date(2026, 11, 20)
KINDS = {"letter": "N-L", "lawyer_letter": "N-J", "visit": "N-V"}


@dataclass(frozen=True)
class Press:
    """The printing of one installation."""

    database: Database
    keys: Keys
    settings: Settings
    signer: Signer

    def notice(self, asked: str) -> Printable:
        with self.database.read() as connection:
            return printable(connection, self.keys, asked, today=TODAY, now=BANK_MORNING)

    def paper(self, asked: str, language: str) -> Paper:
        notice = self.notice(asked)
        with self.database.read() as connection:
            visit = announced_for(connection, self.keys, notice.notice_id)
        return made(
            notice, visit, settings=self.settings, keys=self.keys, signer=self.signer, language=language
        )


@pytest.fixture
def press(sqlite_database: Database, keys: Keys, settings: Settings, signer: Signer) -> Press:
    written(sqlite_database, keys)
    return Press(sqlite_database, keys, settings, signer)


def solid(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_paper_is_complete_neutral_in_front_and_true_in_both_codes(
    press: Press, kind: str, language: str
) -> None:
    notice, paper = press.notice(KINDS[kind]), press.paper(KINDS[kind], language)
    held = read(paper.pdf, scale=3)

    assert len(held.pages) == 2
    _first_page(held, notice, language)
    _second_page(held, press, notice, language)
    _codes(held, press, notice, paper)
    if kind == "visit":
        for fact in ("G10354", "韩晨敏", "G10058", "15:00–16:00", "021-0000-0017"):
            assert fact in held.pages[0], fact


def _first_page(held: Read, notice: Printable, language: str) -> None:
    first = " ".join(held.pages[0].split())
    assert forbidden_words_in(first) == ()
    assert amounts_in(first) == ()
    cash = {"zh": "现金", "zh_Hant": "現金", "en": "We never take cash"}
    aloud = {"zh": "my 点 harbour 点 example", "zh_Hant": "my 點 harbour 點 example"}
    said = [
        codes.grouped(notice.minted.code),
        notice.notice_ref,
        notice.name,
        "400-000-0001",
        "96110",
        "my.harbour.example",
        aloud.get(language, "my dot harbour dot example"),
    ]
    for words in said:
        assert solid(words) in solid(first), words
    assert cash[language] in first or cash["en"] in first


def _second_page(held: Read, press: Press, notice: Printable, language: str) -> None:
    """Art. 69: name and balance; reason and basis; consequences and rights; how to check, pay, object and
    submit evidence; contact; seal."""
    second, words = solid(held.pages[1]), _words(language)
    contents = {
        "name": (notice.name,),
        "balance": ("18,270.00", "12,120.00", "6,150.00", "L-LIN-1", "C-LIN-1"),
        "reason and basis": words("reason"),
        "consequences and rights": words("consequences"),
        "how": (
            *words("how"),
            "my.harbour.example",
            codes.grouped(notice.minted.code),
            "9999000011112222333",
        ),
        "contact": ("400-000-0001", "12378", "96110"),
        "seal": words("seal"),
        "validity": words("validity"),
        "the page's own number": (page_number(press.keys, notice),),
    }
    for name, parts in contents.items():
        for part in parts:
            assert solid(part) in second, (name, part)
    if language != "en":
        body = notice.body.replace("{name}", notice.name).replace("{code}", codes.grouped(notice.minted.code))
        assert offline.folded(body) in offline.folded(held.pages[1])


def _words(language: str):  # type: ignore[no-untyped-def]
    """The headings and statements that a reader of that language looks for, as the catalogue has them."""
    from portal.notices.saying import Saying

    _ = Saying(language)
    said = {
        "reason": (
            _("Why we write, and on what basis"),
            _("What is named above has fallen due and has not been paid in full."),
        ),
        "consequences": (
            _("What happens next, and your rights"),
            _(
                "While the bank considers a plan that you propose, visits and calls pause; once it is agreed, collection stops."
            ),
        ),
        "how": (_("How to check, pay, object and send evidence"),),
        "seal": (_("Customer service"),),
        "validity": (_.day(date(2027, 1, 9)),),
    }
    return said.__getitem__


def _codes(held: Read, press: Press, notice: Printable, paper: Paper) -> None:
    link, jws = held.codes
    ring = KeyRing.of(press.settings.bank.host, {}, press.signer)
    copied = "\n".join(held.pages)

    assert link == f"http://localhost/n/{notice.minted.token}"
    assert jws == paper.jws
    verdict = offline.verify(jws, ring, code=notice.minted.code, text=copied, now=BANK_MORNING)
    assert verdict.is_genuine
    assert (verdict.code_compared, verdict.text_compared) == (True, True)
    altered = copied.replace("9999", "9998", 1)
    assert offline.verify(jws, ring, code=None, text=altered, now=BANK_MORNING).reasons == (
        offline.Reason.OTHER_TEXT,
    )


def test_the_same_paper_is_made_again(press: Press) -> None:
    assert press.paper("N-V", "zh") == press.paper(press.notice("N-V").minted.code, "zh")


def test_the_first_page_alone_does_not_tell_whether_a_guess_of_the_second_is_right(press: Press) -> None:
    """Everything else of the second page known, its own number is 60 bits more."""
    paper, notice = press.paper("N-L", "zh"), press.notice("N-L")
    guessed = paper.text.replace(page_number(press.keys, notice), "")

    assert guessed != paper.text
    assert page_number(press.keys, notice) not in read(paper.pdf).pages[0]
    assert offline.text_digest(guessed) != offline.text_digest(paper.text)
    assert page_number(press.keys, notice) != page_number(press.keys, press.notice("N-J"))


def test_where_the_book_gives_another_sum_the_stated_amount_stands_alone(press: Press) -> None:
    from sqlalchemy import update

    from portal.notices.models import Notice

    change = update(Notice).where(Notice.notice_ref == "N-L").values(stated_minor=1_900_001)
    press.database.write(lambda session: session.execute(change) and None)
    page = read(press.paper("N-L", "en").pdf).pages[1]

    assert "19,000.01" in page
    assert "12,120.00" not in page


def test_a_number_that_looks_like_a_code_is_a_number(press: Press) -> None:
    from sqlalchemy import update

    from portal.notices.models import Notice

    for ref in (codes.with_check("N2026110010"), codes.with_check("N20261100101")):
        assert codes.kind_of(ref)
        named = update(Notice).where(Notice.id == press.notice("N-L").notice_id)
        press.database.write(
            lambda session, ref=ref, named=named: session.execute(named.values(notice_ref=ref)) and None
        )  # type: ignore[misc]
        assert press.notice(ref).channel == "letter"
        press.database.write(
            lambda session, named=named: session.execute(named.values(notice_ref="N-L")) and None
        )  # type: ignore[misc]


@pytest.mark.parametrize("asked", ["N-0", "7KQF-3MWD-01ABC", ""])
def test_what_is_not_there_is_not_printed(press: Press, asked: str) -> None:
    with pytest.raises(NotPrintable, match="unknown"):
        press.notice(asked)


@dataclass(frozen=True)
class Verifier:
    """Somebody with the script of the document, the keys and a letter, and nothing of ours."""

    folder: Path

    def run(self, code: str, *, seconds_later: int = 0) -> subprocess.CompletedProcess[str]:
        later = f"import time; now = time.time; time.time = lambda: {BANK_MORNING.timestamp()} + {seconds_later}\n"
        (self.folder / "verify.py").write_text(later + script(), encoding="utf-8")
        arguments = ["my.harbour.example", "keys.json", "signature.txt", "letter.txt", code]
        return subprocess.run(
            [sys.executable, "-I", "verify.py", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
        )


def test_anybody_verifies_a_letter_with_the_script_of_the_document(press: Press, tmp_path: Path) -> None:
    held = read(press.paper("N-L", "zh").pdf, scale=3)
    code, keys = codes.grouped(press.notice("N-L").minted.code), tmp_path / "keys.json"
    ring = KeyRing.of("my.harbour.example", {}, press.signer)
    text = "\n".join(held.pages)
    (tmp_path / "signature.txt").write_text(held.codes[1])
    (tmp_path / "letter.txt").write_text(text, encoding="utf-8")
    keys.write_text(json.dumps(ring.as_jwks()))
    somebody = Verifier(tmp_path)

    assert somebody.run(code).stdout == "genuine, until 2027-01-09 16:00 UTC\n"
    assert somebody.run(code.lower()).returncode == 0
    assert "expired" in somebody.run(code, seconds_later=60 * 86400).stderr
    assert "another code" in somebody.run("7KQF-3MWD-01ABC").stderr

    (tmp_path / "letter.txt").write_text(text.replace("18,270", "18,271"), encoding="utf-8")
    assert "the words were changed" in somebody.run(code).stderr
    (tmp_path / "letter.txt").write_text(text, encoding="utf-8")

    foreign = Signer.from_seed(bytes(range(1, 33)))
    keys.write_text(json.dumps(KeyRing.of("x", {}, foreign).as_jwks()))
    assert "not a key of this bank" in somebody.run(code).stderr
    keys.write_text(json.dumps({"keys": [foreign.public_key() | {"kid": press.signer.key_id}]}))
    assert "InvalidSignature" in somebody.run(code).stderr
    revoked = ring.revoked(press.signer.key_id, at=BANK_MORNING, reason="stolen")
    keys.write_text(json.dumps(revoked.as_jwks()))
    assert "revoked" in somebody.run(code).stderr


_DOCUMENT: dict[str, object] = {}
exec(script().split("host, keys, jws")[0], _DOCUMENT)


@given(st.text(max_size=60) | st.text("aB1一,.-/:@_ \n¥$%２。，", max_size=40))
def test_the_document_folds_as_we_do(text: str) -> None:
    assert _DOCUMENT["folded"](text) == offline.folded(text)  # type: ignore[operator]
