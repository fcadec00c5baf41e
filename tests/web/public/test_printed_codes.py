"""AC69 on paper: what the two codes of a printed letter or visit notice say to whoever scans them, what the file is
called and calls itself, and the icon: no word of debt, no sum, no field; in every language.

The codes are read from the rendered page, as a phone would.
"""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pikepdf
import pytest
from flask.testing import FlaskClient

from portal.db import Database
from portal.keys import Keys
from portal.letters.paper import made
from portal.letters.printable import printable
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.settings import Settings
from portal.signing import Signer
from portal.visits.announced import announced_for
from portal.web.qr import qr_svg
from tests import people
from tests.conftest import BANK_MORNING
from tests.notices.letters import written
from tests.papers.reading import read
from tests.people import BUSINESS_DATE
from tests.visits.door import announced
from tests.web.public.test_third_party import FIELDS

KINDS = {"letter": "N-L", "lawyer_letter": "N-J", "visit": "N-V"}
#: What only the visit's and the letters' own rows say.
OWN = (
    "N-L",
    "N-J",
    "N-V",
    "18270",
    "18,270.00",
    "韩晨敏",
    "G10354",
    "沈国",
    "海湾律师",
    "15:00",
    "2026-12-06",
    "letter",
    "visit",
)
_RANDOM = re.compile(r"(?=[\w-]*[A-Za-z])(?=[\w-]*[0-9])[\w-]{20,}", re.ASCII)


def told(text: str) -> list[str]:
    """What a text tells a third party that it may not."""
    plain = _RANDOM.sub("", text)
    fields = [field for field in (*FIELDS, *OWN) if field in plain]
    return [
        *forbidden_words_in(re.sub(r"[/_.:-]", " ", plain)),
        *forbidden_words_in(plain),
        *amounts_in(plain),
        *fields,
    ]


def part(text: str) -> dict[str, object]:
    """A part of a compact JWS as JSON."""
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_both_codes_of_a_paper_tell_whoever_scans_them_nothing(
    sqlite_database: Database, keys: Keys, settings: Settings, signer: Signer, kind: str, language: str
) -> None:
    written(sqlite_database, keys)
    with sqlite_database.read() as connection:
        notice = printable(connection, keys, KINDS[kind], today=BUSINESS_DATE, now=BANK_MORNING)
        visit = announced_for(connection, keys, notice.notice_id)
    paper = made(notice, visit, settings=settings, keys=keys, signer=signer, language=language)

    link, jws = read(paper.pdf).codes
    assert link == f"http://localhost/n/{notice.minted.token}"
    assert told(link) == []
    header, claims = (part(piece) for piece in jws.split(".")[:2])
    assert set(header) <= {"alg", "kid", "typ"}
    assert set(claims) == {"iss", "iat", "exp", "cd", "td"}
    assert told(json.dumps([header, claims], ensure_ascii=False)) == []
    assert notice.minted.code not in jws + json.dumps(claims)
    assert notice.minted.token not in jws


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_paper_does_not_name_debt_in_what_a_print_queue_shows(
    sqlite_database: Database, keys: Keys, settings: Settings, signer: Signer, kind: str, language: str
) -> None:
    """Title and other facts of the file, and the names of what is attached to it."""
    written(sqlite_database, keys)
    with sqlite_database.read() as connection:
        notice = printable(connection, keys, KINDS[kind], today=BUSINESS_DATE, now=BANK_MORNING)
        visit = announced_for(connection, keys, notice.notice_id)
    paper = made(notice, visit, settings=settings, keys=keys, signer=signer, language=language)

    with pikepdf.open(io.BytesIO(paper.pdf)) as file:
        facts = [str(value) for value in file.docinfo.values()] + [*file.attachments]
        with file.open_metadata() as metadata:
            facts += [str(value) for value in metadata.values()]
    assert facts
    facts = [fact for fact in facts if not fact.startswith("Typst ")]  # the version of what drew it
    said = [word for fact in facts for word in (*forbidden_words_in(fact), *amounts_in(fact))]
    assert said == []


def test_the_code_an_officer_shows_tells_nothing(client: FlaskClient, database: Database, keys: Keys) -> None:
    """The code on the officer's screen at the door, as whoever stands by would scan it."""
    database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    people.sign_in_officer(client)
    page = client.get("/visiting/V1").text
    link = "http://localhost/visit?of=V1"
    drawn = re.findall(r' d="([^"]+)"', qr_svg(link, ""))

    assert drawn
    assert all(f'd="{one}"' in page for one in drawn)
    assert forbidden_words_in(re.sub(r"[/_.:?=-]", " ", link)) == ()
    assert amounts_in(link) == ()


def test_icons_and_files_are_not_named_after_debt_and_hold_no_word_of_it() -> None:
    """Every file that a page may load, the icon first."""
    folder = Path(__file__).parents[3] / "static"
    names = [path for path in folder.rglob("*") if path.is_file()]

    assert folder / "favicon.svg" in names
    for path in names:
        public = path.stem not in ("agreement", "plan", "desk", "demo", "sandbox", "pay")
        plain = re.sub(r"[/_.-]", " ", path.relative_to(folder).as_posix())
        if public:
            assert forbidden_words_in(plain) == (), path.name
        if path.suffix == ".svg":
            assert told(path.read_text("utf-8")) == [], path.name
