"""What booking what the provider says needs: the installation, the moment, and the alarm for what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from portal import audit
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.messages import operations as messages
from portal.payments.models import Payment

PROVIDER = audit.Actor("provider", "stripe")


class Outcome(StrEnum):
    """What became of an event."""

    CREDITED = "credited"
    SUSPENSE = "suspense"
    NOTED = "noted"
    WAITING = "waiting"


@dataclass(frozen=True)
class Books:
    """What booking a payment needs to know of the installation and the moment."""

    keys: Keys
    pack: Jurisdiction
    host: str
    today: date
    now: datetime
    real_now: datetime
    demonstration: bool = False


def alarm(session: Session, subject: str | int, facts: Mapping[str, Any], *, now: datetime) -> None:
    """Write down that something about money does not fit: shown at the desk and found in the record."""
    audit.record(
        session,
        actor=PROVIDER,
        event="payment.alarm",
        subject_kind="payment",
        subject_ref=subject,
        now=now,
        facts=facts,
    )


def tell_news(session: Session, payment: Payment, news: str, books: Books) -> None:
    """Let the borrower know, once per piece of news, that there is something to read about a payment."""
    messages.queue(
        session,
        keys=books.keys,
        borrower_id=payment.borrower_id,
        kind="payment_news",
        params={"host": books.host, "reference": payment.reference},
        dedupe_key=f"news:{news}",
        asked_for=False,
        real_now=books.real_now,
        demonstration=books.demonstration,
    )
