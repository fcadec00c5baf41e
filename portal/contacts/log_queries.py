"""The log of contacts as pages print it, and the breaches that wait for a supervisor. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, String, column, func, select, table
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.contacts.lifecycle import BreachState
from portal.contacts.models import Agency, Contact, ContactBreach
from portal.keys import Keys

#: The reference of a notice, which is a room further up.
_NOTICES = table("notice", column("id", BigInteger), column("notice_ref", String))


@dataclass(frozen=True)
class BreachView:
    """What a contact broke, and what was done about it."""

    breach_id: int
    kind: str
    detail: str
    source: str
    over: int
    state: str
    note: str
    worked_by: str
    worked_at: datetime | None


@dataclass(frozen=True)
class ContactView:
    """One contact; `tail`: the last digits of the number, "" where none belongs to it."""

    contact_id: int
    channel: str
    direction: str
    party: str
    at: datetime
    outcome: str
    tail: str
    agency_name: str
    agency_kind: str
    officer_ref: str
    notice_ref: str
    source: str
    asked_for: bool
    pressing: bool
    breaches: tuple[BreachView, ...]


@dataclass(frozen=True)
class BreachRow:
    """A breach in the supervisor's list, with whom it happened to."""

    breach: BreachView
    contact: ContactView
    customer_ref: str
    name: str


def borrower_id_of(connection: Connection | Session, customer_ref: str) -> int | None:
    """The borrower whom the bank knows by this reference."""
    return connection.scalar(select(Borrower.id).where(Borrower.customer_ref == customer_ref))


