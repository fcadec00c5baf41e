"""Agencies that act for the bank, holds, and the log of contacts with what broke a rule in it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Row, append_only


class Agency(Row):
    """The bank itself or a contractor. `kind`: "bank", "agency", "law_firm"."""

    __tablename__ = "agency"
    agency_ref: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    phone: Mapped[str] = mapped_column(String(20))
    engaged_from: Mapped[date] = mapped_column(Date)
    engaged_until: Mapped[date] = mapped_column(Date)
    #: when an operator ended its work for the bank; no file of the bank gives it back
    revoked_at: Mapped[datetime | None]


class Hold(Row):
    """While one is in force, visits and calls to the borrower rest. Written by plans, disputes and
    reviews; read by everything that would contact somebody."""

    __tablename__ = "hold"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: "pause" or "stop"
    kind: Mapped[str] = mapped_column(String(8))
    #: "proposal_open", "refusal_cooling", "plan_in_force", "wrong_number"
    reason: Mapped[str] = mapped_column(String(24))
    #: what it stands for: "negotiation:<id>", "plan:<id>", "wrong_number:<id>"
    source: Mapped[str] = mapped_column(String(48))
    #: keyed digest of the one number that it rests, "" for whatever number the borrower has
    number_digest: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
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


class WrongNumber(Row):
    """*This is not me*, said of one number that is one borrower's by the bank's records; what the bank answered
    (contacts/lifecycle.py). A later report opens an answered row again."""

    __tablename__ = "wrong_number"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: keys.digest("phone", number) of the number as it was on file at the report
    number_digest: Mapped[str] = mapped_column(String(64))
    tail_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    #: "open", "corrected", "right", "never"
    state: Mapped[str] = mapped_column(String(12))
    #: raised by each answer and each opening: who answers names what he saw
    version: Mapped[int]
    reports: Mapped[int]
    #: of the report that it waits for an answer to
    since: Mapped[datetime]
    last_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("borrower_id", "number_digest"),
        Index("ix_wrong_number_queue", "state", "since"),
    )


class WrongNumberAnswer(Row):
    """What somebody at the desk answered, and why. Append-only; the core is told of it."""

    __tablename__ = "wrong_number_answer"
    wrong_number_id: Mapped[int] = mapped_column(ForeignKey("wrong_number.id"))
    version: Mapped[int]
    action: Mapped[str] = mapped_column(String(12))
    staff_ref: Mapped[str] = mapped_column(String(32))
    note_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("wrong_number_id", "version"),)


append_only(WrongNumberAnswer.__table__)  # type: ignore[arg-type]


class ContactNews(Row):
    """What the bank's core is told of how a borrower wants to be reached: a visit moved or refused, wishes, what came
    of a wrong number. Append-only; outgoing/contents.py makes an entry of each."""

    __tablename__ = "contact_news"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: contacts/news.py
    wish: Mapped[str] = mapped_column(String(20))
    #: of a visit its number, and the window it was moved to
    visit_ref: Mapped[str] = mapped_column(String(32))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    #: of wishes about contacts: whether there may be any, and the hours that suit
    calls: Mapped[bool | None]
    messages: Mapped[bool | None]
    visits: Mapped[bool | None]
    opens_minute: Mapped[int | None]
    closes_minute: Mapped[int | None]


append_only(ContactNews.__table__)  # type: ignore[arg-type]


class Contact(Row):
    """One contact with a borrower, as it happened. Append-only; rows of the bank's file leave with the batch
    that brought them, when that is undone."""

    __tablename__ = "contact"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: who wrote it down: "core" (the bank's file), "officer", "portal" (its own outbox)
    source: Mapped[str] = mapped_column(String(8))
    #: what makes it this contact and no other: "core:<ref>", "officer:<key>", "message:<id>", "visit:<ref>"
    source_ref: Mapped[str] = mapped_column(String(80), unique=True)
    #: "sms", "call", "letter", "visit", "lawyer_letter", "email"
    channel: Mapped[str] = mapped_column(String(16))
    #: "out": to the borrower; "in": the borrower's own
    direction: Mapped[str] = mapped_column(String(4))
    #: "debtor" or "third": for whom it was
    party: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    #: rule.OUTCOMES
    outcome: Mapped[str] = mapped_column(String(12))
    #: keys.digest("phone", number), "" where no number belongs to it; the last four digits are sealed
    number_digest: Mapped[str] = mapped_column(String(64))
    tail_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: whoever acted for the bank; empty for the bank itself
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("agency.id"))
    officer_ref: Mapped[str] = mapped_column(String(16))
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notice.id"))
    #: the person had just asked for it: no contact by the rule
    asked_for: Mapped[bool]
    #: about what is owed, and not an answer to what the borrower sent
    pressing: Mapped[bool]
    #: keyed, over what the bank's file said; "" for what was written down here
    content_digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("ix_contact_borrower", "borrower_id", "at"),)


#: A contact leaves only with the bank's batch that is being undone.
LEAVES = """(OLD.source = 'core'
    AND EXISTS (SELECT 1 FROM intake_batch b WHERE b.state = 'undoing'))"""

append_only(Contact.__table__, leaves=LEAVES)  # type: ignore[arg-type]


class ContactBreach(Row):
    """A contact that broke a rule, and what the supervisor did about it (contacts/lifecycle.py)."""

    __tablename__ = "contact_breach"
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: the reason of the rule that it broke (rule.Block)
    kind: Mapped[str] = mapped_column(String(24))
    #: the reason of a hold
    detail: Mapped[str] = mapped_column(String(24))
    #: where the rule is written
    source: Mapped[str] = mapped_column(String(200))
    #: minutes outside the hours, or contacts above the limit; 0 where it is neither
    over: Mapped[int] = mapped_column(Integer)
    #: "open", "noted", "told"
    state: Mapped[str] = mapped_column(String(8))
    note_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: staff.staff_ref of who worked it
    worked_by: Mapped[str] = mapped_column(String(32))
    worked_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("contact_id", "kind"),
        Index("ix_contact_breach_queue", "state", "id"),
    )


class ContactWish(Row):
    """How a borrower wants to be contacted. Append-only: the latest row counts."""

    __tablename__ = "contact_wish"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    no_calls: Mapped[bool]
    no_messages: Mapped[bool]
    no_visits: Mapped[bool]
    #: hours that suit, in minutes of the day on the bank's clock; both or neither
    opens_minute: Mapped[int | None]
    closes_minute: Mapped[int | None]


append_only(ContactWish.__table__)  # type: ignore[arg-type]
