"""What Stripe says, in our words: payments, refunds, disputes, movements of money, and events of them.

Amounts and ids are as the provider states them, not yet believed. No card number is ever among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import stripe


class Report(StrEnum):
    """What an event or an answer says about a payment."""

    PAID = "paid"
    PROCESSING = "processing"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    OPEN = "open"
    OTHER = "other"


class RefundWord(StrEnum):
    """What the provider says of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DisputeWord(StrEnum):
    """What the provider says of a dispute. An ``inquiry`` only asks: no money leaves."""

    INQUIRY = "inquiry"
    NEEDS_ANSWER = "needs_answer"
    UNDER_REVIEW = "under_review"
    INQUIRY_CLOSED = "inquiry_closed"
    WON = "won"
    LOST = "lost"


class MovementKind(StrEnum):
    """What a movement on the account with the provider is."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    DISPUTE_WON = "dispute_won"
    PAYOUT = "payout"
    FEE = "fee"
    OTHER = "other"


@dataclass(frozen=True)
class Checkout:
    """An open checkout: where the payer goes, and what it is called there."""

    session_id: str
    url: str
    intent_id: str | None


@dataclass(frozen=True)
class PaymentReport:
    """What the provider says about one payment. `method`: how it was paid ("card", "alipay",
    "wechat_pay"), where that is known; `customer` and `saved_method`: what can be charged again."""

    report: Report
    reference: str
    session_id: str | None
    intent_id: str | None
    amount_minor: int | None
    currency: str
    code: str = ""
    method: str = ""
    customer: str | None = None
    saved_method: str | None = None


@dataclass(frozen=True)
class RefundReport:
    """What the provider says about one refund; `reference` is ours, empty when it was not begun here."""

    word: RefundWord
    refund_id: str
    reference: str
    intent_id: str | None
    amount_minor: int | None
    currency: str
    created: int
    code: str = ""


@dataclass(frozen=True)
class DisputeReport:
    """What the provider says about one dispute. `withdrawn` and `reinstated`: the money has left, has
    come back; `due`: the last moment for an answer, seconds of the epoch."""

    word: DisputeWord
    dispute_id: str
    intent_id: str | None
    amount_minor: int | None
    currency: str
    reason: str
    created: int
    due: int | None
    withdrawn: bool
    reinstated: bool


@dataclass(frozen=True)
class Movement:
    """One movement on the account with the provider; money out is negative. `gross` = `net` + `fee`.

    `source_id` is the charge, refund, dispute or payout, `intent_id` its payment there, `reference` our
    payment's, `refund_reference` our refund's; each empty where there is none.
    """

    movement_id: str
    kind: MovementKind
    source_id: str
    intent_id: str
    reference: str
    refund_reference: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    created: datetime


@dataclass(frozen=True)
class ProviderEventSeen:
    """One genuine event; it tells of a payment, a refund or a dispute."""

    event_id: str
    kind: str
    object_id: str
    payment: PaymentReport
    refund: RefundReport | None = None
    dispute: DisputeReport | None = None


NOTHING = PaymentReport(Report.OTHER, "", None, None, None, "")

_SESSION_KINDS = {
    "checkout.session.async_payment_succeeded": Report.PAID,
    "checkout.session.async_payment_failed": Report.FAILED,
    "checkout.session.expired": Report.EXPIRED,
}
_INTENT_KINDS = {
    "payment_intent.succeeded": Report.PAID,
    "payment_intent.processing": Report.PROCESSING,
    "payment_intent.payment_failed": Report.DECLINED,
    "payment_intent.canceled": Report.EXPIRED,
}
_REFUND_WORDS = {
    "succeeded": RefundWord.SUCCEEDED,
    "failed": RefundWord.FAILED,
    "canceled": RefundWord.CANCELLED,
}
_DISPUTE_WORDS = {
    "warning_needs_response": DisputeWord.INQUIRY,
    "warning_under_review": DisputeWord.INQUIRY,
    "warning_closed": DisputeWord.INQUIRY_CLOSED,
    "prevented": DisputeWord.INQUIRY_CLOSED,
    "under_review": DisputeWord.UNDER_REVIEW,
    "appeal_under_review": DisputeWord.UNDER_REVIEW,
    "won": DisputeWord.WON,
    "lost": DisputeWord.LOST,
}
_MOVEMENTS = {
    "charge": MovementKind.CHARGE,
    "refund": MovementKind.REFUND,
    "partial_capture_reversal": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_FAILED,
    "dispute": MovementKind.DISPUTE,
    "dispute_reversal": MovementKind.DISPUTE_WON,
    "payout": MovementKind.PAYOUT,
    "payout_reversal": MovementKind.PAYOUT,
    "fee": MovementKind.FEE,
    "network_cost": MovementKind.FEE,
}
#: The kinds of events that say something to us: what an endpoint subscribes to, and the sweep asks for.
TELLING_KINDS = (
    *_SESSION_KINDS,
    "checkout.session.completed",
    *_INTENT_KINDS,
    "charge.succeeded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)


def event_of(event: Mapping[str, Any]) -> ProviderEventSeen:
    """Any event, also of a kind or version we do not know: that one is `other` and only kept."""
    kind = str(event["type"])
    data = event.get("data")
    inner = data.get("object") if isinstance(data, dict) else None
    known = inner if isinstance(inner, dict) else {}
    sort = known.get("object")
    related = event.get("related_object")
    related_id = related.get("id") if isinstance(related, dict) else None
    payment = NOTHING
    if sort == "checkout.session":
        payment = session_report(known, kind)
    elif sort == "payment_intent":
        payment = intent_report(known, kind)
    elif sort == "charge":
        payment = _charge_report(known)
    return ProviderEventSeen(
        event_id=str(event["id"]),
        kind=kind[:64],
        object_id=id_of(known.get("id")) or id_of(related_id) or "",
        payment=payment,
        refund=refund_report(known) if sort == "refund" else None,
        dispute=dispute_report(known, kind) if sort == "dispute" else None,
    )


def session_report(session: Mapping[str, Any], kind: str | None) -> PaymentReport:
    """A checkout as an event of `kind` tells of it, or as it was fetched (None)."""
    if kind is None:
        report = _standing(session)
    elif kind == "checkout.session.completed":
        report = Report.PAID if session.get("payment_status") == "paid" else Report.PROCESSING
    else:
        report = _SESSION_KINDS.get(kind, Report.OTHER)
    intent = session.get("payment_intent")
    expanded = intent if isinstance(intent, Mapping) else {}
    return PaymentReport(
        report=report,
        reference=_reference_of(session, "payment"),
        session_id=id_of(session.get("id")),
        intent_id=id_of(intent),
        amount_minor=_minor(session.get("amount_total")),
        currency=_currency(session),
        method=_method_of(expanded),
        customer=id_of(session.get("customer")),
        saved_method=_saved_method(expanded),
    )


def _standing(session: Mapping[str, Any]) -> Report:
    """What a fetched checkout says: its own status first, then that of its payment."""
    if session.get("payment_status") == "paid":
        return Report.PAID
    if session.get("status") == "expired":
        return Report.EXPIRED
    if session.get("status") != "complete":
        return Report.OPEN
    intent = session.get("payment_intent")
    status = intent.get("status") if isinstance(intent, dict) else None
    return Report.FAILED if status in ("requires_payment_method", "canceled") else Report.PROCESSING


def intent_report(intent: Mapping[str, Any], kind: str | None) -> PaymentReport:
    """A payment as an event of `kind` tells of it, or as it was fetched (None)."""
    if kind is None:
        by_status = {"succeeded": Report.PAID, "processing": Report.PROCESSING, "canceled": Report.EXPIRED}
        report = by_status.get(str(intent.get("status")), Report.OPEN)
    else:
        report = _INTENT_KINDS.get(kind, Report.OTHER)
    error = intent.get("last_payment_error")
    code = (error.get("decline_code") or error.get("code")) if isinstance(error, dict) else None
    received = "amount_received" if report is Report.PAID else "amount"
    return PaymentReport(
        report=report,
        reference=_reference_of(intent, "payment"),
        session_id=None,
        intent_id=id_of(intent.get("id")),
        amount_minor=_minor(intent.get(received)),
        currency=_currency(intent),
        code=str(code or "")[:40] if report is Report.DECLINED else "",
        method=_method_of(intent),
        customer=id_of(intent.get("customer")),
        saved_method=_saved_method(intent),
    )


def _charge_report(charge: Mapping[str, Any]) -> PaymentReport:
    """A charge tells how a payment was paid; whether it was, its payment says."""
    details = charge.get("payment_method_details")
    return PaymentReport(
        report=Report.OTHER,
        reference=_reference_of(charge, "payment"),
        session_id=None,
        intent_id=id_of(charge.get("payment_intent")),
        amount_minor=_minor(charge.get("amount")),
        currency=_currency(charge),
        method=_short(details.get("type")) if isinstance(details, dict) else "",
    )


def refund_report(refund: Mapping[str, Any]) -> RefundReport:
    """A refund as the provider shows it."""
    return RefundReport(
        word=_REFUND_WORDS.get(str(refund.get("status")), RefundWord.PENDING),
        refund_id=id_of(refund.get("id")) or "",
        reference=_reference_of(refund, "refund"),
        intent_id=id_of(refund.get("payment_intent")),
        amount_minor=_minor(refund.get("amount")),
        currency=_currency(refund),
        created=_minor(refund.get("created")) or 0,
        code=_short(refund.get("failure_reason"), 40),
    )


def dispute_report(dispute: Mapping[str, Any], kind: str | None) -> DisputeReport:
    """A dispute as an event of `kind` tells of it, or as it was fetched (None)."""
    word = _DISPUTE_WORDS.get(str(dispute.get("status")), DisputeWord.NEEDS_ANSWER)
    details = dispute.get("evidence_details")
    return DisputeReport(
        word=word,
        dispute_id=id_of(dispute.get("id")) or "",
        intent_id=id_of(dispute.get("payment_intent")),
        amount_minor=_minor(dispute.get("amount")),
        currency=_currency(dispute),
        reason=_short(dispute.get("reason"), 40),
        created=_minor(dispute.get("created")) or 0,
        due=_minor(details.get("due_by")) if isinstance(details, dict) else None,
        withdrawn=kind == "charge.dispute.funds_withdrawn" or word is DisputeWord.LOST,
        reinstated=kind == "charge.dispute.funds_reinstated" or word is DisputeWord.WON,
    )


def movement_of(movement: Mapping[str, Any]) -> Movement:
    """A movement whose source was expanded in its place."""
    source = movement.get("source")
    known = source if isinstance(source, Mapping) else {}
    return Movement(
        movement_id=str(movement["id"]),
        kind=_MOVEMENTS.get(str(movement.get("reporting_category")), MovementKind.OTHER),
        source_id=id_of(source) or "",
        intent_id=id_of(known.get("payment_intent")) or "",
        reference=_reference_of(known, "payment"),
        refund_reference=_reference_of(known, "refund"),
        gross_minor=int(movement["amount"]),
        fee_minor=int(movement["fee"]),
        net_minor=int(movement["net"]),
        currency=_currency(movement),
        created=datetime.fromtimestamp(int(movement["created"]), UTC),
    )


def _method_of(intent: Mapping[str, Any]) -> str:
    """How a payment was paid: its charge says so; before, only where there was no choice."""
    charge = intent.get("latest_charge")
    details = charge.get("payment_method_details") if isinstance(charge, Mapping) else None
    if isinstance(details, Mapping):
        return _short(details.get("type"))
    offered = intent.get("payment_method_types")
    return _short(offered[0]) if isinstance(offered, list) and len(offered) == 1 else ""


def _saved_method(intent: Mapping[str, Any]) -> str | None:
    return id_of(intent.get("payment_method")) if intent.get("setup_future_usage") == "off_session" else None


def _reference_of(known: Mapping[str, Any], name: str) -> str:
    metadata = known.get("metadata")
    reference = metadata.get(name) if isinstance(metadata, dict) else None
    found = reference or (known.get("client_reference_id") if name == "payment" else None)
    return found if isinstance(found, str) and len(found) <= 20 else ""


def id_of(value: object) -> str | None:
    """An id, also where the object itself was expanded in its place."""
    if isinstance(value, stripe.StripeObject):
        value = value.to_dict()
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and 0 < len(value) <= 120 else None


def _minor(value: object) -> int | None:
    return value if type(value) is int and abs(value) <= 10**15 else None


def _short(value: object, most: int = 16) -> str:
    return value[:most] if isinstance(value, str) else ""


def _currency(known: Mapping[str, Any]) -> str:
    value = known.get("currency")
    return value.upper() if isinstance(value, str) and len(value) == 3 else ""
