"""A payment begun and what the provider says of it, for tests of receipts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.orm import Session

from portal.accounts.corrections import PLACES
from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import rebalance, self_check
from portal.db import Database
from portal.gateways.stripe import Checkout, PaymentReport, ProviderEventSeen, Report
from portal.gateways.stripe_reports import (
    NOTHING,
    DisputeReport,
    DisputeWord,
    RefundReport,
    RefundWord,
)
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages.models import Message
from portal.money import Money
from portal.payments import operations, receipts
from portal.payments.models import Dispute, Payment, Refund, UnplacedMoney
from portal.payments.receipts import Books, Outcome
from portal.plans.models import PlanReceipt
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


def refund_said(
    attempt: operations.Attempt,
    word: RefundWord,
    *,
    event_id: str = "evt_r",
    refund_id: str = "re_1",
    minor: int = 10_000,
    reference: str = "",
    created: int = 1_000,
    intent_id: str = "pi_1",
) -> ProviderEventSeen:
    """What the provider says of a refund; without a `reference` of ours it was begun at the provider."""
    report = RefundReport(word, refund_id, reference, intent_id, minor, attempt.amount.currency, created)
    return ProviderEventSeen(event_id, f"refund.{word}", refund_id, NOTHING, refund=report)


#: kind of event -> (word, the money has left, has come back): what each tells of a dispute
DISPUTE_KINDS: dict[str, tuple[DisputeWord, bool, bool]] = {
    "created": (DisputeWord.NEEDS_ANSWER, False, False),
    "funds_withdrawn": (DisputeWord.NEEDS_ANSWER, True, False),
    "updated": (DisputeWord.UNDER_REVIEW, False, False),
    "funds_reinstated": (DisputeWord.WON, False, True),
    "won": (DisputeWord.WON, False, True),
    "lost": (DisputeWord.LOST, True, False),
}


def dispute_said(
    attempt: operations.Attempt,
    kind: str,
    *,
    event_id: str = "evt_d",
    dispute_id: str = "dp_1",
    minor: int | None = None,
    created: int = 2_000,
    intent_id: str = "pi_1",
) -> ProviderEventSeen:
    """What an event of `kind` (a key of DISPUTE_KINDS) tells of a dispute over the whole payment, or `minor`."""
    word, withdrawn, reinstated = DISPUTE_KINDS[kind]
    report = DisputeReport(
        word=word,
        dispute_id=dispute_id,
        intent_id=intent_id,
        amount_minor=attempt.amount.minor if minor is None else minor,
        currency=attempt.amount.currency,
        reason="fraudulent",
        created=created,
        due=int(NOW.timestamp()) + 14 * 86_400,
        withdrawn=withdrawn,
        reinstated=reinstated,
    )
    name = "closed" if kind in ("won", "lost") else kind
    return ProviderEventSeen(event_id, f"charge.dispute.{name}", dispute_id, NOTHING, dispute=report)


def tell(database: Database, keys: Keys, event: ProviderEventSeen) -> Outcome:
    return database.write(lambda session: receipts.receive(session, event=event, books=books(keys)))


@dataclass
class Truth:
    """What is so in the end: the payment's state, its lines and what they credited, and what else came of it."""

    state: str
    lines: int
    credited: int
    aside: int
    messages: int
    faults: list[str]


@dataclass(frozen=True)
class Standing:
    """What stands of a payment whatever was told and undone on the way: its state, what of it counts on each
    loan by component, what it counts for its plan, and every refund and dispute as it ended."""

    state: str
    parts: tuple[tuple[int, str, int], ...]
    on_plan: tuple[tuple[int, int], ...]
    refunds: tuple[tuple[str | None, str, int], ...]
    disputes: tuple[tuple[str, str, bool, bool], ...]

    @property
    def net(self) -> int:
        """What of the payment counts, minor units."""
        return sum(minor for _, _, minor in self.parts)


def standing(connection: Connection | Session, payment_id: int) -> Standing:
    """What stands of one payment (see Standing)."""
    state = connection.scalar(select(Payment.state).where(Payment.id == payment_id))
    own = select(LedgerLine.id).where(LedgerLine.payment_id == payment_id, LedgerLine.kind == "payment")
    about = or_(LedgerLine.id.in_(own), LedgerLine.of_line_id.in_(own))
    undoing = LedgerLine.reverses_id.in_(select(LedgerLine.id).where(about))
    rows = connection.execute(
        select(LedgerLine.loan_id, *(func.sum(getattr(LedgerLine, f"{name}_minor")) for name in PLACES))
        .where(or_(about, undoing))
        .group_by(LedgerLine.loan_id)
        .order_by(LedgerLine.loan_id)
    ).all()
    counted = connection.execute(
        select(PlanReceipt.number, func.sum(PlanReceipt.amount_minor))
        .where(PlanReceipt.payment_id == payment_id)
        .group_by(PlanReceipt.number)
        .order_by(PlanReceipt.number)
    ).all()
    refunds = connection.execute(
        select(Refund.provider_refund, Refund.state, Refund.amount_minor)
        .where(Refund.payment_id == payment_id)
        .order_by(Refund.provider_refund)
    ).all()
    disputes = connection.execute(
        select(Dispute.provider_dispute, Dispute.state, Dispute.withdrawn, Dispute.reinstated)
        .where(Dispute.payment_id == payment_id)
        .order_by(Dispute.provider_dispute)
    ).all()
    return Standing(
        state=str(state),
        parts=tuple(
            (row[0], name, -int(minor))
            for row in rows
            for name, minor in zip(PLACES, row[1:], strict=True)
            if minor
        ),
        on_plan=tuple((number, int(minor)) for number, minor in counted if minor),
        refunds=tuple((row[0], row[1], row[2]) for row in refunds),
        disputes=tuple((row[0], row[1], row[2], row[3]) for row in disputes),
    )


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
