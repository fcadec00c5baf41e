"""515 texts that break programs, in loans, ledger lines and notices (D70): each is stored exactly as the bank wrote it, and
shown as text."""

from __future__ import annotations

from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts.models import LedgerLine, Loan
from portal.bank_files.mapping import Mapping
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.intake.operations import Applied, Refused
from portal.notices.models import Notice
from tests import people
from tests.intake.book import Book, line, loan, small_book, write_book
from tests.intake.conftest import Take, contents
from tests.intake.naughty import REFUSED, texts

pytestmark = pytest.mark.slow

TEXTS = texts()


def _book(written: list[str], tame: bool = False) -> Book:
    """A customer with a loan, a ledger line and a notice for each text; and another whose texts are tame."""
    book = small_book()
    for letter, customer in (("N", "C3"), ("T", "C4"))[: 1 + tame]:
        book.rows["customers"].append({**book.rows["customers"][0], "customer_ref": customer})
        for number, text in enumerate(written):
            _add(book, f"{letter}{number:04d}", customer, text if letter == "N" else "x")
    book.settle()
    return book


def _add(book: Book, ref: str, customer: str, text: str) -> None:
    day = date(2026, 3, 7)
    book.rows["loans"].append(loan(ref, customer, product=text))
    book.rows["ledger"].append(line(f"T-{ref}", ref, day, "disbursement", principal=120_000, memo=text))
    body = text + "{code}"
    changes = {"notice_ref": ref, "customer_ref": customer, "loan_refs": (ref,), "body": body}
    book.rows["notices"].append({**book.rows["notices"][0], **changes, "body_without_link": body})


class _Page(HTMLParser):
    """The elements of a page with their attributes' names, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_there_are_enough_of_them() -> None:
    assert len(TEXTS) >= 515


@pytest.mark.parametrize("name", ["portal", "harbour"])
def test_each_is_stored_exactly(
    database: Database, take: Take, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    mapping: Mapping = request.getfixturevalue(f"{name}_mapping")
    written = [text for text in TEXTS if _fits(text, mapping)]

    answer = take(database, write_book(_book(written), mapping, tmp_path / "batch"), mapping)

    assert isinstance(answer, Applied), [(one.line, one.en) for one in answer.rejections][:5]
    with database.read() as connection:
        ours = "N%"
        for statement in (
            select(Loan.product).where(Loan.loan_ref.like(ours)).order_by(Loan.loan_ref),
            select(LedgerLine.memo).where(LedgerLine.line_ref.like("T-N%")).order_by(LedgerLine.line_ref),
        ):
            assert list(connection.scalars(statement)) == written
        bodies = select(Notice.body).where(Notice.notice_ref.like("N____")).order_by(Notice.notice_ref)
        assert list(connection.scalars(bodies)) == [text + "{code}" for text in written]


def _fits(text: str, mapping: Mapping) -> bool:
    """Whether the mapping's encoding has all characters of it."""
    try:
        text.encode(mapping.encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_each_is_shown_as_text(
    client: FlaskClient, database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    """The page of its borrower has the very elements of that of a borrower with tame texts."""
    directory = write_book(_book(TEXTS, tame=True), portal_mapping, tmp_path / "batch")
    answer = take(database, directory, portal_mapping)
    assert isinstance(answer, Applied), [(one.line, one.en) for one in answer.rejections][:5]

    naughty, tame = (_balance_page(client, database, customer) for customer in ("C3", "C4"))

    assert naughty.elements == tame.elements
    shown = "".join(naughty.text)
    assert [text for text in TEXTS if text not in shown] == []


def _balance_page(client: FlaskClient, database: Database, customer: str) -> _Page:
    with database.read() as connection:
        owner = connection.scalars(select(Borrower.id).where(Borrower.customer_ref == customer)).one()
    people.sign_in(client, owner)
    answer = client.get("/my/balance")
    assert answer.status_code == 200
    return _Page(answer.get_data(as_text=True))


@pytest.mark.parametrize("text", REFUSED, ids=[f"U+{ord(text[1]):04X}" for text in REFUSED])
def test_a_control_character_is_refused_by_name(
    sqlite_database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path, text: str
) -> None:
    before = contents(sqlite_database)

    answer = take(sqlite_database, write_book(_book([text]), portal_mapping, tmp_path / "b"), portal_mapping)

    assert isinstance(answer, Refused)
    assert {(one.file, one.reason) for one in answer.rejections} >= {
        ("loans.csv", "control"),
        ("ledger.csv", "control"),
        ("notices.csv", "control"),
    }
    assert contents(sqlite_database) == before
