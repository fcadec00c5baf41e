"""Borrowers. Names, phones and addresses are sealed; of the ID number only the last four are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Row


class Borrower(Row):
    """A customer of the bank with at least one loan account here."""

    __tablename__ = "borrower"
    customer_ref: Mapped[str] = mapped_column(String(32), unique=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    #: keys.digest("phone", E.164-ish digits): finds and caps a number without knowing it
    phone_digest: Mapped[str] = mapped_column(String(64))
    #: when the bank's file last gave another number; for a day nothing is sent to it (messages.operations)
    phone_changed_at: Mapped[datetime | None]
    #: the last four digits, sealed; pages before proof of identity show the last two only
    phone_tail_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    id_tail_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    address_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    #: zh, zh_Hant or en; the borrower may change it
    language: Mapped[str] = mapped_column(String(8))
    __table_args__ = (Index("ix_borrower_phone", "phone_digest"),)
