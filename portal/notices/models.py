"""Notices as the bank issued them. The public door does not import this module; see faces.py."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, Row


class Notice(Row):
    """One contact made or announced: SMS, call, letter, visit notice or lawyer's letter."""

    __tablename__ = "notice"
    notice_ref: Mapped[str] = mapped_column(String(32), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: "sms", "call", "letter", "visit", "lawyer_letter"
    channel: Mapped[str] = mapped_column(String(16))
    #: "reminder", "notification", "visit", "legal"
    purpose: Mapped[str] = mapped_column(String(16))
    issued_at: Mapped[datetime]
    expires_on: Mapped[date] = mapped_column(Date)
    #: "live" or "withdrawn"; expiry is computed from the date
    status: Mapped[str] = mapped_column(String(16))
    sender: Mapped[str] = mapped_column(String(32))
    agency_id: Mapped[int] = mapped_column(ForeignKey("agency.id"))
    stated_on: Mapped[date] = mapped_column(Date)
    stated_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    payee_account: Mapped[str] = mapped_column(String(40))
    #: the bank's text with {code} and {link}, and its form without a link
    body: Mapped[str] = mapped_column(Text)
    body_without_link: Mapped[str] = mapped_column(Text)
    #: keyed digests, set when the code is minted; the code itself only sealed, for letters and calls,
    #: until the export to the bank's core has been acknowledged
    code_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    token_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    minted_at: Mapped[datetime | None]
    batch_sequence: Mapped[int]


class NoticeLoan(Base):
    """Which loans a notice is about."""

    __tablename__ = "notice_loan"
    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id"), primary_key=True)
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"), primary_key=True, index=True)
