"""Payments, the provider's events, and how each payment was placed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, Row

_OPEN = text("state IN ('created', 'processing')")


class Payment(Row):
    """One attempt to move money. States in payments/lifecycle.py: "created", "processing", "succeeded",
    "failed", "cancelled", "posted"."""

    __tablename__ = "payment"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: the loan the debtor designated (art. 560), or the plan it is for
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    #: "loan:12" or "plan:3": the two columns above as one text, because no database finds two NULLs equal
    target: Mapped[str] = mapped_column(String(32))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: "stripe" or "bank_transfer"
    method: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(12), index=True)
    form_key: Mapped[str] = mapped_column(String(64))
    #: written before the provider is called
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    provider_session: Mapped[str | None] = mapped_column(String(120), unique=True)
    provider_intent: Mapped[str | None] = mapped_column(String(120), unique=True)
    checkout_url: Mapped[str | None] = mapped_column(Text)
    #: what the provider's page offers, and until when (a real instant); a repeated call must say the same
    offered: Mapped[dict[str, Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime]
    #: real instant of the last answer or question, so that the sweep asks about each attempt in turn
    asked_at: Mapped[datetime]
    #: why the last try on the provider's page was turned down: a code, never the payer's data
    decline: Mapped[str] = mapped_column(String(40), default="")
    succeeded_at: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    #: how it was placed: rule, source of the rule, and each step
    allocation: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    __table_args__ = (
        UniqueConstraint("borrower_id", "form_key"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(loan_id IS NULL) <> (plan_id IS NULL)", name="one_target"),
        # one open attempt per target and amount (AC38)
        Index(
            "uq_payment_open",
            "target",
            "amount_minor",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
    )


class ProviderEvent(Base):
    """Every event a provider ever delivered, kept for ever: the id is the key (P1)."""

    __tablename__ = "provider_event"
    event_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    #: the provider's object the event is about
    object_id: Mapped[str] = mapped_column(String(120), index=True)
    #: what we need of it, no more: ids, amount, currency, status
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    #: "credited", "suspense", "noted", "waiting"
    outcome: Mapped[str] = mapped_column(String(12), index=True)


class UnplacedMoney(Row):
    """Money received that does not fit what we asked for: kept apart, shown to the bank, never lost."""

    __tablename__ = "unplaced_money"
    event_id: Mapped[str] = mapped_column(ForeignKey("provider_event.event_id"), unique=True)
    #: the provider's payment (or session): two events that tell of the same money make one row
    money_key: Mapped[str] = mapped_column(String(120), unique=True)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: "amount_differs", "currency_differs", "unknown_payment", "paid_twice"
    reason: Mapped[str] = mapped_column(String(24))


class TransferReference(Row):
    """The reference with check digits a borrower writes on a bank transfer, one per loan."""

    __tablename__ = "transfer_reference"
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"), unique=True)
    reference: Mapped[str] = mapped_column(String(24), unique=True)
