"""Issuing: once, signed, for the owner, unchanged by what the ledger says later; on both databases."""

from __future__ import annotations

import base64
import secrets
import threading
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal.access.limits import STATEMENTS_HOUR
from portal.accounts.models import IssuedStatement, Loan
from portal.accounts.operations import post_payment
from portal.audit import AuditEntry
from portal.db import Database
from portal.keys import Keys
from portal.papers.faces import Comparison
from portal.signing import Signer, canonical
from portal.statements import issuing
from portal.statements.faces import face_of
from portal.statements.queries import Choice, issued_for, issued_list_for, statement_for
from portal.statements.sheet import digest_of
from tests import people
from tests.people import BUSINESS_DATE

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
ALL = Choice("CNY", None, None, BUSINESS_DATE)


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    """Lin with a loan and a card; Zhao is there too."""

    def unit(session: Session) -> int:
        people.zhao(session, keys)
        return people.lin(session, keys)

    return database.write(unit)


def issue(
    database: Database, keys: Keys, signer: Signer, borrower_id: int, choice: Choice = ALL
) -> str | issuing.Wait | None:
    return database.write(
        lambda session: issuing.issue(
            session,
            keys=keys,
            signer=signer,
            issuer="harbour",
            borrower_id=borrower_id,
            choice=choice,
            today=BUSINESS_DATE,
            now=NOW,
            real_now=NOW,
        )
    )


def test_an_issued_statement_is_kept_hashed_signed_and_on_record(
    database: Database, keys: Keys, signer: Signer, lin: int
) -> None:
    reference = issue(database, keys, signer, lin)

    assert isinstance(reference, str)
    with database.read() as connection:
        issued = issued_for(connection, lin, reference)
        face = face_of(connection, reference)
        events = connection.scalars(select(AuditEntry.subject_ref)).all()
    assert issued is not None
    assert face is not None
    assert issued.digest == digest_of(issued.content) == face.digest
    assert issued.statement.closing.left == 1_827_000
    assert issued.statement.due_now == 1_827_000
    facts = issuing.signed_facts(
        issuer="harbour",
        reference=reference,
        issued_on=BUSINESS_DATE,
        as_of=BUSINESS_DATE,
        digest=issued.digest,
    )
    assert signer.verify(facts, issued.signature)
    assert not signer.verify(facts | {"digest": "0" * 64}, issued.signature)
    assert (face.issued_on, face.compare(issued.digest)) == (BUSINESS_DATE, Comparison.SAME)
    assert events == [reference]


def test_a_third_party_checks_with_the_published_key_alone(
    database: Database, keys: Keys, signer: Signer, lin: int
) -> None:
    reference = issue(database, keys, signer, lin)
    assert isinstance(reference, str)
    with database.read() as connection:
        issued = issued_for(connection, lin, reference)
    assert issued is not None
    facts = issuing.signed_facts(
        issuer="harbour",
        reference=reference,
        issued_on=issued.issued_on,
        as_of=issued.statement.as_of,
        digest=issued.digest,
    )
    key = signer.public_key()

    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.urlsafe_b64decode(issued.signature + "=="), canonical(facts))

    assert (key["kty"], key["crv"], key["kid"]) == ("OKP", "Ed25519", issued.key_id)


def test_the_same_statement_is_issued_once_and_another_gets_its_own(
    database: Database, keys: Keys, signer: Signer, lin: int
) -> None:
    first = issue(database, keys, signer, lin)
    again = issue(database, keys, signer, lin)
    other = issue(database, keys, signer, lin, Choice("CNY", "L-LIN-1", None, BUSINESS_DATE))

    assert first == again != other
    with database.read() as connection:
        assert len(issued_list_for(connection, lin)) == 2


def test_eight_at_once_make_one(database: Database, keys: Keys, signer: Signer, lin: int) -> None:
    barrier = threading.Barrier(8)
    made: list[object] = []

    def ask() -> None:
        barrier.wait()
        made.append(issue(database, keys, signer, lin))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(made)) == 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(IssuedStatement)) == 1


def test_a_later_payment_changes_nothing_of_it(
    database: Database, keys: Keys, signer: Signer, lin: int
) -> None:
    reference = issue(database, keys, signer, lin)
    assert isinstance(reference, str)
    with database.read() as connection:
        before = issued_for(connection, lin, reference)
        loan_id = connection.scalar(select(Loan.id).where(Loan.loan_ref == "L-LIN-1"))
    assert loan_id is not None

    database.write(
        lambda session: post_payment(
            session,
            loan_id=loan_id,
            parts={"interest": 10_000},
            suspense_minor=0,
            posted_on=BUSINESS_DATE,
            payment_id=None,
            line_ref="P-1",
            memo="",
            now=NOW,
        )
    )

    with database.read() as connection:
        assert issued_for(connection, lin, reference) == before
        now = statement_for(connection, lin, ALL, issuer="harbour")
    assert now is not None
    assert before is not None
    assert now.closing.left == before.statement.closing.left - 10_000
    assert issue(database, keys, signer, lin) != reference


def test_what_is_not_ones_own_is_nothing(database: Database, keys: Keys, signer: Signer, lin: int) -> None:
    with database.read() as connection:
        zhao = connection.scalar(select(Loan.borrower_id).where(Loan.loan_ref == "L-ZHAO-1"))
    assert zhao is not None
    reference = issue(database, keys, signer, lin)
    assert isinstance(reference, str)

    assert issue(database, keys, signer, zhao, Choice("CNY", "L-LIN-1", None, BUSINESS_DATE)) is None
    assert issue(database, keys, signer, zhao, Choice("USD", None, None, BUSINESS_DATE)) is None
    with database.read() as connection:
        assert issued_for(connection, zhao, reference) is None
        assert issued_list_for(connection, zhao) == ()


def test_the_database_itself_refuses_to_change_what_was_issued(
    database: Database, keys: Keys, signer: Signer, lin: int
) -> None:
    issue(database, keys, signer, lin)

    with pytest.raises(DBAPIError, match="append-only"):
        database.write(lambda session: session.execute(update(IssuedStatement).values(digest="0" * 64)))


def test_a_period_begins_where_the_one_before_ends(database: Database, lin: int) -> None:
    choice = Choice("CNY", "L-LIN-1", date(2026, 10, 15), BUSINESS_DATE)
    with database.read() as connection:
        made = statement_for(connection, lin, choice, issuer="harbour")

    assert made is not None
    assert made.opening.left == 1_200_000
    assert (made.moved.owed, made.moved.paid) == (12_000, 0)
    assert [entry.line_ref for entry in made.loans[0].entries] == ["L-LIN-1-1", "L-LIN-1-2"]


def test_too_many_in_an_hour_wait(sqlite_database: Database, keys: Keys, signer: Signer) -> None:
    lin = sqlite_database.write(lambda session: people.lin(session, keys))

    made = [issue(sqlite_database, keys, signer, lin) for _ in range(STATEMENTS_HOUR.most + 1)]

    assert len(set(made[:-1])) == 1
    assert isinstance(made[-1], issuing.Wait)
    assert 0 < made[-1].seconds <= STATEMENTS_HOUR.seconds


def test_a_reference_that_stands_already_is_drawn_again(
    database: Database, keys: Keys, signer: Signer, lin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter([0, 0, 1])
    monkeypatch.setattr(secrets, "randbits", lambda bits: next(drawn))

    made = [
        issue(database, keys, signer, lin, Choice("CNY", ref, None, BUSINESS_DATE))
        for ref in ("L-LIN-1", "C-LIN-1")
    ]

    assert made == ["S-0000-00000", "S-1000-0000Z"]
