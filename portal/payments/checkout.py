"""The provider's calls, each a step of its own: our row is committed before, the answer after, and no
transaction is open while we wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session

from portal.gateways.stripe import NotGenuine, ProviderRefused, ProviderUnavailable
from portal.installation import Portal
from portal.jurisdictions import pack
from portal.payments.lifecycle import OPEN_STATES, PaymentAction
from portal.payments.models import Payment
from portal.payments.operations import Attempt, attempt_of, closed, ensure_references, opened
from portal.payments.payers import receipt_path
from portal.payments.provider_calls import (
    apply_answer,
    catch_up,
    charge_saved,
    sweep_returns,
    take_instalments,
)
from portal.payments.receipts import Books, apply_waiting, set_aside_unknown

#: The doors take the provider's answers from here: the gateway itself has no other importer.
__all__ = [
    "NotGenuine",
    "ProviderRefused",
    "ProviderUnavailable",
    "ask",
    "books_of",
    "give_up",
    "open_checkout",
    "read_events",
    "sweep",
    "take_due",
]

log = structlog.get_logger()

#: An attempt of which nothing was heard for so long is asked about.
SILENCE = timedelta(minutes=3)
#: Money for a payment that does not turn up within this time is set aside.
PATIENCE = timedelta(days=3)


def books_of(portal: Portal) -> Books:
    """The installation and the moment, for booking."""
    return Books(
        keys=portal.keys,
        pack=pack(portal.settings.bank.jurisdiction),
        host=portal.settings.bank.host,
        today=portal.clock.today(),
        now=portal.clock.now(),
        real_now=portal.clock.real_now(),
        demonstration=portal.settings.environment == "demonstration",
    )


def open_checkout(portal: Portal, attempt: Attempt) -> Attempt:
    """The attempt with the address where the payer goes; asking again gives the same.

    Raises ProviderUnavailable (nothing is known: ask again) and ProviderRefused (the attempt is failed).
    """
    if attempt.checkout_url:
        return attempt
    is_helper = attempt.offered.get("payer") == "helper"
    path = receipt_path(portal.keys, attempt.reference) if is_helper else f"/my/pay/{attempt.reference}"
    back = f"{portal.settings.base_url}{path}"
    try:
        made = portal.stripe.create_checkout(
            reference=attempt.reference,
            amount=attempt.amount,
            methods=attempt.offered["methods"],
            title=f"{attempt.offered['title']} {attempt.reference}",
            return_url=f"{back}?back=1",
            cancel_url=back,
            locale=attempt.offered["locale"],
            idempotency_key=attempt.idempotency_key,
            expires_at=attempt.expires_at,
            save=bool(attempt.offered.get("save")),
        )
    except ProviderRefused as refused:
        _close(portal, attempt, PaymentAction.FAIL, refused.code)
        raise
    portal.db.write(
        lambda session: opened(
            session,
            payment_id=attempt.payment_id,
            checkout=made,
            real_now=portal.clock.real_now(),
            now=portal.clock.now(),
        )
    )
    return replace(attempt, provider_session=made.session_id, checkout_url=made.url)


def ask(portal: Portal, attempt: Attempt) -> None:
    """Ask the provider how an attempt stands and apply the answer. Raises ProviderUnavailable."""
    portal.db.write(lambda session: _touch(session, attempt.payment_id, portal))
    if "saved" in attempt.offered:
        charge_saved(portal, attempt, books_of(portal))
        return
    try:
        known = open_checkout(portal, attempt)
        report = portal.stripe.fetch(known.provider_session or "")
    except ProviderRefused as refused:
        if attempt.expires_at < portal.clock.real_now():
            _close(portal, attempt, PaymentAction.CANCEL, refused.code)
        return
    apply_answer(portal, report, books_of(portal))


def give_up(portal: Portal, attempt: Attempt) -> None:
    """Close an attempt the payer does not want: at the provider first, so that nobody can pay in it any
    more; if it was paid meanwhile, that is what counts. Raises ProviderUnavailable."""
    if attempt.provider_session is None and "saved" not in attempt.offered:
        _close(portal, attempt, PaymentAction.CANCEL, "given_up")
        return
    if attempt.provider_session is None:
        ask(portal, attempt)
        return
    try:
        report = portal.stripe.expire(
            attempt.provider_session, idempotency_key=f"expire-{attempt.idempotency_key}"
        )
    except ProviderRefused:
        ask(portal, attempt)
        return
    apply_answer(portal, report, books_of(portal))


def sweep(portal: Portal, *, limit: int = 50) -> int:
    """Ask about attempts, refunds and answers that fell silent, apply events that waited, write missing transfer references;
    how many attempts were asked about. The background calls this twice a minute."""
    books = books_of(portal)
    portal.db.write(lambda session: apply_waiting(session, books=books))
    portal.db.write(lambda session: set_aside_unknown(session, before=books.now - PATIENCE, books=books))
    portal.db.write(lambda session: ensure_references(session, keys=portal.keys, now=books.now))
    if not portal.stripe.available:
        return 0
    sweep_returns(portal, books, limit=limit)
    with portal.db.read() as connection:
        silent = _silent(connection, portal, limit)
    for attempt in silent:
        try:
            ask(portal, attempt)
        except ProviderUnavailable as error:
            log.warning("payment_provider_silent", payment=attempt.reference, kind=str(error))
    return len(silent)


def read_events(portal: Portal) -> int:
    """Read the provider's own list of events for what the endpoint never got; how many were new. A
    provider that does not answer is asked again at the next turn, from where the last one ended."""
    try:
        return catch_up(portal, books_of(portal))
    except (ProviderUnavailable, ProviderRefused) as error:
        log.warning("payment_provider_silent", about="events", kind=str(error))
        return 0


def take_due(portal: Portal) -> int:
    """Take today's instalments with the methods saved for them; how many were tried."""
    return take_instalments(portal, books_of(portal))


def _silent(connection: Connection, portal: Portal, limit: int) -> list[Attempt]:
    real_now = portal.clock.real_now()
    rows = connection.execute(
        select(Payment.__table__)
        .where(
            Payment.method == "stripe",
            Payment.state.in_(OPEN_STATES),
            or_(Payment.asked_at < real_now - SILENCE, Payment.asked_at > real_now + SILENCE),
        )
        .order_by(Payment.asked_at)
        .limit(limit)
    )
    return [attempt_of(row, repeated=True) for row in rows]


def _touch(session: Session, payment_id: int, portal: Portal) -> None:
    session.execute(update(Payment).where(Payment.id == payment_id).values(asked_at=portal.clock.real_now()))


def _close(portal: Portal, attempt: Attempt, action: PaymentAction, code: str) -> None:
    portal.db.write(
        lambda session: closed(
            session, payment_id=attempt.payment_id, action=action, code=code, now=portal.clock.now()
        )
    )
