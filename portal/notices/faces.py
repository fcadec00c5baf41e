"""What the public may be told of a notice, and that somebody looked: no model with a person in it.

A face answers by keyed digest. It holds neither a name nor an amount nor a product.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import BigId, Base, Row


class NoticeFace(Base):
    """One row per notice with a code. `notice_id` is a bare number here: no join leads to a person."""

    __tablename__ = "notice_face"
    notice_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    issued_on: Mapped[date] = mapped_column(Date)
    expires_on: Mapped[date] = mapped_column(Date)
    #: "live" or "withdrawn"
    status: Mapped[str] = mapped_column(String(16))
    #: the last two digits of the mobile
    mobile_tail: Mapped[str] = mapped_column(String(2))


class NoticeSeen(Row):
    """A code or link was looked up: which one, from which network (digest), in which hour. Changes no
    verdict by itself. Unique per (code, network, hour), so that a prefetch storm stays one row."""

    __tablename__ = "notice_seen"
    #: the code or token digest that was asked about
    asked_digest: Mapped[str] = mapped_column(String(64))
    network_digest: Mapped[str] = mapped_column(String(64))
    #: "link" (GET) or "code" (POST)
    way: Mapped[str] = mapped_column(String(8))
    hour: Mapped[datetime]
    __table_args__ = (UniqueConstraint("asked_digest", "network_digest", "way", "hour"),)


class WrongPerson(Row):
    """*This is not me*: a report that a number reaches somebody else. Keyed by what was held."""

    __tablename__ = "wrong_person"
    notice_id: Mapped[int] = mapped_column(BigId, unique=True)
    network_digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("ix_wrong_person_created", "created_at"),)
