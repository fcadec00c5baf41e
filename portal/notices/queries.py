"""What an operator asks of notices; the public door has faces.py instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, exists, func, select
from sqlalchemy.orm import Session

from portal.contacts.models import Hold
from portal.contacts.queries import is_in_force
from portal.notices.models import Notice


@dataclass(frozen=True)
class Waiting:
    """What has not gone out: notices without a code, and live SMS whose borrower has a hold."""

    unminted: int
    unsent: int
    held: int


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
