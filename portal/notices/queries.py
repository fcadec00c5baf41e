"""Notices as a page or an operator reads them; the public door has faces.py instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, exists, func, select
from sqlalchemy.orm import Session

from portal.contacts.models import Hold
from portal.contacts.queries import is_in_force
from portal.notices.models import Notice


@dataclass(frozen=True)
class NoticeView:
    """One notice as its own borrower may see it."""

    notice_id: int
    notice_ref: str
    channel: str
    purpose: str
    issued_at: datetime
    expires_on: date
    status: str
    sender: str
    stated_on: date
    stated_minor: int
    currency: str


@dataclass(frozen=True)
class Waiting:
    """What has not gone out: notices without a code, and live SMS whose borrower has a hold."""

    unminted: int
    unsent: int
    held: int


def notices_for(connection: Connection | Session, borrower_id: int) -> tuple[NoticeView, ...]:
    """Every notice issued to this borrower, the newest first."""
    rows = connection.execute(
        select(
            Notice.id,
            Notice.notice_ref,
            Notice.channel,
            Notice.purpose,
            Notice.issued_at,
            Notice.expires_on,
            Notice.status,
            Notice.sender,
            Notice.stated_on,
            Notice.stated_minor,
            Notice.currency,
        )
        .where(Notice.borrower_id == borrower_id)
        .order_by(Notice.issued_at.desc(), Notice.id.desc())
    )
    return tuple(NoticeView(*row) for row in rows)


def waiting(connection: Connection | Session, *, now: datetime, today: date) -> Waiting:
    """How much is still to be minted and sent."""
    unminted = select(func.count()).select_from(Notice).where(Notice.code_digest.is_(None))
    live = (
        (Notice.channel == "sms")
        & (Notice.status == "live")
        & (Notice.expires_on >= today)
        & Notice.code_sealed.is_not(None)
    )
    held = exists(select(Hold.id).where(Hold.borrower_id == Notice.borrower_id, is_in_force(now)))
    unsent = select(func.count()).select_from(Notice).where(live)
    return Waiting(
        unminted=connection.scalar(unminted) or 0,
        unsent=connection.scalar(unsent) or 0,
        held=connection.scalar(unsent.where(held)) or 0,
    )
