"""Reports of what is not ours, their groups, and what was decided. Nothing here leads to a borrower."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, BigId, Row, append_only


class FakeGroup(Row):
    """Reports that are near-identical, or that share an address or a number (fakes/grouping.py)."""

    __tablename__ = "fake_group"
    state: Mapped[str] = mapped_column(String(12))
    #: raised by every decision and merger: who decides names what he saw
    version: Mapped[int]
    reports: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    #: what the public warning shows; empty until confirmed, and again when taken back
    warned_at: Mapped[datetime | None]
    warning_text: Mapped[str] = mapped_column(Text)
    warning_links: Mapped[list[Any]] = mapped_column(JSON)
    warning_numbers: Mapped[list[Any]] = mapped_column(JSON)
    __table_args__ = (Index("ix_fake_group_queue", "state", "last_at"),)


class FakeReport(Row):
    """One report. What was sent is sealed; no name, no number of the reporter, no address of his."""

    __tablename__ = "fake_report"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    #: keyed digest of the form's key: the same form twice is one report
    form_digest: Mapped[str] = mapped_column(String(64), unique=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("fake_group.id"), index=True)
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    link_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    network_digest: Mapped[str] = mapped_column(String(64))
    #: keyed, over everything that makes it alike to another: equal ones need no second comparison
    likeness_digest: Mapped[str] = mapped_column(String(64), index=True)
    sketch: Mapped[list[Any]] = mapped_column(JSON)


class FakeKey(Base):
    """By what a report is found again: keyed digests of addresses, numbers and pieces of its sketch."""

    __tablename__ = "fake_key"
    key_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("fake_report.id"), primary_key=True, index=True)
    #: an address or number, which alone makes two reports one group
    strong: Mapped[bool]


class FakePicture(Base):
    """The picture of a report: a JPEG of our own rendering, without metadata, sealed."""

    __tablename__ = "fake_picture"
    report_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("fake_report.id"), primary_key=True, autoincrement=False
    )
    jpeg_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class FakeDecision(Row):
    """What somebody at the desk decided about a group, and why. Append-only."""

    __tablename__ = "fake_decision"
    group_id: Mapped[int] = mapped_column(ForeignKey("fake_group.id"), index=True)
    action: Mapped[str] = mapped_column(String(12))
    #: the group's version that was decided on: two people at once, one decision
    version: Mapped[int]
    reports: Mapped[int]
    staff_ref: Mapped[str] = mapped_column(String(32))
    note_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (Index("uq_fake_decision_version", "group_id", "version", unique=True),)


append_only(FakeDecision.__table__)  # type: ignore[arg-type]
