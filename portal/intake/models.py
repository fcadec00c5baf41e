"""Which batches were taken in, and from which files."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Date, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Row


class IntakeBatch(Row):
    """One applied batch. A bank's sequence number is taken once; so is a manifest's content."""

    __tablename__ = "intake_batch"
    bank: Mapped[str] = mapped_column(String(32))
    batch_ref: Mapped[str] = mapped_column(String(48))
    sequence: Mapped[int]
    business_date: Mapped[date] = mapped_column(Date)
    #: "full" or "delta"
    mode: Mapped[str] = mapped_column(String(8))
    mapping: Mapped[str] = mapped_column(String(48))
    manifest_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    demonstration: Mapped[bool]
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (UniqueConstraint("bank", "sequence"),)


class IntakeFile(Row):
    """One file of a batch."""

    __tablename__ = "intake_file"
    batch_id: Mapped[int] = mapped_column(ForeignKey("intake_batch.id"))
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    row_count: Mapped[int]
    __table_args__ = (UniqueConstraint("batch_id", "name"),)
