"""Documents. The file's own key is wrapped by the master key: deleting it shreds the file."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, Row


class Document(Row):
    """One uploaded file. States in documents/lifecycle.py: "received", "checking", "ready", "unreadable",
    "accepted", "unsuitable", "removed"."""

    __tablename__ = "document"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    report_id: Mapped[int] = mapped_column(ForeignKey("hardship_report.id"))
    #: random, what URLs carry
    public_ref: Mapped[str] = mapped_column(String(32), unique=True)
    #: the browser's key for this upload: a repeated POST gives the first answer
    upload_key: Mapped[str] = mapped_column(String(64))
    #: one of kinds.KINDS
    kind: Mapped[str] = mapped_column(String(24))
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    #: found by content: "image/jpeg", "image/png", "image/heic", "application/pdf"
    media_type: Mapped[str] = mapped_column(String(32))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    storage_key: Mapped[str] = mapped_column(String(64), unique=True)
    file_key_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(12))
    #: why it cannot be used: a stable code
    reason: Mapped[str | None] = mapped_column(String(32))
    page_count: Mapped[int] = mapped_column(Integer, default=0)
    #: who is checking it, since when (real time): a lease that another worker may take over
    claimed_at: Mapped[datetime | None]
    #: when the borrower sent it to the bank; until then it is removable and no reviewer sees it
    sent_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("borrower_id", "upload_key"),
        Index("ix_document_borrower", "borrower_id", "state"),
        Index("ix_document_report", "report_id"),
        # what waits to be checked
        Index("ix_document_state", "state", "id"),
    )


class DocumentPage(Base):
    """A page rendered to pixels: the only thing a reviewer is ever served."""

    __tablename__ = "document_page"
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    storage_key: Mapped[str] = mapped_column(String(64), unique=True)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)


class DocumentAllowance(Base):
    """How many files and bytes a case holds: raised by one conditional UPDATE, so that the limit holds
    under parallel uploads."""

    __tablename__ = "document_allowance"
    report_id: Mapped[int] = mapped_column(ForeignKey("hardship_report.id"), primary_key=True)
    files: Mapped[int] = mapped_column(Integer)
    bytes: Mapped[int]
