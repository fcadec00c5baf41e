"""The borrower's situation: one draft at a time, and every submitted report."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, Row


class HardshipReport(Row):
    """What the borrower told us. `submitted_at` empty: the draft, which survives closing the browser."""

    __tablename__ = "hardship_report"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: "income_lost", "income_less", "illness", "bereavement", "family", "disaster", "business", "other"
    reason: Mapped[str | None] = mapped_column(String(24))
    story_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: separate consent to sensitive papers (PIPL art. 29)
    sensitive_consent_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    #: the browser's key for sending: a repeated POST gives the first answer
    form_key: Mapped[str | None] = mapped_column(String(64))
    __table_args__ = (
        Index(
            "uq_hardship_report_draft",
            "borrower_id",
            unique=True,
            sqlite_where=text("submitted_at IS NULL"),
            postgresql_where=text("submitted_at IS NULL"),
        ),
        UniqueConstraint("borrower_id", "form_key"),
        Index("ix_hardship_report_borrower", "borrower_id", "submitted_at"),
    )


class BudgetLine(Base):
    """A monthly amount, minor units. `kind`: "income", "spending", "priority_debt"; labels in budget.py.
    `position` is the line's place on its page."""

    __tablename__ = "budget_line"
    report_id: Mapped[int] = mapped_column(ForeignKey("hardship_report.id"), primary_key=True)
    label: Mapped[str] = mapped_column(String(24), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    position: Mapped[int] = mapped_column(Integer)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    __table_args__ = (CheckConstraint("amount_minor >= 0", name="amount"),)