def contacts_for(
    connection: Connection | Session, keys: Keys, borrower_id: int, *, limit: int = 50, offset: int = 0
) -> tuple[ContactView, ...]:
    """The contacts of one borrower, the newest first."""
    rows = connection.execute(
        _contacts()
        .where(Contact.borrower_id == borrower_id)
        .order_by(Contact.at.desc(), Contact.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    found = _breaches(connection, keys, [row.id for row in rows])
    return tuple(_view(row, keys, found.get(row.id, ())) for row in rows)


def contact_count(connection: Connection | Session, borrower_id: int) -> int:
    """How many contacts of one borrower are recorded."""
    return (
        connection.scalar(select(func.count()).select_from(Contact).where(Contact.borrower_id == borrower_id))
        or 0
    )


def breach_rows(
    connection: Connection | Session,
    keys: Keys,
    *,
    state: str = "",
    kind: str = "",
    agency_ref: str = "",
    limit: int = 100,
    offset: int = 0,
) -> tuple[BreachRow, ...]:
    """Breaches, the newest first; an empty filter lets everything through."""
    chosen = (
        select(ContactBreach.id, ContactBreach.contact_id)
        .join(Contact, Contact.id == ContactBreach.contact_id)
        .outerjoin(Agency, Agency.id == Contact.agency_id)
        .order_by(Contact.at.desc(), ContactBreach.id.desc())
        .limit(limit)
        .offset(offset)
    )
    for value, of in (
        (state, ContactBreach.state),
        (kind, ContactBreach.kind),
        (agency_ref, Agency.agency_ref),
    ):
        if value:
            chosen = chosen.where(of == value)
    pairs = connection.execute(chosen).all()
    ids = [contact_id for _, contact_id in pairs]
    contacts = {
        row.id: row
        for row in connection.execute(
            _contacts()
            .add_columns(Borrower.customer_ref, Borrower.name_sealed)
            .join(Borrower, Borrower.id == Contact.borrower_id)
            .where(Contact.id.in_(ids))
        )
    }
    found = _breaches(connection, keys, ids)
    rows = []
    for breach_id, contact_id in pairs:
        row = contacts[contact_id]
        breach = next(one for one in found[contact_id] if one.breach_id == breach_id)
        name = keys.unseal("borrower.name", row.name_sealed)
        rows.append(BreachRow(breach, _view(row, keys, found[contact_id]), row.customer_ref, name))
    return tuple(rows)


def breach_row(connection: Connection | Session, keys: Keys, breach_id: int) -> BreachRow | None:
    """One breach."""
    contact_id = connection.scalar(select(ContactBreach.contact_id).where(ContactBreach.id == breach_id))
    if contact_id is None:
        return None
    row = connection.execute(
        _contacts()
        .add_columns(Borrower.customer_ref, Borrower.name_sealed)
        .join(Borrower, Borrower.id == Contact.borrower_id)
        .where(Contact.id == contact_id)
    ).one()
    found = _breaches(connection, keys, [contact_id])[contact_id]
    breach = next(one for one in found if one.breach_id == breach_id)
    name = keys.unseal("borrower.name", row.name_sealed)
    return BreachRow(breach, _view(row, keys, found), row.customer_ref, name)


def breach_counts(connection: Connection | Session) -> Mapping[str, int]:
    """How many breaches are in each state."""
    rows = connection.execute(select(ContactBreach.state, func.count()).group_by(ContactBreach.state))
    return {state.value: 0 for state in BreachState} | {state: count for state, count in rows}


def breach_choices(connection: Connection | Session) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The kinds of breaches there are, and the agencies (reference, name) that made one."""
    kinds = connection.scalars(select(ContactBreach.kind).distinct().order_by(ContactBreach.kind))
    agencies = connection.execute(
        select(Agency.agency_ref, Agency.name)
        .join(Contact, Contact.agency_id == Agency.id)
        .join(ContactBreach, ContactBreach.contact_id == Contact.id)
        .distinct()
        .order_by(Agency.agency_ref)
    )
    return tuple(kinds), tuple((ref, name) for ref, name in agencies)


def _contacts() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Contact.id,
            Contact.channel,
            Contact.direction,
            Contact.party,
            Contact.at,
            Contact.outcome,
            Contact.tail_sealed,
            Contact.officer_ref,
            Contact.source,
            Contact.asked_for,
            Contact.pressing,
            Agency.name.label("agency_name"),
            Agency.kind.label("agency_kind"),
            _NOTICES.c.notice_ref,
        )
        .outerjoin(Agency, Agency.id == Contact.agency_id)
        .outerjoin(_NOTICES, _NOTICES.c.id == Contact.notice_id)
    )


def _view(row: Row[*tuple[Any, ...]], keys: Keys, breaches: tuple[BreachView, ...]) -> ContactView:
    return ContactView(
        contact_id=row.id,
        channel=row.channel,
        direction=row.direction,
        party=row.party,
        at=row.at,
        outcome=row.outcome,
        tail=keys.unseal("contact.tail", row.tail_sealed) if row.tail_sealed else "",
        agency_name=row.agency_name or "",
        agency_kind=row.agency_kind or "bank",
        officer_ref=row.officer_ref,
        notice_ref=row.notice_ref or "",
        source=row.source,
        asked_for=row.asked_for,
        pressing=row.pressing,
        breaches=breaches,
    )


def _breaches(
    connection: Connection | Session, keys: Keys, contact_ids: Collection[int]
) -> dict[int, tuple[BreachView, ...]]:
    if not contact_ids:
        return {}
    rows = connection.execute(
        select(ContactBreach.__table__)
        .where(ContactBreach.contact_id.in_(contact_ids))
        .order_by(ContactBreach.id)
    )
    found: dict[int, list[BreachView]] = defaultdict(list)
    for row in rows:
        note = keys.unseal("contact.note", row.note_sealed) if row.note_sealed else ""
        found[row.contact_id].append(
            BreachView(
                row.id,
                row.kind,
                row.detail,
                row.source,
                row.over,
                row.state,
                note,
                row.worked_by,
                row.worked_at,
            )
        )
    return {contact_id: tuple(views) for contact_id, views in found.items()}
