"""Which batches were taken in, from which files, what they changed, and which wait for a second person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Row

_STANDS = text("state <> 'undone'")
_WAITS = text("state IN ('held', 'released')")


class IntakeBatch(Row):
    """One applied batch. A bank's sequence number is taken once; so is a manifest's content. One that was
    undone stands aside, and its number is free again."""

    __tablename__ = "intake_batch"
    bank: Mapped[str] = mapped_column(String(32))
    batch_ref: Mapped[str] = mapped_column(String(48))
    sequence: Mapped[int]
    business_date: Mapped[date] = mapped_column(Date)
    #: "full" or "delta"
    mode: Mapped[str] = mapped_column(String(8))
    mapping: Mapped[str] = mapped_column(String(48))
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    demonstration: Mapped[bool]
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: "applied", "undoing" (within the transaction that undoes it), "undone"
    state: Mapped[str] = mapped_column(String(12), default="applied")
    #: table -> its largest id before the batch: what is above was added by it, or after it
    marks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    #: who ran it and who released it, as staff.human_ref; empty where nobody was named or needed
    applied_by: Mapped[str] = mapped_column(String(48), default="")
    released_by: Mapped[str] = mapped_column(String(48), default="")
    undone_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_intake_batch_sequence",
            "bank",
            "sequence",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
        Index(
            "uq_intake_batch_manifest",
            "manifest_sha256",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
    )


class IntakeFile(Row):
    """One file of a batch."""

    __tablename__ = "intake_file"
    batch_id: Mapped[int] = mapped_column(ForeignKey("intake_batch.id"))
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    row_count: Mapped[int]
    __table_args__ = (UniqueConstraint("batch_id", "name"),)


class IntakeBefore(Row):
    """A row as it was before the last batch changed it, so that the batch can be undone. Kept until the
    next batch; what is sealed in the row is sealed here."""

    __tablename__ = "intake_before"
    batch_id: Mapped[int] = mapped_column(ForeignKey("intake_batch.id"))
    table_name: Mapped[str] = mapped_column(String(32))
    row_id: Mapped[int]
    #: the row's columns as JSON, bytes in hexadecimal
    content: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("ix_intake_before_batch", "batch_id", "table_name"),)


class IntakeRun(Row):
    """One try to take a batch in: refused, held for a second person, or applied. A held one is released or
    rejected by somebody else; released, the same files go in."""

    __tablename__ = "intake_run"
    bank: Mapped[str] = mapped_column(String(32))
    batch_ref: Mapped[str] = mapped_column(String(48))
    sequence: Mapped[int]
    business_date: Mapped[date | None] = mapped_column(Date)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    mapping: Mapped[str] = mapped_column(String(48))
    #: where the files lay, for the one who applies them again
    directory: Mapped[str] = mapped_column(Text)
    #: intake/lifecycle.py: "refused", "held", "released", "rejected", "applied", "undone",
    #: "replaced"
    state: Mapped[str] = mapped_column(String(12))
    #: rows read per file
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: why a second person is needed: rule and facts
    findings: Mapped[list[Any]] = mapped_column(JSON)
    #: how many faults, and the first hundred of them
    fault_count: Mapped[int] = mapped_column(default=0)
    faults: Mapped[list[Any]] = mapped_column(JSON)
    #: staff.human_ref
    asked_by: Mapped[str] = mapped_column(String(48), default="")
    decided_by: Mapped[str] = mapped_column(String(48), default="")
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (
        # a batch waits once, however often it is tried
        Index(
            "uq_intake_run_waiting",
            "manifest_sha256",
            unique=True,
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
    )
