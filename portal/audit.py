"""The record of who did what to what, when and why: append-only rows, sealed into a chain.

Rows are written in the transaction of the change they tell of; `seal` numbers and chains them
afterwards, one sealer at a time, so that concurrent writers never wait for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, BigId, Row, append_only
from portal.keys import Keys


@dataclass(frozen=True)
class Actor:
    """Who acts. `kind` is ``borrower``, ``staff``, ``officer``, ``system``, ``operator`` or ``provider``; `ref` is
    the row id or a stable name, never a person's name."""

    kind: str
    ref: str


SYSTEM = Actor("system", "portal")


class AuditEntry(Row):
    """One thing that happened. `facts` hold codes, ids and digests; no secret, name or phone."""

    __tablename__ = "audit_entry"
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_ref: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(64))
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_ref: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (Index("ix_audit_entry_subject", "subject_kind", "subject_ref"),)


class AuditSeal(Base):
    """The chain: gapless numbers, each hash over the one before and the entry."""

    __tablename__ = "audit_seal"
    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entry.id"), unique=True)
    hash: Mapped[str] = mapped_column(String(64))


append_only(AuditEntry.__table__)  # type: ignore[arg-type]
append_only(AuditSeal.__table__)  # type: ignore[arg-type]


def record(
    session: Session,
    *,
    actor: Actor,
    event: str,
    subject_kind: str,
    subject_ref: str | int,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Add one entry to the caller's transaction."""
    session.add(
        AuditEntry(
            created_at=now,
            actor_kind=actor.kind,
            actor_ref=actor.ref,
            event=event,
            subject_kind=subject_kind,
            subject_ref=str(subject_ref),
            facts=dict(facts or {}),
        )
    )


#: How many entries behind the newest sealed one are looked at each time for one whose writer was slow to
#: commit. The record only grows: who looks through all of it every second soon does nothing else.
LOOK_BACK = 10_000


def seal(session: Session, *, keys: Keys, limit: int = 1000, look_back: int | None = LOOK_BACK) -> int:
    """Number and chain up to `limit` unsealed entries, oldest first; returns how many.

    With no `look_back` the whole record is searched for stragglers. The primary key of `audit_seal` makes
    two sealers at once end in one chain: the second fails on the number and its unit is rolled back.
    """
    last = session.execute(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1)).scalar()
    number, previous = (last.number, last.hash) if last else (0, "")
    unsealed = (
        select(AuditEntry)
        .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
        .where(AuditSeal.number.is_(None))
        .order_by(AuditEntry.id)
        .limit(limit)
    )
    if look_back is not None:
        newest = session.scalar(select(func.max(AuditSeal.entry_id))) or 0
        unsealed = unsealed.where(AuditEntry.id > newest - look_back)
    count = 0
    for entry in session.execute(unsealed).scalars():
        number += 1
        count += 1
        previous = chain_hash(keys, previous, entry)
        session.add(AuditSeal(number=number, entry_id=entry.id, hash=previous))
    return count


def verify(session: Session, *, keys: Keys) -> int | None:
    """None when the chain is whole, else the number of the first seal that does not fit."""
    previous = ""
    rows = session.execute(
        select(AuditSeal, AuditEntry)
        .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
        .order_by(AuditSeal.number)
    )
    for expected, (seal_row, entry) in enumerate(rows, start=1):
        if entry is None or seal_row.number != expected:
            return expected
        previous = chain_hash(keys, previous, entry)
        if previous != seal_row.hash:
            return expected
    return None


def chain_hash(keys: Keys, previous: str, entry: AuditEntry) -> str:
    """The keyed hash over the hash before and every column of the entry."""
    text = json.dumps(
        [
            entry.id,
            entry.created_at.isoformat(),
            entry.actor_kind,
            entry.actor_ref,
            entry.event,
            entry.subject_kind,
            entry.subject_ref,
            entry.facts,
        ],
        ensure_ascii=False,
        sort_keys=True,
    )
    return keys.digest("audit-chain", previous + hashlib.sha256(text.encode()).hexdigest())
