"""What lies on a borrower's phone and doormat in the demonstration; it opens what is sealed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from portal.access import codes
from portal.access.models import Staff
from portal.accounts.models import Loan
from portal.borrowers.models import Borrower
from portal.demo import FIRST_BORROWER
from portal.gateways import sms
from portal.keys import Keys
from portal.notices import operations as notices
from portal.notices.models import Notice

#: Texts looked through for one phone's.
MOST_TEXTS = 2000
#: Borrowers worth looking at first.
SUGGESTED = (FIRST_BORROWER, "C800001", "C800006", "C800011", "C800013", "C800020")


@dataclass(frozen=True)
class Owner:
    """Whose phone it is, with the last four of the ID number that sign-in asks for."""

    borrower_id: int
    customer_ref: str
    name: str
    phone: str
    id_tail: str


@dataclass(frozen=True)
class Paper:
    """A letter, visit notice or note of a call, with its code filled in."""

    channel: str
    issued_at: datetime
    text: str


_OWNER = (
    Borrower.id,
    Borrower.customer_ref,
    Borrower.name_sealed,
    Borrower.phone_sealed,
    Borrower.id_tail_sealed,
)


def owner_of(connection: Connection, keys: Keys, customer_ref: str) -> Owner | None:
    """The borrower behind a customer number."""
    row = connection.execute(select(*_OWNER).where(Borrower.customer_ref == customer_ref)).one_or_none()
    return None if row is None else _owner(keys, row)


def suggestions(connection: Connection, keys: Keys) -> list[tuple[Owner, int]]:
    """A few borrowers and how many loans each has."""
    rows = connection.execute(
        select(*_OWNER, func.count(Loan.id).label("loans"))
        .join(Loan, Loan.borrower_id == Borrower.id)
        .where(Borrower.customer_ref.in_(SUGGESTED))
        .group_by(Borrower.id)
        .order_by(Borrower.customer_ref)
    ).all()
    return [(_owner(keys, row), int(row.loans)) for row in rows]


def texts_of(connection: Connection, keys: Keys, owner: Owner) -> tuple[sms.PhoneText, ...]:
    """The text messages on this phone, newest last."""
    texts = sms.phone_texts(connection, keys, limit=MOST_TEXTS)
    return tuple(text for text in reversed(texts) if text.phone == owner.phone)


def papers_of(connection: Connection, keys: Keys, owner: Owner) -> list[Paper]:
    """Letters, calls and visit notices that reached this borrower, newest first."""
    rows = connection.execute(
        select(Notice.channel, Notice.issued_at, Notice.body, Notice.code_sealed)
        .where(
            Notice.borrower_id == owner.borrower_id,
            Notice.channel != "sms",
            Notice.code_sealed.is_not(None),
        )
        .order_by(Notice.issued_at.desc())
    ).all()
    return [
        Paper(
            row.channel,
            row.issued_at,
            filled(row.body, notices.open_code(keys, row.code_sealed), name=owner.name),
        )
        for row in rows
        if row.code_sealed is not None
    ]


def filled(body: str, minted: notices.MintedCode, *, name: str) -> str:
    """A letter's text with its code and the name that is kept sealed elsewhere; letters carry no link."""
    return body.replace("{code}", codes.grouped(minted.code)).replace("{name}", name)


def totp_secrets(connection: Connection, keys: Keys) -> dict[str, str]:
    """The TOTP secret of every account, by sign-in name."""
    rows = connection.execute(select(Staff.login, Staff.totp_sealed).where(Staff.left_at.is_(None)))
    return {row.login: keys.unseal("staff.totp", row.totp_sealed) for row in rows}


def _owner(keys: Keys, row: Row[*tuple[Any, ...]]) -> Owner:
    return Owner(
        borrower_id=row.id,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        phone=keys.unseal("borrower.phone", row.phone_sealed),
        id_tail=keys.unseal("borrower.id_tail", row.id_tail_sealed),
    )
