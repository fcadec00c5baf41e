"""Bank transfers the bank received: matched to a loan by the reference the payer wrote, credited like any
payment, or kept apart for the desk; the same transfer once, and taken back when the bank says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session, aliased

from portal import audit
from portal.access.codes import new_reference
from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import GAVE_WAY
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import rebalance
from portal.keys import Keys
from portal.money import Money
from portal.payments.books import Books, tell_news
from portal.payments.lifecycle import DisputeState, PaymentAction, PaymentState
from portal.payments.models import (
    Dispute,
    IncomingTransfer,
    Payment,
    TransferReference,
    UnplacedMoney,
)
from portal.payments.operations import ensure_references, locked, move
from portal.payments.receipts import credit
from portal.payments.references import TRANSFER, references_in
from portal.payments.returns import settle
from portal.plans.models import PlanLoan
from portal.plans.receipts import apply_receipt, recount, recount_posting
from portal.transfers.suspense import set_aside

#: Transfers matched with one look.
CHUNK = 500
#: How a transfer begins that an intake has written down.
WAITING = "waiting"
#: Who acts, in the record.
INTAKE = audit.Actor("operator", "intake")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer as the bank's file tells it."""

    transfer_ref: str
    value_on: date
    amount: Money
    text: str
    payer_name: str
    payer_tail: str
    reverses_ref: str | None


@dataclass(frozen=True, slots=True)
class _Owner:
    loan_id: int
    borrower_id: int
    currency: str


def row_of(keys: Keys, one: Transfer) -> dict[str, Any]:
    """What is kept of a transfer: who paid and what was written sealed, and a digest of all of it."""
    payer = json.dumps([one.payer_name, one.payer_tail], ensure_ascii=False)
    return {
        "transfer_ref": one.transfer_ref,
        "value_on": one.value_on,
        "amount_minor": one.amount.minor,
        "currency": one.amount.currency,
        "text_sealed": keys.seal("transfer.text", one.text),
        "payer_sealed": keys.seal("transfer.payer", payer),
        "reverses_ref": one.reverses_ref,
        "content_digest": content_digest(keys, one),
    }


def anything_waiting(connection: Connection) -> bool:
    """Whether a transfer waits to be booked."""
    statement = select(IncomingTransfer.id).where(IncomingTransfer.outcome == WAITING).limit(1)
    return connection.scalar(statement) is not None


