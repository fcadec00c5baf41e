"""The public check of a statement: what a stranger with the paper learns, and what nobody learns."""

from __future__ import annotations

import html
import json
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.models import IssuedStatement
from portal.db import Database
from portal.keys import Keys
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.signing import Signer
from portal.statements import issuing
from portal.statements.queries import Choice
from tests import people
from tests.people import BUSINESS_DATE, CREATED
from tests.web.borrower.test_balance import statements
from tests.web.public.test_third_party import FIELDS, LANGUAGES, readable

pytestmark = pytest.mark.slow


class Held:
    """What somebody with the paper holds."""

    def __init__(self, reference: str, digest: str) -> None:
        self.reference, self.digest = reference, digest


def issued(database: Database, keys: Keys, signer: Signer) -> Held:
    lin = database.write(lambda session: people.lin(session, keys))
    reference = database.write(
        lambda session: issuing.issue(
            session,
            keys=keys,
            signer=signer,
            issuer="harbour",
            borrower_id=lin,
            choice=Choice("CNY", None, None, BUSINESS_DATE),
            today=BUSINESS_DATE,
            now=CREATED,
            real_now=CREATED,
        )
    )
    assert isinstance(reference, str)
    with database.read() as connection:
        digest = connection.scalars(select(IssuedStatement.digest)).one()
    return Held(reference, digest)


@pytest.fixture
def held(database: Database, keys: Keys, signer: Signer) -> Held:
    return issued(database, keys, signer)


@pytest.fixture
def sqlite_held(sqlite_database: Database, keys: Keys, signer: Signer) -> Held:
    return issued(sqlite_database, keys, signer)


def heading(client: FlaskClient, address: str) -> str:
    answer = client.get(address, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", answer.text)
    return str(found)


def test_the_scanned_address_says_that_it_is_the_same(client: FlaskClient, held: Held) -> None:
    address = f"/statement/{held.reference}?digest={held.digest}"

    assert heading(client, address) == "We issued this statement"
    assert "20 November 2026" in client.get(address, headers={"Accept-Language": "en"}).text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda digest: digest[:16], "We issued this statement"),
        (lambda digest: f" {digest[:8].upper()} {digest[8:20].upper()}-{digest[20:]} ", "We issued this statement"),
        (lambda digest: digest[:15], "We issued a statement with this reference"),
        (lambda digest: "", "We issued a statement with this reference"),
        (lambda digest: digest[:-1] + ("0" if digest[-1] != "0" else "1"), "This is not the statement we issued"),
        (lambda digest: digest + "0", "This is not the statement we issued"),
        (lambda digest: "查询码", "This is not the statement we issued"),
        (lambda digest: "f" * 64, "This is not the statement we issued"),
    ],
)  # fmt: skip
def test_a_typed_fingerprint_is_compared(
    sqlite_client: FlaskClient, sqlite_held: Held, change: object, words: str
) -> None:
    typed = change(sqlite_held.digest)  # type: ignore[operator]

    sent = sqlite_client.get("/statement", query_string={"reference": sqlite_held.reference, "digest": typed})

    assert sent.status_code == 303
    assert heading(sqlite_client, sent.location) == words


@pytest.mark.parametrize(
    "reference",
    ["S-0000-00000", "S-7KQF-3MWD2", "K-0000-00000", "x", "'; DROP TABLE statement", "S" * 300, "%E6%9F%A5"],
)
def test_what_was_never_issued_is_not_found(
    sqlite_client: FlaskClient, sqlite_held: Held, reference: str
) -> None:
    assert heading(sqlite_client, f"/statement/{reference}") == "We issued no statement with this reference"


def test_a_reference_is_read_as_people_type_it(sqlite_client: FlaskClient, sqlite_held: Held) -> None:
    typed = sqlite_held.reference.lower().replace("-", " ")

    sent = sqlite_client.get("/statement", query_string={"reference": typed})
    checked = sqlite_client.post("/check", data={"code": typed})

    assert sent.location == checked.location == f"/statement/{sqlite_held.reference}"
    assert heading(sqlite_client, "/statement?reference=%20") == "Is a statement from us?"


def reached(client: FlaskClient, held: Held, language: str) -> list[str]:
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    paths = [
        "/statement",
        f"/statement/{held.reference}",
        f"/statement/{held.reference}?digest={held.digest}",
        f"/statement/{held.reference}?digest={'0' * 64}",
        f"/statement/{held.reference}?digest=12",
        "/statement/S-0000-00000",
        "/.well-known/portal-keys.json",
    ]
    pages = [client.get(path) for path in paths]
    assert all(page.status_code == 200 for page in pages)
    assert all("Set-Cookie" not in page.headers for page in pages)
    return [readable(page).replace(held.reference, "").replace(held.digest, "") for page in pages]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_stranger_learns_of_no_debt_no_person_and_no_figure(
    sqlite_client: FlaskClient, sqlite_held: Held, language: str
) -> None:
    for text in reached(sqlite_client, sqlite_held, language):
        assert forbidden_words_in(text) == (), text
        assert amounts_in(text) == ()
        assert [field for field in FIELDS if field in text] == []


def test_nothing_is_written_and_one_row_is_read(client: FlaskClient, database: Database, held: Held) -> None:
    with statements(database) as seen:
        client.get(f"/statement/{held.reference}?digest={held.digest}")

    (statement,) = seen
    assert "FROM statement_face" in statement
    assert "borrower" not in statement


def test_what_was_typed_is_printed_as_text(sqlite_client: FlaskClient, sqlite_held: Held) -> None:
    text = sqlite_client.get(
        f"/statement/{sqlite_held.reference}", query_string={"digest": '"><script>alert(1)</script>'}
    ).text

    assert "<script>alert" not in text
    assert '"><script>alert(1)</script>' in html.unescape(text)


def test_the_key_is_published_for_anybody(sqlite_client: FlaskClient, signer: Signer) -> None:
    answer = sqlite_client.get("/.well-known/portal-keys.json")

    assert answer.mimetype == "application/json"
    assert json.loads(answer.data) == {"keys": [signer.public_key()]}
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert "d" not in signer.public_key()


@pytest.mark.parametrize("path", ["/statement", "/statement/S-0000-00000"])
def test_the_pages_are_well_formed(sqlite_client: FlaskClient, path: str) -> None:
    text = sqlite_client.get(path).text
    ids = re.findall(r'\sid="([^"]+)"', text)

    assert text.count("<h1") == 1
    assert len(ids) == len(set(ids))
    for field in re.findall(r'<input(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', text):
        assert f'<label for="{field}">' in text
    for described in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', text):
        assert set(described.split()) <= set(ids)
