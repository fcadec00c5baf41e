"""Sending money that had no place back to whoever paid it: confirmed before the call, the answer written after it."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import select

from portal.gateways.stripe import ProviderRefused, ProviderUnavailable
from portal.installation import Portal
from portal.money import Money
from portal.payments.checkout import books_of
from portal.payments.lifecycle import MoveState
from portal.payments.models import SuspenseMove, UnplacedMoney
from portal.payments.placing import intent_in
from portal.transfers.suspense import give_back_failed, given_back

log = structlog.get_logger()


@dataclass(frozen=True)
class _Order:
    reference: str
    intent_id: str
    amount: Money


def send_confirmed(portal: Portal, *, limit: int = 20) -> int:
    """Send back what is confirmed and not sent; how many the provider answered. Our reference makes the
    key, so that asking again after a lost answer sends nothing twice."""
    orders = _orders(portal, limit) if portal.stripe.available else []
    return sum(_send(portal, order) for order in orders)


def _send(portal: Portal, order: _Order) -> bool:
    try:
        report = portal.stripe.refund(
            reference=order.reference,
            intent_id=order.intent_id,
            amount=order.amount,
            reason="requested_by_customer",
            idempotency_key=f"refund-{order.reference}",
        )
    except ProviderUnavailable as error:
        log.warning("give_back_unanswered", reference=order.reference, kind=str(error))
        return False
    except ProviderRefused as refused:
        code = refused.code
        portal.db.write(
            lambda session: give_back_failed(
                session, reference=order.reference, code=code, books=books_of(portal)
            )
        )
        return True
    refund = {"refund": report.refund_id, "word": str(report.word)}
    portal.db.write(
        lambda session: given_back(session, reference=order.reference, refund=refund, books=books_of(portal))
    )
    return True


def _orders(portal: Portal, limit: int) -> list[_Order]:
    with portal.db.read() as connection:
        rows = connection.execute(
            select(
                SuspenseMove.reference,
                SuspenseMove.amount_minor,
                SuspenseMove.currency,
                SuspenseMove.unplaced_id,
            )
            .join(UnplacedMoney, UnplacedMoney.id == SuspenseMove.unplaced_id)
            .where(
                SuspenseMove.kind == "give_back",
                SuspenseMove.state == MoveState.CONFIRMED,
                UnplacedMoney.method == "stripe",
            )
            .order_by(SuspenseMove.id)
            .limit(limit)
        ).all()
        return [
            _Order(
                row.reference, intent_in(connection, row.unplaced_id), Money(row.amount_minor, row.currency)
            )
            for row in rows
        ]
