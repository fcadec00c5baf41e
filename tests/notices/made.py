"""Notices for tests: an agency, a notice by channel, and what its holder would type."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access import codes
from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.notices import operations
from portal.notices.models import Notice
from portal.notices.operations import MintedCode, Sending, open_code

CREATED = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TEXT = "【港湾银行】您有一份服务通知，查询码{code}。请打开{link}核实，或自行输入my.harbour.example。"
TEXT_WITHOUT_LINK = "【港湾银行】您有一份服务通知，查询码{code}。请自行输入my.harbour.example核实。"
SENDING = Sending(
    base_url="https://my.harbour.example",
    links_in_sms=True,
    zone="Asia/Shanghai",
    signature="港湾银行",
    host="my.harbour.example",
    phone="4000000001",
)


def agency(session: Session) -> int:
    """The bank itself, A00."""
    found = session.scalar(select(Agency.id).where(Agency.agency_ref == "A00"))
    if found is not None:
        return found
    row = Agency(
        created_at=CREATED,
        agency_ref="A00",
        name="港湾银行",
        kind="bank",
        phone="4000000001",
        engaged_from=date(2020, 1, 1),
        engaged_until=date(2030, 12, 31),
    )
    session.add(row)
    session.flush()
    return row.id


def notice(
    session: Session,
    *,
    borrower_id: int,
    notice_ref: str = "N1",
    channel: str = "sms",
    expires_on: date = date(2026, 12, 13),
    status: str = "live",
    body: str = TEXT,
) -> int:
    """A notice issued on 14 October 2026, stating 20,704.59."""
    row = Notice(
        created_at=CREATED,
        notice_ref=notice_ref,
        borrower_id=borrower_id,
        channel=channel,
        purpose="reminder",
        issued_at=datetime(2026, 10, 14, 8, 35, tzinfo=UTC),
        expires_on=expires_on,
        status=status,
        sender="10690000000001",
        agency_id=agency(session),
        stated_on=date(2026, 10, 14),
        stated_minor=2_070_459,
        currency="CNY",
        payee_account="9999000011112222333",
        body=body,
        body_without_link=TEXT_WITHOUT_LINK,
        batch_sequence=1,
    )
    session.add(row)
    session.flush()
    return row.id


def minted(database: Database, keys: Keys, notice_id: int) -> MintedCode:
    """Mint what lacks a code, and give the code of one notice, as its letter would carry it."""
    while database.write(lambda s: operations.mint(s, keys=keys, zone="Asia/Shanghai", now=CREATED)):
        pass
    with database.read() as connection:
        sealed = connection.scalar(select(Notice.code_sealed).where(Notice.id == notice_id))
    assert sealed is not None
    return open_code(keys, sealed)


def typed(code: str) -> str:
    """A code as a person types it from a message."""
    return codes.grouped(code).lower()
