"""The outbox: what must be sent, claimed by one conditional UPDATE with a lease."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Row


class Message(Row):
    """One text to one number. Text and number are sealed; the text is wiped once it was handed over."""

    __tablename__ = "message"
    #: what makes it this message and no other: "notice:<id>", "otp:<challenge id>", "decision:<id>"
    dedupe_key: Mapped[str] = mapped_column(String(80), unique=True)
    borrower_id: Mapped[int | None] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: "notice", "one_time_code", "decision", "agreement", "receipt" (messages/texts.py)
    kind: Mapped[str] = mapped_column(String(24))
    language: Mapped[str] = mapped_column(String(8))
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    phone_digest: Mapped[str] = mapped_column(String(64))
    text_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: messages/lifecycle.py: "queued", "sending", "sent", "failed", "unknown", "expired"
    state: Mapped[str] = mapped_column(String(12))
    #: real instants: after `expires_at` it is worthless and not sent
    expires_at: Mapped[datetime | None]
    #: quiet hours apply unless the person has just asked for it
    asked_for: Mapped[bool]
    lease_owner: Mapped[str | None] = mapped_column(String(48))
    lease_until: Mapped[datetime | None]
    #: the bank's instant before which the rule on contacts keeps it back (contacts/rule.py)
    not_before: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    provider_ref: Mapped[str | None] = mapped_column(String(80))
    sent_at: Mapped[datetime | None]
    #: a row of a batch marked as demonstration; a real gateway refuses it
    demonstration: Mapped[bool]


#: The order in which a worker takes what is queued: what was just asked for stands first, so that a night's
#: backlog of reminders is never walked through to find one code.
Index("ix_message_queue", Message.state, Message.asked_for.desc(), Message.id)
