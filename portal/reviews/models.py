"""Decisions on proposals, and who may still give one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, Row, append_only


class Seat(Base):
    """The one part a human plays in deciding one proposal: 1 decides, 2 is the second pair of eyes.

    A decision points at its seat, so the database itself keeps a human from sitting on both sides of
    one proposal, in whatever attempt and through whatever account (AC43).
    """

    __tablename__ = "review_seat"
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposal.id"), primary_key=True)
    human_ref: Mapped[str] = mapped_column(String(32), primary_key=True)
    stage: Mapped[int] = mapped_column(Integer)
    __table_args__ = (
        UniqueConstraint("proposal_id", "human_ref", "stage"),
        CheckConstraint("stage IN (1, 2)", name="stage"),
    )


class Decision(Row):
    """What one reviewer decided on the exact terms seen. `kind`: "approve", "counter", "ask", "decline",
    "send_back" (the second person disagrees). `stage`: 1, or 2 for the second pair of eyes."""

    __tablename__ = "decision"
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposal.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    human_ref: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(12))
    stage: Mapped[int] = mapped_column(Integer)
    #: which attempt at deciding this proposal: a sent-back first decision, and an answered request for
    #: more, each open the next attempt
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    terms_hash: Mapped[str] = mapped_column(String(64))
    #: for "counter": the terms offered, canonical
    offer_text: Mapped[str | None] = mapped_column(Text)
    offer_hash: Mapped[str | None] = mapped_column(String(64))
    #: for "decline": the nearest terms that would have passed, canonical; nothing when there are none
    nearest_text: Mapped[str | None] = mapped_column(Text)
    #: stable reason codes, and the papers or answers asked for
    reasons: Mapped[list[Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")
    #: a decision that stands: at most one per proposal (S8)
    effective: Mapped[bool]
    form_key: Mapped[str] = mapped_column(String(64))
    __table_args__ = (
        UniqueConstraint("proposal_id", "attempt", "stage"),
        # nobody gives both decisions of an attempt (AC43); the seat says it across attempts
        UniqueConstraint("proposal_id", "attempt", "human_ref"),
        UniqueConstraint("proposal_id", "attempt", "staff_id"),
        UniqueConstraint("proposal_id", "staff_id", "form_key"),
        ForeignKeyConstraint(
            ["proposal_id", "human_ref", "stage"],
            ["review_seat.proposal_id", "review_seat.human_ref", "review_seat.stage"],
            name="fk_decision_seat",
        ),
        Index(
            "uq_decision_effective",
            "proposal_id",
            unique=True,
            sqlite_where=text("effective"),
            postgresql_where=text("effective"),
        ),
        CheckConstraint("stage IN (1, 2)", name="stage"),
        CheckConstraint("(kind = 'counter') = (offer_hash IS NOT NULL)", name="offer"),
        CheckConstraint("NOT effective OR kind IN ('approve', 'counter', 'decline')", name="effective_kind"),
    )


append_only(Decision.__table__)  # type: ignore[arg-type]
append_only(Seat.__table__)  # type: ignore[arg-type]
