"""Reports of wrong numbers as the desk sees them: whose the number is on file, and what speaks for either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, String, column, func, select, table
from sqlalchemy.orm import Session

from portal.access.models import Challenge
from portal.borrowers.models import Borrower
from portal.contacts.lifecycle import NumberState
from portal.contacts.models import Contact, Hold, WrongNumber, WrongNumberAnswer
from portal.contacts.rule import WRONG_NUMBER
from portal.contacts.wrong_numbers import source_of
from portal.db import UtcDateTime
from portal.keys import Keys

#: Contacts to the number that are shown beside it.
SHOWN = 6
#: Notices and the reports on them are a room further up.
_NOTICE = table(
    "notice",
    column("id", BigInteger),
    column("borrower_id", BigInteger),
    column("notice_ref", String),
    column("channel", String),
    column("issued_at", UtcDateTime),
)
_SAID = table("wrong_person", column("notice_id", BigInteger), column("created_at", UtcDateTime))


@dataclass(frozen=True)
class NumberRow:
    """One reported number. `has_other`: the core has another number of this customer by now."""

    number_id: int
    customer_ref: str
    name: str
    tail: str
    state: str
    version: int
    reports: int
    since: datetime
    last_at: datetime
    has_other: bool


@dataclass(frozen=True)
class Reported:
    """A message that somebody said does not concern him."""

    notice_ref: str
    channel: str
    issued_at: datetime
    reported_at: datetime


@dataclass(frozen=True)
class Rung:
    """A contact to the number: what came of it."""

    channel: str
    at: datetime
    outcome: str


@dataclass(frozen=True)
class Answered:
    """An answer of the desk."""

    action: str
    note: str
    staff_ref: str
    at: datetime


@dataclass(frozen=True)
class NumberDetail:
    """Everything the desk weighs. `others`: other customers with this number on file; `signed_in_at`: when this
    customer last signed in with a code sent to the number on file; `hold`: "pause", "stop" or ""."""

    row: NumberRow
    changed_at: datetime | None
    others: int
    signed_in_at: datetime | None
    hold: str
    reported: tuple[Reported, ...]
    contacts: tuple[Rung, ...]
    answers: tuple[Answered, ...]


def number_rows(
    connection: Connection | Session, keys: Keys, *, answered: bool, limit: int, offset: int = 0
) -> tuple[NumberRow, ...]:
    """The reports that wait, the longest first; or those answered, the latest first."""
    statement = _rows().limit(limit).offset(offset)
    if answered:
        statement = statement.where(WrongNumber.state != NumberState.OPEN).order_by(
            WrongNumber.last_at.desc(), WrongNumber.id.desc()
        )
    else:
        statement = statement.where(WrongNumber.state == NumberState.OPEN).order_by(
            WrongNumber.since, WrongNumber.id
        )
    return tuple(_view(row, keys) for row in connection.execute(statement))


def waiting(connection: Connection | Session) -> int:
    """How many reports wait for an answer."""
    open_ones = select(func.count()).select_from(WrongNumber).where(WrongNumber.state == NumberState.OPEN)
    return connection.scalar(open_ones) or 0


def number_detail(connection: Connection | Session, keys: Keys, number_id: int) -> NumberDetail | None:
    """One report with what the desk may see of it."""
    found = connection.execute(_rows().where(WrongNumber.id == number_id)).one_or_none()
    if found is None:
        return None
    others = (
        select(func.count())
        .select_from(Borrower)
        .where(Borrower.phone_digest == found.number_digest, Borrower.id != found.borrower_id)
    )
    signed_in = select(func.max(Challenge.used_at)).where(Challenge.borrower_id == found.borrower_id)
    hold = select(Hold.kind).where(
        Hold.source == source_of(number_id), Hold.reason == WRONG_NUMBER, Hold.lifted_at.is_(None)
    )
    return NumberDetail(
        row=_view(found, keys),
        changed_at=found.phone_changed_at,
        others=connection.scalar(others) or 0,
        signed_in_at=connection.scalar(signed_in),
        hold=connection.scalar(hold) or "",
        reported=_reported(connection, found.borrower_id),
        contacts=_contacts(connection, found.borrower_id, found.number_digest),
        answers=_answers(connection, keys, number_id),
    )


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        WrongNumber.id,
        WrongNumber.borrower_id,
        WrongNumber.number_digest,
        WrongNumber.tail_sealed,
        WrongNumber.state,
        WrongNumber.version,
        WrongNumber.reports,
        WrongNumber.since,
        WrongNumber.last_at,
        Borrower.customer_ref,
        Borrower.name_sealed,
        Borrower.phone_digest,
        Borrower.phone_changed_at,
    ).join(Borrower, Borrower.id == WrongNumber.borrower_id)


def _view(row: Any, keys: Keys) -> NumberRow:
    return NumberRow(
        number_id=row.id,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        tail=keys.unseal("contact.tail", row.tail_sealed),
        state=row.state,
        version=row.version,
        reports=row.reports,
        since=row.since,
        last_at=row.last_at,
        has_other=row.phone_digest != row.number_digest,
    )


def _reported(connection: Connection | Session, borrower_id: int) -> tuple[Reported, ...]:
    rows = connection.execute(
        select(_NOTICE.c.notice_ref, _NOTICE.c.channel, _NOTICE.c.issued_at, _SAID.c.created_at)
        .join(_SAID, _SAID.c.notice_id == _NOTICE.c.id)
        .where(_NOTICE.c.borrower_id == borrower_id)
        .order_by(_SAID.c.created_at.desc())
        .limit(SHOWN)
    )
    return tuple(Reported(*row) for row in rows)


def _contacts(connection: Connection | Session, borrower_id: int, number_digest: str) -> tuple[Rung, ...]:
    rows = connection.execute(
        select(Contact.channel, Contact.at, Contact.outcome)
        .where(Contact.borrower_id == borrower_id, Contact.number_digest == number_digest)
        .order_by(Contact.at.desc(), Contact.id.desc())
        .limit(SHOWN)
    )
    return tuple(Rung(*row) for row in rows)


def _answers(connection: Connection | Session, keys: Keys, number_id: int) -> tuple[Answered, ...]:
    rows = connection.execute(
        select(
            WrongNumberAnswer.action,
            WrongNumberAnswer.note_sealed,
            WrongNumberAnswer.staff_ref,
            WrongNumberAnswer.created_at,
        )
        .where(WrongNumberAnswer.wrong_number_id == number_id)
        .order_by(WrongNumberAnswer.version.desc())
    )
    return tuple(
        Answered(action, keys.unseal("contact.note", note), ref, at) for action, note, ref, at in rows
    )
