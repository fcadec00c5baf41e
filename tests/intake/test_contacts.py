"""The file of contacts: taken in once, sealed, measured; refused with the line and the reason; undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.bank_files.mapping import Mapping, load_mapping
from portal.contacts.lifecycle import BreachAction
from portal.contacts.log import work_breach
from portal.contacts.models import Contact, ContactBreach
from portal.db import Database
from portal.intake.operations import Applied, Refused
from portal.intake.undo import CannotUndo, Undone, undo_last
from portal.keys import Keys
from tests.conftest import BANK_MORNING
from tests.intake.book import BUSINESS_DATE, SHANGHAI, Book, small_book, write_book
from tests.intake.conftest import Take, contents

pytestmark = pytest.mark.slow


def contact(ref: str, hour: int = 9, minute: int = 0, **changes: Any) -> dict[str, Any]:
    """A call to Lin on the business date."""
    row: dict[str, Any] = {
        "contact_ref": ref,
        "customer_ref": "C1",
        "channel": "call",
        "at": datetime(2026, 11, 20, hour, minute, tzinfo=SHANGHAI),
        "outcome": "answered",
        "number": "13900000034",
        "agency_ref": "A01",
        "officer_ref": None,
        "notice_ref": None,
        "party": "debtor",
        "direction": "out",
    }
    return row | changes


def with_contacts(*rows: dict[str, Any], sequence: int = 1) -> Book:
    """The small book with contacts."""
    book = small_book()
    book.sequence = sequence
    book.business_date = BUSINESS_DATE + timedelta(days=sequence - 1)
    book.settle()
    people = [row["customer_ref"] for row in book.rows["customers"]]
    agencies = [row["agency_ref"] for row in book.rows["agencies"]]
    names = {"C1": people[0], "A01": agencies[-1]}
    book.rows["contacts"] = [
        row
        | {
            "customer_ref": names.get(row["customer_ref"], row["customer_ref"]),
            "agency_ref": names.get(row["agency_ref"], row["agency_ref"]),
        }
        for row in rows
    ]
    return book


@pytest.mark.parametrize("name", ["harbour", "portal"])
def test_contacts_come_in_sealed_and_each_is_measured(
    database: Database, keys: Keys, take: Take, tmp_path: Path, name: str
) -> None:
    mapping = load_mapping(name)
    rows = [contact(f"K{hour}", hour) for hour in (7, 9, 10, 11, 12)]
    rows.append(contact("K-in", 23, direction="in"))

    answer = take(database, write_book(with_contacts(*rows), mapping, tmp_path / "b"), mapping)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    with database.read() as connection:
        held = connection.execute(select(Contact.__table__).where(Contact.source_ref == "core:K9")).one()
        found = connection.execute(
            select(Contact.source_ref, ContactBreach.kind, ContactBreach.over)
            .join(ContactBreach, ContactBreach.contact_id == Contact.id)
            .order_by(Contact.at, ContactBreach.kind)
        ).all()
    assert keys.unseal("contact.tail", held.tail_sealed) == "0034"
    assert held.number_digest == keys.digest("phone", "13900000034")
    assert [tuple(row) for row in found] == [
        ("core:K7", "hours", 60),
        ("core:K11", "effective_calls", 1),
        ("core:K12", "effective_calls", 2),
    ]


def test_a_contact_that_comes_late_is_put_where_it_belongs(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    first = with_contacts(*(contact(f"K{hour}", hour) for hour in (9, 10, 12)))
    late = with_contacts(contact("K11", 11), contact("K9", 9), sequence=2)

    take(database, write_book(first, portal_mapping, tmp_path / "1"), portal_mapping)
    answer = take(
        database,
        write_book(late, portal_mapping, tmp_path / "2"),
        portal_mapping,
        BANK_MORNING + timedelta(days=1),
    )

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    with database.read() as connection:
        found = connection.execute(
            select(Contact.source_ref, ContactBreach.kind).join(
                ContactBreach, ContactBreach.contact_id == Contact.id
            )
        ).all()
    assert [tuple(row) for row in found] == [("core:K12", "effective_calls")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (contact("K1", at=datetime(2026, 11, 21, 9, 0, tzinfo=SHANGHAI)), "contact_future"),
        (contact("K1", customer_ref="C-nobody"), "unknown_ref"),
        (contact("K1", agency_ref="A77"), "unknown_ref"),
        (contact("K1", officer_ref="X77"), "unknown_ref"),
        (contact("K1", notice_ref="N77"), "unknown_ref"),
    ],
)
def test_what_is_wrong_with_a_contact_refuses_the_batch(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    before = contents(database)

    answer = take(database, write_book(with_contacts(row), portal_mapping, tmp_path / "b"), portal_mapping)

    assert isinstance(answer, Refused)
    assert [(one.file, one.reason, one.line) for one in answer.rejections] == [("contacts.csv", reason, 2)]
    assert contents(database) == before


def test_a_notice_of_somebody_else_is_refused(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    book = with_contacts(contact("K1"))
    notice = book.rows["notices"][0]
    other = next(
        row["customer_ref"] for row in book.rows["customers"] if row["customer_ref"] != notice["customer_ref"]
    )
    book.rows["contacts"][0] |= {"notice_ref": notice["notice_ref"], "customer_ref": other}

    answer = take(database, write_book(book, portal_mapping, tmp_path / "b"), portal_mapping)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["foreign_notice"]


def test_the_same_contact_with_other_content_refuses_the_batch(
    database: Database, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, write_book(with_contacts(contact("K1")), portal_mapping, tmp_path / "1"), portal_mapping)
    other = with_contacts(contact("K1", outcome="no_answer"), sequence=2)

    answer = take(
        database,
        write_book(other, portal_mapping, tmp_path / "2"),
        portal_mapping,
        BANK_MORNING + timedelta(days=1),
    )

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["contact_changed"]


def test_an_undone_batch_takes_its_contacts_along_unless_a_breach_was_worked(
    database: Database, keys: Keys, take: Take, portal_mapping: Mapping, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    take(database, write_book(with_contacts(contact("K1")), portal_mapping, tmp_path / "1"), portal_mapping)
    second = write_book(with_contacts(contact("K2", 6), sequence=2), portal_mapping, tmp_path / "2")
    take(database, second, portal_mapping, BANK_MORNING + timedelta(days=1))
    undone = database.write(lambda session: undo_last(session, by="guo", now=now))
    with database.read() as connection:
        left = connection.scalars(select(Contact.source_ref).where(Contact.channel == "call")).all()
    take(database, second, portal_mapping, BANK_MORNING + timedelta(days=1))

    def work(session: Session) -> None:
        breach = session.scalars(select(ContactBreach)).one()
        work_breach(
            session,
            keys=keys,
            breach_id=breach.id,
            action=BreachAction.NOTE,
            note="spoken to the agency",
            staff_ref="S1",
            now=now,
        )

    database.write(work)
    refused = database.write(lambda session: undo_last(session, by="guo", now=now))

    assert isinstance(undone, Undone)
    assert left == ["core:K1"]
    assert isinstance(refused, CannotUndo)
    assert refused.in_the_way == {"contact_breach": 1}
