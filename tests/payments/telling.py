"""A payment begun and what the provider says of it, for tests of receipts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import rebalance, self_check
from portal.db import Database
from portal.gateways.stripe import Checkout, PaymentReport, ProviderEventSeen, Report
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages.models import Message
from portal.money import Money
from portal.payments import operations, receipts
from portal.payments.models import Payment, UnplacedMoney
from portal.payments.receipts import Books, Outcome
from tests import people

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


OFFERED = {"methods": ["card"], "locale": "zh", "title": "港湾银行"}


def books(keys: Keys) -> Books:
    return Books(
        keys=keys, pack=pack("cn"), host="my.harbour.example", today=date(2026, 11, 20), now=NOW, real_now=NOW
    )


def begin(
    database: Database,
    borrower_id: int,
    minor: int = 30_000,
    *,
    loan_ref: str | None = "L-LIN-1",
    form_key: str = "form-1",
    session_id: str | None = "cs_1",
) -> operations.Attempt:
    def unit(session: Session) -> operations.Attempt:
        attempt = operations.create_attempt(
            session,
            borrower_id=borrower_id,
            loan_ref=loan_ref,
            amount=Money(minor, "CNY"),
            form_key=form_key,
            offered=OFFERED,
            now=NOW,
            real_now=NOW,
        )
        if session_id:
            checkout = Checkout(session_id, f"http://pay.example/{session_id}", None)
            operations.opened(
                session, payment_id=attempt.payment_id, checkout=checkout, real_now=NOW, now=NOW
            )
        return attempt

    return database.write(unit)


def said(
    attempt: operations.Attempt,
    report: Report,
    *,
    event_id: str = "evt_1",
    kind: str = "payment_intent.succeeded",
    **changes: Any,
) -> ProviderEventSeen:
    payment = PaymentReport(
        report=report,
        reference=attempt.reference,
        session_id="cs_1" if kind.startswith("checkout") else None,
        intent_id="pi_1",
        amount_minor=attempt.amount.minor,
        currency="CNY",
    )
    return ProviderEventSeen(event_id, kind, "pi_1", replace(payment, **changes))


def tell(database: Database, keys: Keys, event: ProviderEventSeen) -> Outcome:
    return database.write(lambda session: receipts.receive(session, event=event, books=books(keys)))


@dataclass
class Truth:
    state: str
    lines: int
    credited: int
    aside: int
    messages: int
    faults: list[str]


def truth(database: Database, reference: str) -> Truth:
    with database.read() as connection:
        state, payment_id = connection.execute(
            select(Payment.state, Payment.id).where(Payment.reference == reference)
        ).one()
        ours = select(LedgerLine).where(LedgerLine.payment_id == payment_id).subquery()
        columns = ("cost", "fee", "penalty_interest", "interest", "principal", "suspense")
        total = sum(getattr(ours.c, f"{name}_minor") for name in columns)
        lines, credited = connection.execute(
            select(func.count(), func.coalesce(func.sum(total), 0)).select_from(ours)
        ).one()
        aside = connection.scalar(select(func.count()).select_from(UnplacedMoney))
        messages = connection.scalar(select(func.count()).select_from(Message))
        return Truth(state, lines, -int(credited), aside or 0, messages or 0, self_check(connection))


def lin(database: Database, keys: Keys, *, language: str = "zh") -> int:
    """Lin, with her loans' figures worked out from their lines."""

    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys, language=language)
        loan_ids = session.scalars(select(LoanBalance.loan_id)).all()
        rebalance(session, loan_ids=loan_ids, as_of=people.BUSINESS_DATE, now=NOW)
        return borrower_id

    return database.write(unit)
