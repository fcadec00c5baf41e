"""Officers and visits."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Row


class Officer(Row):
    """Somebody who visits for the bank or an agency."""

    __tablename__ = "officer"
    officer_ref: Mapped[str] = mapped_column(String(16), unique=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    role: Mapped[str] = mapped_column(String(32))
    card_valid_until: Mapped[date] = mapped_column(Date)
    #: "active" or "left"
    status: Mapped[str] = mapped_column(String(8))
    #: when an operator took the right to visit away; no file of the bank gives it back
    revoked_at: Mapped[datetime | None]
    #: the photograph on the card, re-rendered and sealed in the store: the name it lies under
    photo_ref: Mapped[str | None] = mapped_column(String(64))


class Visit(Row):
    """One announced visit. Its states are those of visits/lifecycle.py."""

    __tablename__ = "visit"
    visit_ref: Mapped[str] = mapped_column(String(32), unique=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    address_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    lead_officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    second_officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
    purpose: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(12))
    #: why it is off: "bank", "proposal_open", "plan_in_force", "borrower", "no_visits"
    off_reason: Mapped[str | None] = mapped_column(String(24))
    batch_sequence: Mapped[int]
    #: the bank's hour that the borrower moved the visit away from
    moved_from: Mapped[datetime | None]
    #: another place that the borrower asked for, as they wrote it
    place_asked_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (
        Index("ix_visit_borrower", "borrower_id", "state"),
        Index("ix_visit_lead", "lead_officer_id", "starts_at"),
        Index("ix_visit_second", "second_officer_id", "starts_at"),
        Index("ix_visit_notice", "notice_id"),
    )


class NoVisits(Row):
    """A borrower asked for no visits at all. Messages, letters and calls are not touched by it."""

    __tablename__ = "no_visits"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    lifted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_no_visits_in_force",
            "borrower_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )
