"""Payments, the provider's events, and how each payment was placed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Base, Row, append_only

_OPEN = text("state IN ('created', 'processing')")
_MOVES = text("kind <> 'keep' AND state NOT IN ('refused', 'failed')")
_UNDER_WAY = text("kind <> 'keep' AND state IN ('asked', 'confirmed')")


class Payment(Row):
    """One attempt to move money. States in payments/lifecycle.py: "created", "processing", "succeeded",
    "failed", "cancelled", "posted", "part_refund", "refunded", "disputed"."""

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
    #: how it was paid, as the provider tells: "card", "alipay", "wechat_pay"; "" until then
    paid_with: Mapped[str] = mapped_column(String(16), default="")
    #: why the last try on the provider's page was turned down: a code, never the payer's data
    decline: Mapped[str] = mapped_column(String(40), default="")
    succeeded_at: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    #: how it was placed: rule, source of the rule, and each step
    allocation: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    #: for a plan: what more than the instalment goes to, "next", "last" or "spread". None: nothing was chosen
    extra_choice: Mapped[str | None] = mapped_column(String(8))
    #: what was asked for, where other money came and the desk placed it: `amount_minor` is then what came
    asked_minor: Mapped[int | None]
    #: the link through which somebody else pays; None: the borrower pays
    pay_link_id: Mapped[int | None] = mapped_column(ForeignKey("pay_link.id"))
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
    #: of a refund or dispute: the provider's payment whose money it is about
    money_id: Mapped[str | None] = mapped_column(String(120), index=True)
    #: what we need of it, no more: ids, amount, currency, status
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    #: "credited", "suspense", "noted", "waiting"
    outcome: Mapped[str] = mapped_column(String(12), index=True)


class UnplacedMoney(Row):
    """Money received that does not fit what we asked for: kept apart, shown to the bank, never lost."""

    __tablename__ = "unplaced_money"
    #: None for money no event told of: a transfer, or a movement the daily reconciliation found
    event_id: Mapped[str | None] = mapped_column(ForeignKey("provider_event.event_id"), unique=True)
    #: how it came: "stripe" or "bank_transfer"
    method: Mapped[str] = mapped_column(String(16), default="stripe")
    #: the provider's payment (or session): two events that tell of the same money make one row
    money_key: Mapped[str] = mapped_column(String(120), unique=True)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: "amount_differs", "currency_differs", "unknown_payment", "paid_twice", "unknown_reference",
    #: "found_by_reconciliation"
    reason: Mapped[str] = mapped_column(String(24))


class Refund(Row):
    """Money of a payment that the bank sends back, in full or in part. States in payments/lifecycle.py:
    "asked" (waits for a second person), "refused", "created", "processing", "succeeded", "failed", "cancelled"."""

    __tablename__ = "refund"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: payments/refunds.py REASONS
    reason: Mapped[str] = mapped_column(String(24))
    note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(12), index=True)
    #: None: begun at the provider, not here
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    human_ref: Mapped[str | None] = mapped_column(String(32))
    second_staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    second_human_ref: Mapped[str | None] = mapped_column(String(32))
    decided_at: Mapped[datetime | None]
    form_key: Mapped[str] = mapped_column(String(64))
    #: written before the provider is called
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    provider_refund: Mapped[str | None] = mapped_column(String(120), unique=True)
    #: when the provider began it, seconds of the epoch: the order in which money left
    provider_created: Mapped[int | None]
    #: real instant of the last answer or question
    asked_at: Mapped[datetime]
    #: why it failed: the provider's code
    code: Mapped[str] = mapped_column(String(40), default="")
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("staff_id", "form_key"),
        CheckConstraint("amount_minor > 0", name="amount"),
        # nobody is the second person to their own refund
        CheckConstraint("second_human_ref IS NULL OR second_human_ref <> human_ref", name="two_people"),
    )


class Dispute(Row):
    """A payer's bank asks for the money of a payment back (a charge-back), or asks about it. Every column
    only ever moves one way, so that the order of the provider's events makes no difference."""

    __tablename__ = "dispute"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    #: None: its money was never credited here (see unplaced_id)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), index=True)
    unplaced_id: Mapped[int | None] = mapped_column(ForeignKey("unplaced_money.id"))
    provider_dispute: Mapped[str] = mapped_column(String(120), unique=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: the provider's code of why
    reason: Mapped[str] = mapped_column(String(40))
    #: payments/lifecycle.py DisputeState
    state: Mapped[str] = mapped_column(String(16), index=True)
    #: the money has left; it has come back
    withdrawn: Mapped[bool] = mapped_column(default=False)
    reinstated: Mapped[bool] = mapped_column(default=False)
    provider_created: Mapped[int]
    #: the last real instant for an answer
    answer_by: Mapped[datetime | None]
    #: what the bank answered, sealed under "dispute.answer"; written before it is sent
    answer_sealed: Mapped[bytes | None]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    answered_at: Mapped[datetime | None]
    #: "" (none), "sending" (nobody knows whether it arrived), "sent", "refused"
    answer_state: Mapped[str] = mapped_column(String(12), default="")
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("payment_id IS NOT NULL OR unplaced_id IS NOT NULL", name="about_money"),
    )


class DisputeFile(Row):
    """A paper that goes with the answer to a dispute, one of each kind. Its bytes are kept sealed until the
    provider has them, and no longer; it can be taken out again until the answer is given."""

    __tablename__ = "dispute_file"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    dispute_id: Mapped[int] = mapped_column(ForeignKey("dispute.id"))
    #: payments/evidence.py KINDS
    kind: Mapped[str] = mapped_column(String(32))
    name_sealed: Mapped[bytes]
    #: found by content: "image/jpeg", "image/png", "application/pdf"
    media_type: Mapped[str] = mapped_column(String(32))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content_sealed: Mapped[bytes | None]
    #: the provider's name of it, once it has it
    provider_file: Mapped[str | None] = mapped_column(String(120), unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    __table_args__ = (UniqueConstraint("dispute_id", "kind"),)


class PaymentPaper(Row):
    """A receipt as it was issued: of a payment, once for its borrower and once for whoever paid it instead."""

    __tablename__ = "payment_paper"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    #: "borrower" (with how it was placed) or "helper" (the sum and the day, nothing else)
    kind: Mapped[str] = mapped_column(String(8))
    issued_on: Mapped[date] = mapped_column(Date)
    #: SHA-256 of the content, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))
    #: payments/papers.py: the receipt as plain data
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    key_id: Mapped[str] = mapped_column(String(16))
    #: over payments.papers.signed_facts, base64url
    signature: Mapped[str] = mapped_column(String(128))
    __table_args__ = (UniqueConstraint("payment_id", "kind"),)


class SavedMethod(Row):
    """A way to pay that the borrower let the bank keep for the instalments of a plan. States in
    payments/lifecycle.py: "agreed" (at the checkout), "active" (paid with it), "revoked"."""

    __tablename__ = "saved_method"
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    #: the payment with which it was saved
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), unique=True)
    state: Mapped[str] = mapped_column(String(12))
    #: instalments due from this day of the bank on
    from_on: Mapped[date] = mapped_column(Date)
    #: the words the borrower agreed to, as they were read
    consent_text: Mapped[str] = mapped_column(Text)
    consent_language: Mapped[str] = mapped_column(String(8))
    #: "card" or "alipay"
    kind: Mapped[str] = mapped_column(String(16), default="")
    provider_customer: Mapped[str | None] = mapped_column(String(120))
    provider_method: Mapped[str | None] = mapped_column(String(120))
    revoked_at: Mapped[datetime | None]
    #: "borrower", "replaced", "plan_ended"
    revoked_by: Mapped[str] = mapped_column(String(16), default="")
    #: real instant at which the provider had forgotten it too
    forgotten_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_saved_method_active",
            "plan_id",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )


class InstalmentCharge(Row):
    """One try to take one instalment with a saved method: each try once (unique), whoever asks."""

    __tablename__ = "instalment_charge"
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    number: Mapped[int]
    attempt: Mapped[int]
    saved_method_id: Mapped[int] = mapped_column(ForeignKey("saved_method.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), unique=True)
    #: the bank's day on which it was tried
    tried_on: Mapped[date] = mapped_column(Date)
    __table_args__ = (UniqueConstraint("plan_id", "number", "attempt"),)


class ProviderMark(Base):
    """How far the sweep has read the provider's own list of events: real instants."""

    __tablename__ = "provider_mark"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    read_until: Mapped[datetime]


class TransferReference(Row):
    """The reference with check digits a borrower writes on a bank transfer, one per loan."""

    __tablename__ = "transfer_reference"
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"), unique=True)
    reference: Mapped[str] = mapped_column(String(24), unique=True)


class IncomingTransfer(Row):
    """One transfer the bank received, as its file tells it: once, whatever is sent again."""

    __tablename__ = "incoming_transfer"
    #: the bank's own number of it
    transfer_ref: Mapped[str] = mapped_column(String(64), unique=True)
    value_on: Mapped[date] = mapped_column(Date)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: what the payer wrote, and who paid: sealed under "transfer.text" and "transfer.payer"
    text_sealed: Mapped[bytes]
    payer_sealed: Mapped[bytes]
    #: keyed digest of the whole row: the same number with other content is refused
    content_digest: Mapped[str] = mapped_column(String(64))
    #: "waiting" (to be booked), "placed" (on a loan), "core_posted" (the bank's ledger has it), "unplaced",
    #: "reversed" (taken back), "reversal" (takes back another)
    outcome: Mapped[str] = mapped_column(String(12), index=True)
    #: of an unplaced one why: "unknown_reference", "several_references", "currency_differs", "nothing_left"
    reason: Mapped[str] = mapped_column(String(24), default="")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), unique=True)
    unplaced_id: Mapped[int | None] = mapped_column(ForeignKey("unplaced_money.id"))
    #: of a reversal: the number of the transfer that it takes back; each is taken back once
    reverses_ref: Mapped[str | None] = mapped_column(String(64), unique=True)
    #: intake_batch.sequence it came with
    batch_sequence: Mapped[int]
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount"),)


class SuspenseMove(Row):
    """What the desk does with money that has no place: unplaced money, or what was overpaid on a loan.
    States in payments/lifecycle.py: "asked" (waits for a second person), "confirmed", "done", "refused", "failed"."""

    __tablename__ = "suspense_move"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    unplaced_id: Mapped[int | None] = mapped_column(ForeignKey("unplaced_money.id"))
    #: the loan on which it was overpaid
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    #: "place", "give_back", "keep"
    kind: Mapped[str] = mapped_column(String(12))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    to_loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    to_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    state: Mapped[str] = mapped_column(String(12), index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    human_ref: Mapped[str] = mapped_column(String(32))
    form_key: Mapped[str] = mapped_column(String(64))
    second_staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    second_human_ref: Mapped[str | None] = mapped_column(String(32))
    done_at: Mapped[datetime | None]
    #: the payment that was credited, or given back
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    #: how it was placed, as a payment stores it; or the provider's refund
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    __table_args__ = (
        UniqueConstraint("staff_id", "form_key"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(unplaced_id IS NULL) <> (loan_id IS NULL)", name="one_source"),
        # nobody is the second person to their own move
        CheckConstraint("second_human_ref IS NULL OR second_human_ref <> human_ref", name="two_people"),
        # unplaced money goes somewhere once (M19)
        Index(
            "uq_suspense_move_unplaced",
            "unplaced_id",
            unique=True,
            sqlite_where=_MOVES,
            postgresql_where=_MOVES,
        ),
        # what was overpaid on a loan is moved by one at a time; how much is left the ledger says
        Index(
            "uq_suspense_move_loan",
            "loan_id",
            unique=True,
            sqlite_where=_UNDER_WAY,
            postgresql_where=_UNDER_WAY,
        ),
    )


class PayLink(Row):
    """A link with which somebody else pays for a borrower; it tells nothing but the bank and what to pay."""

    __tablename__ = "pay_link"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: so that the borrower can copy the link again: sealed under "pay_link.token"
    token_sealed: Mapped[bytes]
    #: whom the borrower made it for, in the borrower's own words: sealed under "pay_link.label"
    label_sealed: Mapped[bytes]
    #: "fixed" (this amount, once) or "up_to" (any amounts, together at most this)
    kind: Mapped[str] = mapped_column(String(8))
    limit_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: the last day, bank's calendar, on which a payment can be begun
    valid_until: Mapped[date] = mapped_column(Date)
    revoked_at: Mapped[datetime | None]
    form_key: Mapped[str] = mapped_column(String(64))
    __table_args__ = (
        UniqueConstraint("borrower_id", "form_key"),
        CheckConstraint("limit_minor > 0", name="limit"),
        CheckConstraint("(loan_id IS NULL) <> (plan_id IS NULL)", name="one_target"),
    )


class ProviderMovement(Base):
    """One movement on the account at the provider, as its own books say; minor units, signed."""

    __tablename__ = "provider_movement"
    movement_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    #: "charge", "refund", "dispute", "dispute_won", "payout", "fee", "other"
    kind: Mapped[str] = mapped_column(String(16))
    #: the payment, refund or dispute it belongs to: what our own rows carry
    key: Mapped[str] = mapped_column(String(120), index=True)
    gross_minor: Mapped[int]
    fee_minor: Mapped[int]
    net_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    moved_at: Mapped[datetime]
    #: the bank's calendar day
    day: Mapped[date] = mapped_column(Date)
    __table_args__ = (Index("ix_provider_movement_day", "day", "currency"),)


class ReconciliationRun(Row):
    """One bank day and currency, compared three ways; running it again rewrites the row."""

    __tablename__ = "reconciliation_run"
    day: Mapped[date] = mapped_column(Date)
    currency: Mapped[str] = mapped_column(String(3))
    ran_at: Mapped[datetime]
    runs: Mapped[int]
    matched: Mapped[int]
    at_core: Mapped[int]
    #: minor units by name: succeeded, refunded, lost, payout, fees, balance, gap; core: ours, core
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (UniqueConstraint("day", "currency"),)


class ReconciliationDifference(Row):
    """One thing that does not fit on one day. It closes by itself when a later run finds that it fits.
    States in payments/lifecycle.py: "open", "explained", "matched", "in_suspense", "resolved", "closed"."""

    __tablename__ = "reconciliation_difference"
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_run.id"), index=True)
    #: what it is about: "provider:txn_1", "ours:P-…", "core:1234"
    subject: Mapped[str] = mapped_column(String(160))
    #: payments/reconciliation.py Kind
    kind: Mapped[str] = mapped_column(String(20))
    #: what the provider, we and the core say, minor units; None: nothing
    provider_minor: Mapped[int | None]
    ours_minor: Mapped[int | None]
    core_minor: Mapped[int | None]
    #: how much of the day's gap it explains
    gap_minor: Mapped[int]
    #: ids of what it is about, for whoever works it
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(12), index=True)
    #: rises with every change: who works on an older one is told
    version: Mapped[int]
    matched_id: Mapped[int | None] = mapped_column(ForeignKey("reconciliation_difference.id"))
    __table_args__ = (UniqueConstraint("run_id", "subject"),)


class DifferenceNote(Row):
    """What somebody did about a difference, and why: never changed."""

    __tablename__ = "difference_note"
    difference_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_difference.id"), index=True)
    #: None: the run itself
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    action: Mapped[str] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text, default="")


append_only(DifferenceNote.__table__)  # type: ignore[arg-type]
append_only(PaymentPaper.__table__)  # type: ignore[arg-type]
