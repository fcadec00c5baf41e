"""What a borrower reads of money that went back, and of the way to pay kept for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from portal.money import Money
from portal.payments.lifecycle import RefundState, SavedState
from portal.payments.models import Dispute, Refund, SavedMethod

#: Refunds the borrower is told of: those that are the provider's business, not the desk's thoughts.
_TOLD = (RefundState.CREATED, RefundState.PROCESSING, RefundState.SUCCEEDED, RefundState.FAILED)


@dataclass(frozen=True)
class ReturnView:
    """One refund or dispute. `kind`: ``refund`` or ``dispute``; `state`: ``under_way``, ``sent``, ``came_back``,
    ``asked`` (no money left), ``taken``, ``restored``."""

    kind: str
    reference: str
    amount: Money
    state: str
    at: datetime


@dataclass(frozen=True)
class SavedView:
    """The way to pay kept for a plan's instalments, and the words it was agreed to in."""

    plan_id: int
    kind: str
    consent_text: str
    agreed_at: datetime


def returns_of(connection: Connection, payment_id: int) -> tuple[ReturnView, ...]:
    """What went back of a payment of the borrower (whose it is the caller has checked), the earliest first."""
    refunds = connection.execute(
        select(Refund.__table__).where(Refund.payment_id == payment_id, Refund.state.in_(_TOLD))
    )
    disputes = connection.execute(
        select(Dispute.__table__).where(Dispute.payment_id == payment_id, Dispute.unplaced_id.is_(None))
    )
    found = [
        ReturnView(
            "refund",
            row.reference,
            Money(row.amount_minor, row.currency),
            {"succeeded": "sent", "failed": "came_back"}.get(row.state, "under_way"),
            row.finished_at or row.created_at,
        )
        for row in refunds
        if row.state != RefundState.FAILED or row.provider_refund is not None
    ]
    found += [
        ReturnView(
            "dispute",
            row.reference,
            Money(row.amount_minor, row.currency),
            "restored" if row.withdrawn and row.reinstated else "taken" if row.withdrawn else "asked",
            row.closed_at or row.created_at,
        )
        for row in disputes
    ]
    return tuple(sorted(found, key=lambda one: one.at))


def saved_for(connection: Connection, borrower_id: int, plan_id: int) -> SavedView | None:
    """The active saved method of the borrower's plan."""
    row = connection.execute(
        select(SavedMethod.plan_id, SavedMethod.kind, SavedMethod.consent_text, SavedMethod.created_at).where(
            SavedMethod.borrower_id == borrower_id,
            SavedMethod.plan_id == plan_id,
            SavedMethod.state == SavedState.ACTIVE,
        )
    ).one_or_none()
    return None if row is None else SavedView(*row)
