"""Agencies that act for the bank, and the holds that pause or stop contacts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Row


class Agency(Row):
    """The bank itself or a contractor. `kind`: "bank", "agency", "law_firm"."""

    __tablename__ = "agency"
    agency_ref: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    phone: Mapped[str] = mapped_column(String(20))
    engaged_from: Mapped[date] = mapped_column(Date)
    engaged_until: Mapped[date] = mapped_column(Date)


class Hold(Row):
    """While one is in force, visits and calls to the borrower rest. Written by plans, disputes and
    reviews; read by everything that would contact somebody."""

    __tablename__ = "hold"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: "pause" or "stop"
    kind: Mapped[str] = mapped_column(String(8))
    #: "proposal_open", "refusal_cooling", "plan_in_force", "wrong_number"
    reason: Mapped[str] = mapped_column(String(24))
    #: what it stands for: "negotiation:<id>", "plan:<id>"
    source: Mapped[str] = mapped_column(String(48))
    ends_at: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_hold_in_force",
            "borrower_id",
            "reason",
            "source",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index("ix_hold_source", "source"),
    )