def book_waiting(session: Session, *, books: Books, limit: int = CHUNK) -> int:
    """Book up to `limit` transfers that an intake has written down; how many.

    Each is held while it is booked, so that two workers never book the same one. Reversals come after what
    they take back, whatever order they came in.
    """
    while ensure_references(session, keys=books.keys, now=books.now):
        pass
    waiting = select(IncomingTransfer).where(IncomingTransfer.outcome == WAITING)
    rows = session.scalars(
        waiting.where(IncomingTransfer.reverses_ref.is_(None))
        .order_by(IncomingTransfer.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    owners = _owners(session, books.keys, rows)
    for row in rows:
        row.outcome, row.reason = _book(session, row, owners[row.id], books)
    if rows:
        session.flush()
        return len(rows)
    backs = session.scalars(
        waiting.where(IncomingTransfer.reverses_ref.is_not(None))
        .order_by(IncomingTransfer.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    done = 0
    for row in backs:
        if _take_back(session, row, books):
            row.outcome = "reversal"
            done += 1
    session.flush()
    return done


#: Outcomes after which a transfer cannot be taken back (again).
_ENDED = frozenset({"reversed", "reversal"})


def content_digest(keys: Keys, one: Transfer) -> str:
    """A keyed digest of all a transfer says."""
    content = (
        one.transfer_ref,
        one.value_on.isoformat(),
        one.amount.minor,
        one.amount.currency,
        one.text,
        one.payer_name,
        one.payer_tail,
        one.reverses_ref,
    )
    return keys.digest("transfer.content", json.dumps(content, ensure_ascii=False))


def _owners(session: Session, keys: Keys, rows: Sequence[IncomingTransfer]) -> dict[int, list[_Owner]]:
    """transfer -> the loans whose references stand in its text."""
    named = {row.id: references_in(keys.unseal("transfer.text", row.text_sealed)) for row in rows}
    wanted = sorted({reference for found in named.values() for reference in found})
    owners: dict[str, _Owner] = {}
    for start in range(0, len(wanted), CHUNK):
        found = session.execute(
            select(TransferReference.reference, Loan.id, Loan.borrower_id, Loan.currency)
            .join(Loan, Loan.id == TransferReference.loan_id)
            .where(TransferReference.reference.in_(wanted[start : start + CHUNK]))
        )
        owners |= {row[0]: _Owner(*row[1:]) for row in found}
    return {row_id: [owners[one] for one in found if one in owners] for row_id, found in named.items()}


def _book(session: Session, row: IncomingTransfer, owners: Sequence[_Owner], books: Books) -> tuple[str, str]:
    """Credit the loan named, or keep the money apart; the outcome and why."""
    core = session.execute(
        select(LedgerLine.__table__, Loan.borrower_id, Loan.currency)
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .where(LedgerLine.source == "core", LedgerLine.external_ref == row.transfer_ref)
        .where(LedgerLine.kind == "payment")
        .limit(1)
    ).one_or_none()
    if core is not None:
        row.payment_id = _posted_by_core(session, row, core, books)
        return "core_posted", ""
    reason = _misfit(row.currency, owners)
    if reason:
        key = f"{TRANSFER}{row.transfer_ref}"
        set_aside(
            session,
            money_key=key,
            amount=Money(row.amount_minor, row.currency),
            reason=reason,
            books=books,
            method="bank_transfer",
            actor=INTAKE,
        )
        row.unplaced_id = session.scalar(select(UnplacedMoney.id).where(UnplacedMoney.money_key == key))
        return "unplaced", reason
    payment = _payment(session, row, owners[0], books)
    credit(session, payment, replace(books, today=row.value_on))
    return "placed", ""


def _misfit(currency: str, owners: Sequence[_Owner]) -> str:
    """Why the money cannot be placed by itself, or nothing."""
    if not owners:
        return "unknown_reference"
    if len(owners) > 1:
        return "several_references"
    return "" if owners[0].currency == currency else "currency_differs"


def _payment(session: Session, row: IncomingTransfer, owner: _Owner, books: Books) -> Payment:
    """A payment that was begun at another bank: it has arrived, so it begins as succeeded."""
    payment = Payment(
        created_at=books.now,
        reference=new_reference("P"),
        borrower_id=owner.borrower_id,
        loan_id=owner.loan_id,
        target=f"loan:{owner.loan_id}",
        amount_minor=row.amount_minor,
        currency=row.currency,
        method="bank_transfer",
        state=PaymentState.SUCCEEDED,
        form_key=f"transfer-{row.id}",
        idempotency_key=f"transfer-{row.id}",
        offered={},
        expires_at=books.real_now + timedelta(minutes=1),
        asked_at=books.real_now,
        succeeded_at=books.now,
    )
    session.add(payment)
    session.flush()
    row.payment_id = payment.id
    session.flush()
    return payment


def _posted_by_core(session: Session, row: IncomingTransfer, core: Any, books: Books) -> int:
    """The bank's ledger has the transfer already: the payment is told and counts for the plan, and no line
    of ours is added."""
    owner = _Owner(core.loan_id, core.borrower_id, core.currency)
    payment = _payment(session, row, owner, books)
    payment.allocation = {"loans": [_as_placed(session, core, row.value_on, books)]}
    payment.posted_at = books.now
    move(session, payment, PaymentAction.POST, now=books.now, facts={"core_line": core.line_ref})
    plan_id = session.scalar(
        select(PlanLoan.plan_id).where(PlanLoan.loan_id == core.loan_id, PlanLoan.ended_at.is_(None))
    )
    if plan_id is not None:
        # the line may have counted by itself, where the bank told of the transfer later
        recount_posting(session, line_id=core.id, net=Money.zero(row.currency), now=books.now)
        apply_receipt(
            session,
            plan_id=plan_id,
            payment_id=payment.id,
            amount=Money(row.amount_minor, row.currency),
            now=books.now,
            today=row.value_on,
        )
    return payment.id


def _as_placed(session: Session, core: Any, day: date, books: Books) -> dict[str, Any]:
    """How the core placed it, in the form in which a payment keeps its placing."""
    rebalance(session, loan_ids=[core.loan_id], as_of=day, now=books.now)
    loan, balance = session.get_one(Loan, core.loan_id), session.get_one(LoanBalance, core.loan_id)
    parts = {name: -int(getattr(core, f"{name}_minor")) for name in COMPONENTS}
    return {
        "loan_id": loan.id,
        "loan_ref": loan.loan_ref,
        "product_class": loan.product_class,
        "days_overdue": balance.days_overdue,
        "rule": "core",
        "source": "",
        "amount_minor": sum(parts.values()),
        "suspense_minor": 0,
        "left_after_minor": balance.left_minor,
        "steps": [
            {"component": name, "due": True, "amount_minor": minor, "left_minor": balance.left_of(name)}
            for name, minor in parts.items()
            if minor
        ],
    }


def _take_back(session: Session, row: IncomingTransfer, books: Books) -> bool:
    """The bank gave the money back or never had it: what was credited is charged back, money without a place
    has left. Where the core's own line stands for ours, the core undoes it itself. False while the transfer
    itself still waits."""
    original = session.scalars(
        select(IncomingTransfer)
        .where(IncomingTransfer.transfer_ref == row.reverses_ref)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if original.outcome == WAITING:
        return False
    payment = locked(session, Payment.id == original.payment_id) if original.payment_id else None
    _end(session, original)
    if payment is not None and _is_the_cores(session, payment):
        recount(session, payment_id=payment.id, net=Money.zero(payment.currency), now=books.now)
        move(session, payment, PaymentAction.DISPUTE, now=books.now, facts={"transfer": row.transfer_ref})
    else:
        _add_dispute(session, payment, original, row, books)
        if payment is not None:
            settle(session, payment, books)
    if payment is not None:
        tell_news(session, payment, f"transfer:{row.id}", books)
    audit.record(
        session,
        actor=INTAKE,
        event="transfer.taken_back",
        subject_kind="incoming_transfer",
        subject_ref=original.id,
        now=books.now,
        facts={"payment": payment.id if payment else None, "amount_minor": row.amount_minor},
    )
    return True


def _end(session: Session, original: IncomingTransfer) -> None:
    session.execute(
        update(IncomingTransfer)
        .where(IncomingTransfer.id == original.id, IncomingTransfer.outcome.not_in(_ENDED))
        .values(outcome="reversed")
    )


def _is_the_cores(session: Session, payment: Payment) -> bool:
    """Whether no line of ours stands for the payment any more."""
    undoing = aliased(LedgerLine)
    standing = session.scalar(
        select(LedgerLine.id)
        .outerjoin(undoing, (undoing.reverses_id == LedgerLine.id) & undoing.line_ref.startswith(GAVE_WAY))
        .where(LedgerLine.payment_id == payment.id, LedgerLine.kind == "payment", undoing.id.is_(None))
        .limit(1)
    )
    return standing is None


def _add_dispute(
    session: Session,
    payment: Payment | None,
    original: IncomingTransfer,
    row: IncomingTransfer,
    books: Books,
) -> None:
    """Money that left by the payer's bank, in the form in which the desk knows it."""
    session.add(
        Dispute(
            created_at=books.now,
            reference=new_reference("D"),
            payment_id=payment.id if payment is not None else None,
            unplaced_id=original.unplaced_id if payment is None else None,
            provider_dispute=f"{TRANSFER}{row.transfer_ref}",
            amount_minor=row.amount_minor,
            currency=row.currency,
            reason="transfer_returned",
            state=DisputeState.LOST,
            withdrawn=True,
            provider_created=int(books.now.timestamp()),
            asked_at=books.real_now,
            closed_at=books.now,
        )
    )
    session.flush()
