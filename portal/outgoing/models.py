"""What there is to tell the core, the batches it goes out in, and what the core answered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, Row

_STANDING = text("outcome <> 'refused'")


class OutgoingBatch(Row):
    """One batch. All its files say is in this row, its entries and the mapping kept here, so that a batch
    that a crash cut short is made again byte for byte. States in outgoing/lifecycle.py."""

    __tablename__ = "outgoing_batch"
    sequence: Mapped[int] = mapped_column(unique=True)
    batch_ref: Mapped[str] = mapped_column(String(48))
    bank: Mapped[str] = mapped_column(String(32))
    business_date: Mapped[date] = mapped_column(Date)
    demonstration: Mapped[bool]
    #: the mapping file's text as it was when the batch took its entries
    mapping_text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12), index=True)
    #: kind of entry -> how many
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: SHA-256 of the manifest's bytes; an acknowledgement names it
    manifest_sha256: Mapped[str] = mapped_column(String(64), default="")
    made_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    #: SHA-256 of the acknowledgement that was applied
    answer_sha256: Mapped[str] = mapped_column(String(64), default="")


class OutgoingEntry(Row):
    """One thing to tell: a ledger line posted here, a plan's beginning, change or end, a decision. The unique key
    makes it one entry however often it is looked for. States in outgoing/lifecycle.py."""

    __tablename__ = "outgoing_entry"
    #: "payment" (any ledger line posted here), "plan", "plan_change", "decision", "wish"
    kind: Mapped[str] = mapped_column(String(12))
    #: the ledger line's, plan's, change's, decision's or wish's row
    subject_id: Mapped[int]
    #: of a plan "made" or "ended"; else ""
    event: Mapped[str] = mapped_column(String(8))
    #: what the core names it by; of a ledger line its reference
    entry_ref: Mapped[str] = mapped_column(String(64), unique=True)
    #: file -> rows: the fields and values as they are told (outgoing/fields.py)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(12))
    #: since when it waits; a batch of a cut-off takes what waited by then
    due_at: Mapped[datetime]
    #: why the core refused it last
    reason: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (
        UniqueConstraint("kind", "subject_id", "event"),
        Index("ix_outgoing_entry_state", "state", "due_at"),
    )


class OutgoingRow(Base):
    """An entry's place in a batch. An entry stands in one batch; only the core's refusal frees it for
    another (never exported twice)."""

    __tablename__ = "outgoing_row"
    batch_id: Mapped[int] = mapped_column(ForeignKey("outgoing_batch.id"), primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("outgoing_entry.id"), primary_key=True)
    #: in the order in which the files name them
    position: Mapped[int] = mapped_column(Integer)
    #: "sent", "accepted", "refused"
    outcome: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (
        UniqueConstraint("batch_id", "position"),
        Index(
            "uq_outgoing_row_standing",
            "entry_id",
            unique=True,
            sqlite_where=_STANDING,
            postgresql_where=_STANDING,
        ),
    )
