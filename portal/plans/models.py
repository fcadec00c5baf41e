"""Negotiations, proposals with exact terms, and the plans that came of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, Row, append_only

_OPEN: dict[str, Any] = {
    "sqlite_where": text("closed_at IS NULL"),
    "postgresql_where": text("closed_at IS NULL"),
}
_ACTIVE: dict[str, Any] = {
    "sqlite_where": text("ended_at IS NULL"),
    "postgresql_where": text("ended_at IS NULL"),
}


class Negotiation(Row):
    """The case: rounds of proposals between one borrower and the bank. At most one open per borrower."""

    __tablename__ = "negotiation"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    report_id: Mapped[int | None] = mapped_column(ForeignKey("hardship_report.id"))
    #: the bank's clock: answered by the end of this working day
    answer_due_on: Mapped[date] = mapped_column(Date)
    #: who has taken it from the queue
    owner_staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_negotiation_open", "borrower_id", unique=True, **_OPEN),
        Index("ix_negotiation_borrower_id", "borrower_id"),
    )


class Proposal(Row):
    """One round: exact terms, never changed. A changed mind is the next round (S10).

    States in plans/lifecycle.py: "submitted", "second_approval", "more_asked", "approved",
    "countered", "declined", "accepted", "superseded", "withdrawn", "lapsed".
    """

    __tablename__ = "proposal"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    negotiation_id: Mapped[int] = mapped_column(ForeignKey("negotiation.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    round: Mapped[int] = mapped_column(Integer)
    #: "borrower" or "bank"
    made_by: Mapped[str] = mapped_column(String(8))
    #: Terms.canonical(): the text that is hashed, shown, approved and agreed
    terms_text: Mapped[str] = mapped_column(Text)
    terms_hash: Mapped[str] = mapped_column(String(64))
    #: affordability as the borrower stated it when sending (budget figures, share, comment)
    affordability: Mapped[dict[str, Any]] = mapped_column(JSON)
    comment: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16))
    #: an offer of the bank lapses then
    lapses_at: Mapped[datetime | None]
    #: raised with every change of state; a decision names the one it saw
    version: Mapped[int] = mapped_column(Integer, default=1)
    form_key: Mapped[str] = mapped_column(String(64))
    #: the signed receipt
    receipt_signature: Mapped[str] = mapped_column(String(120), default="")
    __table_args__ = (
        UniqueConstraint("negotiation_id", "round"),
        UniqueConstraint("borrower_id", "form_key"),
        # the offers whose day has passed
        Index("ix_proposal_lapsing", "state", "lapses_at"),
        # only one round of a negotiation is open at a time (S8)
        Index(
            "uq_proposal_open",
            "negotiation_id",
            unique=True,
            sqlite_where=text("state IN ('submitted','second_approval','more_asked','approved','countered')"),
            postgresql_where=text(
                "state IN ('submitted','second_approval','more_asked','approved','countered')"
            ),
        ),
    )


class Plan(Row):
    """A plan in force, finished or broken. States: "active", "completed", "broken", "cancelled"."""

    __tablename__ = "plan"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposal.id"), unique=True)
    terms_hash: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(12))
    ended_at: Mapped[datetime | None]
    #: what more than an instalment goes to, as chosen the last time: "next", "last", "spread"
    extra_choice: Mapped[str] = mapped_column(String(8), default="next")


class PlanLoan(Base):
    """Which loans a plan covers. A loan is under one active plan or none (S5)."""

    __tablename__ = "plan_loan"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), primary_key=True)
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"), primary_key=True)
    covered_minor: Mapped[int]
    ended_at: Mapped[datetime | None]
    __table_args__ = (Index("uq_plan_loan_active", "loan_id", unique=True, **_ACTIVE),)


class PlanInstalment(Base):
    """The schedule in force: as agreed, or as the newest plan_change left it. Number 0 is the upfront payment.
    What is paid is the sum of plan_receipt, never stored here."""

    __tablename__ = "plan_instalment"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    due_on: Mapped[date] = mapped_column(Date)
    amount_minor: Mapped[int]
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount"),)


class PlanChange(Row):
    """A change of a plan in force that its borrower made: the whole schedule from then on. `plan_instalment` holds
    the schedule of the newest one; what was agreed stays in the proposal and its agreement. The unique number lets
    one change at a time take the place of a schedule."""

    __tablename__ = "plan_change"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    number: Mapped[int] = mapped_column(Integer)
    #: "pay_day", "skip"
    kind: Mapped[str] = mapped_column(String(8))
    #: plans.revisions.Revision.canonical(); its digest names the terms and the schedule before it
    schedule_text: Mapped[str] = mapped_column(Text)
    schedule_hash: Mapped[str] = mapped_column(String(64))
    form_key: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(16))
    #: over plans.revisions.receipt_content, base64url
    signature: Mapped[str] = mapped_column(String(128))
    __table_args__ = (UniqueConstraint("plan_id", "number"), UniqueConstraint("plan_id", "form_key"))


class PlanReceipt(Row):
    """Money that counts towards an instalment: one row per payment and instalment, or per ledger line and
    instalment where the bank's core posted money that did not come by way of the portal. What a refund, a
    charge-back or a reversal takes from it is a row of its own, below nought, in a turn of its own."""

    __tablename__ = "plan_receipt"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    #: the core's own line, of a payment at the counter or a transfer not through us
    line_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_line.id"))
    amount_minor: Mapped[int]
    #: 0 when the payment was counted; one more each time something of it was taken back or restored
    turn: Mapped[int] = mapped_column(default=0)
    __table_args__ = (
        UniqueConstraint("plan_id", "number", "payment_id", "turn"),
        UniqueConstraint("line_id", "plan_id", "number", "turn"),
        CheckConstraint("(payment_id IS NULL) <> (line_id IS NULL)", name="one_source"),
    )


class Agreement(Row):
    """What was agreed, one per product class of a plan, in the words the borrower saw."""

    __tablename__ = "agreement"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    product_class: Mapped[str] = mapped_column(String(8))
    language: Mapped[str] = mapped_column(String(8))
    #: canonical JSON of every item of the pack's agreement contents
    content_text: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(120))
    #: the key that signed; None: made before it was kept, and checked against every key of the bank
    key_id: Mapped[str | None] = mapped_column(String(16))
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenge.id"))
    __table_args__ = (UniqueConstraint("plan_id", "product_class"),)


class AgreementPaper(Row):
    """That an agreement was made as a PDF with these bytes; another digest for another maker of PDFs."""

    __tablename__ = "agreement_paper"
    agreement_id: Mapped[int] = mapped_column(ForeignKey("agreement.id"))
    #: SHA-256 of the file, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))
    #: what made it, with its version
    maker: Mapped[str] = mapped_column(String(32))
    __table_args__ = (UniqueConstraint("agreement_id", "digest"),)


class Certificate(Row):
    """That everything under a plan is paid: issued once for a plan, kept as it was issued."""

    __tablename__ = "certificate"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), unique=True)
    issued_on: Mapped[date] = mapped_column(Date)
    #: SHA-256 of the content, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))
    #: plans.certificates.Certified as plain data
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    key_id: Mapped[str] = mapped_column(String(16))
    #: over plans.certificates.signed_facts, base64url
    signature: Mapped[str] = mapped_column(String(128))


append_only(PlanChange.__table__)  # type: ignore[arg-type]
append_only(AgreementPaper.__table__)  # type: ignore[arg-type]
append_only(Certificate.__table__)  # type: ignore[arg-type]
