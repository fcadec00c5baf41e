"""The statement as PDF: every figure of the page, a code to scan, and a signature a stranger can check."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask.testing import FlaskClient

from portal.db import Database
from portal.keys import Keys
from portal.money import Money
from tests import people
from tests.papers.reading import Read, read
from tests.web.borrower.test_balance import text_of
from tests.web.borrower.test_statement import LANGUAGES, made, moved_loans

PERIODS = [{}, {"since": "date", "first": "2026-11-02"}, {"until": "2025-12-31"}]
#: The words beside the facts that the signature covers.
NAMES = {
    "reference": "Reference",
    "issuer": "Issuer",
    "issued_on": "Issued on",
    "as_of": "As of",
    "digest": "Fingerprint",
    "signature": "Signature",
    "key": "Key",
}


@pytest.fixture
def lin(sqlite_database: Database, keys: Keys) -> int:
    return sqlite_database.write(lambda session: moved_loans(session, keys))


def held(client: FlaskClient, address: str) -> Read:
    answer = client.get(f"{address}.pdf")
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r'inline; filename="statement-S-[^"]+\.pdf"', answer.headers["Content-Disposition"])
    return read(answer.data, scale=3)


def figures_of(content: object) -> set[str]:
    """Every amount of the signed content as a paper writes it, without its sign."""
    minors: set[int] = set()

    def walk(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                walk(key, part)
        elif isinstance(value, list):
            for part in value:
                walk(name, part)
        elif isinstance(value, int) and name not in (
            "version",
            "days_overdue",
            "instalments",
            "principal_due",
        ):
            minors.add(abs(value))

    walk("", content)
    return {f"{Money(minor, 'CNY').minor // 100:,}.{minor % 100:02d}" for minor in minors}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fields", PERIODS)
def test_every_figure_and_entry_stands_on_the_paper(
    sqlite_client: FlaskClient, lin: int, language: str, fields: dict[str, str]
) -> None:
    sqlite_client.set_cookie("language", language)
    address = made(sqlite_client, lin, **fields)
    content = json.loads(sqlite_client.get(f"{address}.json").data)["content"]
    paper = held(sqlite_client, address)

    numbers = set(re.findall(r"[0-9][0-9,]*\.[0-9]{2}", paper.text))
    assert figures_of(content) <= numbers
    on_the_page = re.findall(r"(?<![0-9])[0-9][0-9,]*\.[0-9]{2}", text_of(sqlite_client, address))
    assert set(on_the_page) <= numbers
    for loan in content["loans"]:
        for entry in loan["entries"]:
            assert entry["line"] in paper.text
            assert entry["on"] in paper.text


def signed_on(paper: Read) -> dict[str, str]:
    """What the signature covers, read off the paper alone."""
    last = next(page for page in reversed(paper.pages) if "Fingerprint" in page)
    tail = last[last.rindex("Reference") :]
    values = {}
    for (name, word), following in zip(NAMES.items(), [*list(NAMES.values())[1:], "\n"]):
        start = tail.index(word) + len(word)
        end = tail.index(following, start) if following != "\n" else len(tail)
        values[name] = "".join(tail[start:end].split()) if following != "\n" else tail[start:].split()[0]
        tail = tail[end:] if following != "\n" else tail
    return values


def test_a_stranger_verifies_the_signature_from_the_paper_alone(sqlite_client: FlaskClient, lin: int) -> None:
    sqlite_client.set_cookie("language", "en")
    paper = held(sqlite_client, made(sqlite_client, lin))
    stranger = sqlite_client.application.test_client()
    (key,) = json.loads(stranger.get("/.well-known/portal-keys.json").data)["keys"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    facts = signed_on(paper)
    signature = base64.urlsafe_b64decode(facts.pop("signature") + "==")

    assert facts.pop("key") == key["kid"]
    facts["kind"] = "statement"
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    public.verify(signature, text)
    with pytest.raises(InvalidSignature):
        public.verify(signature, text.replace(b"2026-11-20", b"2026-11-21", 1))

    attached = json.loads(paper.attached[f"statement-{facts['reference']}.json"])
    content = json.dumps(attached["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(content.encode()).hexdigest() == facts["digest"]
    assert attached["signed"] == facts


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_on_the_paper_leads_to_the_public_check(
    sqlite_client: FlaskClient, lin: int, language: str
) -> None:
    sqlite_client.set_cookie("language", language)
    paper = held(sqlite_client, made(sqlite_client, lin))

    (address,) = paper.codes
    stranger = sqlite_client.application.test_client()
    stranger.set_cookie("language", "en")
    path = address.removeprefix("http://localhost")
    assert "Genuine We issued this statement" in text_of(stranger, path)
    forged = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert "This is not the statement we issued" in text_of(stranger, forged)


def test_it_is_the_same_file_whenever_it_is_made(sqlite_client: FlaskClient, lin: int) -> None:
    address = made(sqlite_client, lin)
    first = sqlite_client.get(f"{address}.pdf").data
    made(sqlite_client, lin, until="2026-11-03")

    assert sqlite_client.get(f"{address}.pdf").data == first


def test_only_its_owner_gets_it(
    sqlite_client: FlaskClient, sqlite_database: Database, lin: int, keys: Keys
) -> None:
    address = made(sqlite_client, lin)
    stranger = sqlite_client.application.test_client()
    assert stranger.get(f"{address}.pdf").status_code == 303
    other = sqlite_database.write(
        lambda session: people.borrower(session, keys, customer_ref="C900008", name="钱", phone="13900000088")
    )
    people.sign_in(stranger, other)

    assert stranger.get(f"{address}.pdf").status_code == 404


def test_the_page_leads_to_it(sqlite_client: FlaskClient, lin: int) -> None:
    address = made(sqlite_client, lin)

    assert f'href="{address}.pdf"' in sqlite_client.get(address).text
