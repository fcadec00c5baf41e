"""The provider's calls, each a step of its own: our row is committed before, the answer after, and no
transaction is open while we wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session

from portal.dates import Clock
from portal.db import Database
from portal.gateways.stripe import (
    NotGenuine,
    PaymentReport,
    ProviderEventSeen,
    ProviderRefused,
    ProviderUnavailable,
    Report,
    StripeGateway,
)
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.payments.lifecycle import OPEN_STATES, PaymentAction
from portal.payments.models import Payment
from portal.payments.operations import Attempt, attempt_of, closed, ensure_references, opened
from portal.payments.receipts import Books, Outcome, apply_waiting, receive, set_aside_unknown
from portal.settings import Settings

#: The doors take the provider's answers from here: the gateway itself has no other importer.
__all__ = [
    "NotGenuine",
    "ProviderRefused",
    "ProviderUnavailable",
    "ask",
    "books_of",
    "give_up",
    "open_checkout",
    "sweep",
]

log = structlog.get_logger()

#: An attempt of which nothing was heard for so long is asked about.
SILENCE = timedelta(minutes=3)
#: Money for a payment that does not turn up within this time is set aside.
PATIENCE = timedelta(days=3)


class Parts(Protocol):
    """What the calls need of a running portal."""

    @property
    def settings(self) -> Settings: ...
    @property
    def db(self) -> Database: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def stripe(self) -> StripeGateway: ...


def books_of(parts: Parts) -> Books:
    """The installation and the moment, for booking."""
    return Books(
        keys=parts.keys,
        pack=pack(parts.settings.bank.jurisdiction),
        host=parts.settings.bank.host,
        today=parts.clock.today(),
        now=parts.clock.now(),
        real_now=parts.clock.real_now(),
        demonstration=parts.settings.environment == "demonstration",
    )


def open_checkout(parts: Parts, attempt: Attempt) -> Attempt:
    """The attempt with the address where the payer goes; asking again gives the same.

    Raises ProviderUnavailable (nothing is known: ask again) and ProviderRefused (the attempt is failed).
    """
    if attempt.checkout_url:
        return attempt
    back = f"{parts.settings.base_url}/my/pay/{attempt.reference}"
    try:
        made = parts.stripe.create_checkout(
            reference=attempt.reference,
            amount=attempt.amount,
            methods=attempt.offered["methods"],
            title=f"{attempt.offered['title']} {attempt.reference}",
            return_url=f"{back}?back=1",
            cancel_url=back,
            locale=attempt.offered["locale"],
            idempotency_key=attempt.idempotency_key,
            expires_at=attempt.expires_at,
        )
    except ProviderRefused as refused:
        _close(parts, attempt, PaymentAction.FAIL, refused.code)
        raise
    parts.db.write(
        lambda session: opened(
            session,
            payment_id=attempt.payment_id,
            checkout=made,
            real_now=parts.clock.real_now(),
            now=parts.clock.now(),
        )
    )
    return replace(attempt, provider_session=made.session_id, checkout_url=made.url)


def ask(parts: Parts, attempt: Attempt) -> None:
    """Ask the provider how an attempt stands and apply the answer. Raises ProviderUnavailable."""
    parts.db.write(lambda session: _touch(session, attempt.payment_id, parts))
    try:
        known = open_checkout(parts, attempt)
        report = parts.stripe.fetch(known.provider_session or "")
    except ProviderRefused as refused:
        if attempt.expires_at < parts.clock.real_now():
            _close(parts, attempt, PaymentAction.CANCEL, refused.code)
        return
    _apply_answer(parts, report)


def give_up(parts: Parts, attempt: Attempt) -> None:
    """Close an attempt the payer does not want: at the provider first, so that nobody can pay in it any
    more; if it was paid meanwhile, that is what counts. Raises ProviderUnavailable."""
    if attempt.provider_session is None:
        _close(parts, attempt, PaymentAction.CANCEL, "given_up")
        return
    try:
        report = parts.stripe.expire(
            attempt.provider_session, idempotency_key=f"expire-{attempt.idempotency_key}"
        )
    except ProviderRefused:
        ask(parts, attempt)
        return
    _apply_answer(parts, report)


def sweep(parts: Parts, *, limit: int = 50) -> int:
    """Ask about attempts that fell silent, apply events that waited, write missing transfer references;
    how many attempts were asked about. The background calls this twice a minute."""
    books = books_of(parts)
    parts.db.write(lambda session: apply_waiting(session, books=books))
    parts.db.write(lambda session: set_aside_unknown(session, before=books.now - PATIENCE, books=books))
    parts.db.write(lambda session: ensure_references(session, keys=parts.keys, now=books.now))
    if not parts.stripe.available:
        return 0
    with parts.db.read() as connection:
        silent = _silent(connection, parts, limit)
    for attempt in silent:
        try:
            ask(parts, attempt)
        except ProviderUnavailable as error:
            log.warning("payment_provider_silent", payment=attempt.reference, kind=str(error))
    return len(silent)


def _silent(connection: Connection, parts: Parts, limit: int) -> list[Attempt]:
    real_now = parts.clock.real_now()
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


def _touch(session: Session, payment_id: int, parts: Parts) -> None:
    session.execute(update(Payment).where(Payment.id == payment_id).values(asked_at=parts.clock.real_now()))


def _close(parts: Parts, attempt: Attempt, action: PaymentAction, code: str) -> None:
    parts.db.write(
        lambda session: closed(
            session, payment_id=attempt.payment_id, action=action, code=code, now=parts.clock.now()
        )
    )


def _apply_answer(parts: Parts, report: PaymentReport) -> Outcome:
    """An answer is kept like an event, under the name of what it says, and so counts once."""
    if report.report is Report.OPEN:
        return Outcome.NOTED
    event = ProviderEventSeen(
        event_id=f"asked:{report.session_id}:{report.report}",
        kind=f"asked.{report.report}",
        object_id=report.session_id or "",
        payment=report,
    )
    return parts.db.write(lambda session: receive(session, event=event, books=books_of(parts)))
