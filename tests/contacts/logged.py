"""Contacts for tests: written down through the operation that everybody uses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import SYSTEM
from portal.contacts.log import Happened, Rules, record_contact
from portal.contacts.models import Agency
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys

RULES = Rules.of(pack("cn"), "Asia/Shanghai")
#: 09:00 at the bank
MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def log(
    database: Database, keys: Keys, borrower_id: int, ref: str, hours: float = 0, **more: Any
) -> int | None:
    """A call some hours from the bank's morning; its row's id, None where it is there already."""
    values = {"source": "officer", "channel": "call", "outcome": "answered", "number": "13900000034"} | more
    happened = Happened(
        borrower_id=borrower_id, source_ref=f"officer:{ref}", at=MORNING + timedelta(hours=hours), **values
    )
    return database.write(
        lambda session: record_contact(
            session, keys=keys, happened=happened, rules=RULES, now=MORNING, actor=SYSTEM
        )
    )


def agency(session: Session) -> int:
    """Huixin, an agency."""
    found = session.scalar(select(Agency.id).where(Agency.agency_ref == "A17"))
    if found is not None:
        return found
    row = Agency(
        created_at=MORNING,
        agency_ref="A17",
        name="汇信资产服务有限公司",
        kind="agency",
        phone="02100000017",
        engaged_from=date(2025, 1, 1),
        engaged_until=date(2027, 12, 31),
    )
    session.add(row)
    session.flush()
    return row.id
