"""Twenty events of three payments with a refund that fails, a dispute won and a refund that stands, told in any order
with copies; one of the payments is known here only after some of them have come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import self_check
from portal.gateways.stripe import PaymentReport, ProviderEventSeen, Report
from portal.gateways.stripe_reports import NOTHING, DisputeReport, DisputeWord, RefundReport, RefundWord
from portal.payments.models import Dispute, Payment, Refund, UnplacedMoney
from portal.payments.receipts import apply_waiting, receive
from tests.machines.model import Account
from tests.machines.stage import FIRST_DAY, MORNING, OFFERED, Stage

#: Payment by payment: its loan, its amount, and what is told of it.
MINOR = 30_000
TOLD: dict[str, tuple[str, ...]] = {
    "P-A": ("processing", "declined", "paid", "paid again", "refund pending", "refund succeeded"),
    "P-B": ("paid", "paid again", "asked", "withdrawn", "reviewed", "reinstated", "won"),
    "P-C": ("processing", "expired", "paid", "refund succeeded", "refund failed", "withdrawn", "lost"),
}
LOANS = {"P-A": "L-1", "P-B": "C-1", "P-C": "U-1"}
#: What stays of each payment in the end: 100.00 of the first went back, all of the third was charged back.
NET = {"P-A": MINOR - 10_000, "P-B": MINOR, "P-C": 0}
ENDS = {"P-A": "part_refund", "P-B": "posted", "P-C": "disputed"}
_WORDS = {"processing": Report.PROCESSING, "declined": Report.DECLINED, "expired": Report.EXPIRED}


def events() -> list[ProviderEventSeen]:
    """All twenty, in the order in which they happened."""
    return [_event(payment, what) for payment, words in TOLD.items() for what in words]


def _event(payment: str, what: str) -> ProviderEventSeen:
    name = f"evt {payment} {what}"
    intent = f"pi_{payment}"
    base = ProviderEventSeen(name, what, intent, NOTHING)
    if what.startswith("refund"):
        word = RefundWord(what.split()[1])
        report = RefundReport(word, f"re_{payment}", "", intent, 10_000, _currency(payment), created=100)
        return replace(base, refund=report)
    if what in ("asked", "withdrawn", "reviewed", "reinstated", "won", "lost"):
        return replace(base, dispute=_dispute(payment, what))
    session = f"cs_{payment}" if what == "paid again" else None
    report = _WORDS.get(what, Report.PAID)
    return replace(base, payment=PaymentReport(report, payment, session, intent, MINOR, _currency(payment)))


def _dispute(payment: str, what: str) -> DisputeReport:
    words = {
        "won": DisputeWord.WON,
        "lost": DisputeWord.LOST,
        "reviewed": DisputeWord.UNDER_REVIEW,
        "reinstated": DisputeWord.WON,
    }
    return DisputeReport(
        word=words.get(what, DisputeWord.NEEDS_ANSWER),
        dispute_id=f"dp_{payment}",
        intent_id=f"pi_{payment}",
        amount_minor=MINOR,
        currency=_currency(payment),
        reason="fraudulent",
        created=200,
        due=None,
        withdrawn=what in ("withdrawn", "lost"),
        reinstated=what == "reinstated",
    )


def _currency(payment: str) -> str:
    return "USD" if payment == "P-C" else "CNY"


def begin(stage: Stage, payment: str) -> None:
    """The payment's own row, as a begun attempt leaves it."""
    loan_id = stage.loans[LOANS[payment]]

    def unit(session: Session) -> None:
        session.add(
            Payment(
                created_at=MORNING,
                reference=payment,
                borrower_id=stage.borrower_id,
                loan_id=loan_id,
                target=f"loan:{loan_id}",
                amount_minor=MINOR,
                currency=_currency(payment),
                method="stripe",
                state="created",
                form_key=payment,
                idempotency_key=f"checkout-{payment}",
                provider_session=f"cs_{payment}",
                offered=OFFERED,
                expires_at=MORNING,
                asked_at=MORNING,
            )
        )

    stage.db.write(unit)


def tell_all(stage: Stage, shuffler: random.Random) -> None:
    """Every event one to five times, in one order; the third payment's row comes to be somewhere on the way."""
    pile = [event for event in events() for _ in range(shuffler.randint(1, 5))]
    shuffler.shuffle(pile)
    known_at = shuffler.randrange(len(pile))
    for payment in ("P-A", "P-B"):
        begin(stage, payment)
    for number, event in enumerate(pile):
        if number == known_at:
            begin(stage, "P-C")
        stage.db.write(lambda session, event=event: receive(session, event=event, books=stage.books()))
    while stage.db.write(lambda session: apply_waiting(session, books=stage.books())):
        pass


def state(stage: Stage) -> tuple[Any, ...]:
    """All that must not depend on the order: balances, what stands of each payment, and every state."""
    connection = stage.connection
    names = [f"{name}_{what}_minor" for name in COMPONENTS for what in ("owed", "paid", "forgiven")]
    columns = [LoanBalance.__table__.c[name] for name in (*names, "suspense_minor", "due_now_minor")]
    rows = connection.execute(select(*columns).order_by(LoanBalance.__table__.c.loan_id))
    payments = connection.execute(select(Payment.reference, Payment.state).order_by(Payment.reference))
    refunds = connection.execute(
        select(Refund.provider_refund, Refund.state).order_by(Refund.provider_refund)
    )
    disputes = connection.execute(
        select(Dispute.provider_dispute, Dispute.state, Dispute.withdrawn, Dispute.reinstated).order_by(
            Dispute.provider_dispute
        )
    )
    aside = connection.scalar(select(func.count()).select_from(UnplacedMoney))
    found = [tuple(map(tuple, part.all())) for part in (rows, payments, refunds, disputes)]
    return (*found, net(stage), aside, tuple(self_check(connection)))


def net(stage: Stage) -> tuple[tuple[str, int], ...]:
    """What stands of each payment on the ledger: its line less what was taken back (M11)."""
    paid = LedgerLine.__table__
    lines = stage.connection.execute(select(paid).order_by(paid.c.id)).all()
    by_id = {line.id: line for line in lines}
    references = dict(stage.connection.execute(select(Payment.id, Payment.reference)).all())
    sums = dict.fromkeys(sorted(references.values()), 0)
    for line in lines:
        source = by_id[line.reverses_id] if line.reverses_id else line
        payment = by_id[source.of_line_id] if source.kind in ("refund", "charge_back") else source
        if payment.payment_id is not None:
            amount = sum(getattr(line, f"{name}_minor") for name in (*COMPONENTS, "suspense"))
            sums[references[payment.payment_id]] -= amount
    return tuple(sums.items())


def accounts() -> Sequence[Account]:
    """A loan each, so that no payment's place depends on another's."""
    made = [
        Account("L-1", "loan", "CNY", 1_200, ((FIRST_DAY, 100_000),), FIRST_DAY),
        Account("C-1", "card", "CNY", 1_800, ((FIRST_DAY, 100_000),), FIRST_DAY),
        Account("U-1", "loan", "USD", 600, ((FIRST_DAY, 20_000),), FIRST_DAY),
    ]
    for account in made:
        account.owed["principal"] = account.instalments[0][1]
    return made
