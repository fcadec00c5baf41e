"""Sign-in: counters, challenges, sessions, access numbers, staff. Every security counter is a row here.

Instants in this module are real ones; the demonstration's clock does not move them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, Row


class Counter(Base):
    """How often something happened within a window; raised by one upsert, compared by its answer."""

    __tablename__ = "counter"
    #: "wrong_code_network", "wrong_code_all", "sms_number_hour", "sms_number_day", "otp_notice_day", ...
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    key_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(Integer)


class Challenge(Row):
    """One one-time code: 6 digits, 10 minutes, 5 tries by one conditional UPDATE, one browser, one use."""

    __tablename__ = "challenge"
    #: nothing when the reference was unknown: such a challenge can never be answered
    borrower_id: Mapped[int | None] = mapped_column(ForeignKey("borrower.id"))
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notice.id"))
    #: "sign_in" or "accept"
    purpose: Mapped[str] = mapped_column(String(16))
    #: what is being agreed to: the terms hash for "accept"
    subject: Mapped[str] = mapped_column(String(80), default="")
    code_digest: Mapped[str] = mapped_column(String(64))
    browser_digest: Mapped[str] = mapped_column(String(64), index=True)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
    #: the database's own clock when the row was made: a host whose clock is wrong cannot prolong a code
    stamped_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("tries <= 5", name="tries"),
        Index("ix_challenge_borrower", "borrower_id", "created_at"),
    )


class AccessNumber(Row):
    """The lasting number a borrower signs in with once no notice is at hand."""

    __tablename__ = "access_number"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), unique=True)
    number_digest: Mapped[str] = mapped_column(String(64), unique=True)
    number_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class PortalSession(Base):
    """A signed-in browser. The cookie holds a random id; this row its digest. Ended rows stay ended."""

    __tablename__ = "portal_session"
    id_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: exactly one of the two
    borrower_id: Mapped[int | None] = mapped_column(ForeignKey("borrower.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(48))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (CheckConstraint("(borrower_id IS NULL) <> (staff_id IS NULL)", name="one_person"),)


class Staff(Row):
    """An account of somebody who works for the bank. Two accounts of one human share `human_ref`."""

    __tablename__ = "staff"
    staff_ref: Mapped[str] = mapped_column(String(16), unique=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    #: the human behind the account (the bank's personnel number)
    human_ref: Mapped[str] = mapped_column(String(32))
    #: "reviewer", "supervisor", "operator"
    role: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(8))
    password_hash: Mapped[str] = mapped_column(String(200))
    totp_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    #: the last 30-second step that was spent: a code works once
    totp_last_step: Mapped[int] = mapped_column(default=0)
    left_at: Mapped[datetime | None]
