"""Sending money of a payment back: asked for at the desk, confirmed by a second person above the bank's limit,
begun at the provider under a key of our own, and booked when the provider says so.

No call is made here (see provider_calls.py). The row and its key are committed first; whatever breaks then,
the same key asks for the same refund.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.access.models import Staff
from portal.audit import Actor
from portal.documents.card_numbers import has_card_number
from portal.gateways.stripe_reports import RefundReport, RefundWord
from portal.money import Money
from portal.payments.books import PROVIDER, Books, Outcome, alarm, tell_news
from portal.payments.lifecycle import (
    CLAIMING,
    CREDITED_STATES,
    OPEN_DISPUTES,
    REFUND,
    RefundAction,
    RefundState,
)
from portal.payments.models import Dispute, Payment, Refund
from portal.payments.operations import locked
from portal.payments.returns import gone_minor, settle

#: Why a refund is made; the provider is told one of its own three words.
REASONS: Mapping[str, str] = {
    "paid_twice": "duplicate",
    "mistake": "requested_by_customer",
    "overpaid": "requested_by_customer",
    "agreed": "requested_by_customer",
    "not_by_payer": "fraudulent",
}
#: Days after which a method's money can no longer be sent back (P6). A card has no such end.
LAST_DAYS: Mapping[str, int] = {"alipay": 90, "wechat_pay": 180}
LONGEST_NOTE = 500

#: What each word of the provider does, where the table has the move.
_ACTIONS = {
    RefundWord.PENDING: RefundAction.PROCESS,
    RefundWord.SUCCEEDED: RefundAction.SUCCEED,
    RefundWord.FAILED: RefundAction.FAIL,
    RefundWord.CANCELLED: RefundAction.CANCEL,
}


class UnableToRefund(Exception):
    """A refund that is not begun. `reason`: ``payment`` (no such payment), ``state`` (nothing of it was
    credited), ``method`` (it did not come through the provider), ``zero``, ``above_left``, ``currency``,
    ``too_late`` (`limit_days`), ``disputed``, ``reason``, ``card_number`` (in the note), ``role``,
    ``same_person``, ``decided``; `limit` is the most that would do."""

    def __init__(self, reason: str, *, limit: Money | None = None, limit_days: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit
        self.limit_days = limit_days


@dataclass(frozen=True, slots=True)
class Rules:
    """The bank's own: above this amount two people decide; how long each method's money can go back."""

    second_person_above: Money
    last_days: Mapping[str, int]

    @classmethod
    def of(cls, policy: Mapping[str, Any], currency: str) -> Rules:
        """The rules in a bank's policy; without a word of it, two people decide on every refund."""
        above = Money.from_file(str(policy.get("second_person_for_money_above", "0.00")), currency)
        return cls(above, LAST_DAYS)


@dataclass(frozen=True, slots=True)
class StaffMark:
    """A member of staff as a refund remembers them: the account and the human behind it."""

    staff_id: int
    human_ref: str
    staff_ref: str


@dataclass(frozen=True, slots=True)
class RefundCall:
    """A refund as the provider's call needs it."""

    reference: str
    state: str
    amount: Money
    reason: str
    intent_id: str
    idempotency_key: str
    provider_refund: str | None


def working_staff(session: Session, staff_id: int, roles: tuple[str, ...]) -> StaffMark:
    """The account as it stands now, held against a change of role until the transaction ends. Raises
    UnableToRefund: role."""
    me = session.execute(
        select(Staff)
        .where(Staff.id == staff_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if me is None or me.left_at is not None or me.role not in roles:
        raise UnableToRefund("role")
    return StaffMark(me.id, me.human_ref, me.staff_ref)


def ask(
    session: Session,
    *,
    staff_id: int,
    payment_reference: str,
    amount: Money,
    reason: str,
    note: str,
    form_key: str,
    rules: Rules,
    now: datetime,
    real_now: datetime,
) -> RefundCall:
    """Ask for a refund at the desk. Up to the bank's limit it is created at once; above it waits for a
    second person. The same form key again is the first answer. Raises UnableToRefund."""
    me = working_staff(session, staff_id, ("reviewer", "supervisor"))
    payment = locked(session, Payment.reference == payment_reference)
    if payment is None:
        raise UnableToRefund("payment")
    return begin(
        session,
        payment_id=payment.id,
        amount=amount,
        reason=reason,
        note=note,
        staff=me,
        form_key=form_key,
        rules=rules,
        now=now,
        real_now=real_now,
    )


def begin(
    session: Session,
    *,
    payment_id: int,
    amount: Money,
    reason: str,
    note: str,
    staff: StaffMark,
    form_key: str,
    rules: Rules,
    now: datetime,
    real_now: datetime,
    second: StaffMark | None = None,
) -> RefundCall:
    """Begin a refund for staff who were looked up in this transaction; a `second` who has confirmed it
    elsewhere makes it one that waits for nobody. Raises UnableToRefund."""
    repeated = session.scalar(
        select(Refund).where(Refund.staff_id == staff.staff_id, Refund.form_key == form_key)
    )
    if repeated is not None:
        return _call_of(session, repeated)
    payment = locked(session, Payment.id == payment_id)
    if payment is None:
        raise UnableToRefund("payment")
    _refuse(session, payment, amount, reason, note, rules, now)
    waits = second is None and amount > rules.second_person_above
    reference = new_reference("R")
    row = Refund(
        created_at=now,
        reference=reference,
        payment_id=payment.id,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason,
        note=note.strip(),
        state=RefundState.ASKED if waits else REFUND.initial,
        staff_id=staff.staff_id,
        human_ref=staff.human_ref,
        second_staff_id=second.staff_id if second else None,
        second_human_ref=second.human_ref if second else None,
        decided_at=now if second else None,
        form_key=form_key,
        idempotency_key=f"refund-{reference}",
        asked_at=real_now,
    )
    session.add(row)
    session.flush()
    facts = {"payment": payment.id, "amount_minor": amount.minor, "reason": reason}
    _record(session, row, Actor("staff", staff.staff_ref), now, facts)
    return _call_of(session, row)


def decide(
    session: Session, *, staff_id: int, reference: str, confirm: bool, rules: Rules, now: datetime
) -> RefundCall:
    """The second person's word on a refund that waits. Raises UnableToRefund: role, payment (no such
    refund), same_person, decided, and on a confirmation whatever forbids the refund by now."""
    me = working_staff(session, staff_id, ("supervisor",))
    found = session.scalar(select(Refund.payment_id).where(Refund.reference == reference))
    payment = locked(session, Payment.id == found)
    row = _held(session, Refund.reference == reference)
    if row is None or payment is None:
        raise UnableToRefund("payment")
    first_human = session.scalar(select(Staff.human_ref).where(Staff.id == row.staff_id))
    if me.staff_id == row.staff_id or me.human_ref in (row.human_ref, first_human):
        raise UnableToRefund("same_person")
    if row.state != RefundState.ASKED:
        raise UnableToRefund("decided")
    if confirm:
        _refuse_late(payment, rules, now)
        _refuse_disputed(session, payment)
        _refuse_gone(session, payment, row)
    row.second_staff_id, row.second_human_ref, row.decided_at = me.staff_id, me.human_ref, now
    _move(session, row, RefundAction.CONFIRM if confirm else RefundAction.REFUSE)
    _record(session, row, Actor("staff", me.staff_ref), now)
    return _call_of(session, row)


def refundable(session: Session, payment: Payment) -> Money:
    """What of a payment can still be sent back: received, less what went back or is on its way."""
    return Money(max(0, _unclaimed_minor(session, payment)), payment.currency)


def apply_refund(session: Session, report: RefundReport, books: Books) -> Outcome:
    """Apply what the provider says of a refund, also of one that was begun there and not here."""
    known = session.scalar(select(Refund.payment_id).where(_named(report)))
    if known is None and (report.reference or not report.refund_id or not report.amount_minor):
        return Outcome.NOTED  # money given back that was never credited: rows of its own tell of it
    payment = locked(session, Payment.id == known) if known else _payment_of(session, report)
    if payment is None:
        return Outcome.WAITING
    row = _held(session, _named(report)) or _adopt(session, payment, report, books)
    if row.currency != report.currency or row.amount_minor != report.amount_minor:
        facts = {"refund": row.reference, "reason": "contradicts", "amount_minor": report.amount_minor}
        alarm(session, payment.id, facts, now=books.now)
        return Outcome.NOTED
    row.provider_refund = row.provider_refund or report.refund_id
    row.provider_created = row.provider_created or report.created
    row.asked_at = books.real_now
    action = _ACTIONS[report.word]
    if REFUND.allows(RefundState(row.state), action):
        row.code = report.code or row.code
        _moved_on(session, row, payment, action, books)
    return Outcome.NOTED


def refused_by_provider(session: Session, *, reference: str, code: str, books: Books) -> bool:
    """The provider said a clear no: nothing was sent. False when more is known meanwhile."""
    found = session.scalar(select(Refund.payment_id).where(Refund.reference == reference))
    payment = locked(session, Payment.id == found)
    row = _held(session, Refund.reference == reference)
    if row is None or payment is None or row.state != RefundState.CREATED:
        return False
    row.code = code[:40]
    _moved_on(session, row, payment, RefundAction.FAIL, books)
    return True


def unfinished(
    session: Session, *, unknown_before: datetime, known_before: datetime, limit: int
) -> list[RefundCall]:
    """Refunds under way of which nothing was heard since, the longest silent first: those nobody knows
    whether they were begun, and those the provider has."""
    rows = session.scalars(
        select(Refund)
        .where(
            or_(
                (Refund.state == RefundState.CREATED) & (Refund.asked_at < unknown_before),
                (Refund.state == RefundState.PROCESSING) & (Refund.asked_at < known_before),
            )
        )
        .order_by(Refund.asked_at)
        .limit(limit)
    ).all()
    return [_call_of(session, row) for row in rows]


def touch(session: Session, *, reference: str, real_now: datetime) -> None:
    """Note that the provider is being asked about a refund."""
    row = _held(session, Refund.reference == reference)
    if row is not None:
        row.asked_at = real_now


def last_moment(payment: Payment, rules: Rules) -> datetime | None:
    """Until when this payment's money can be sent back; nothing where the method sets no end."""
    days = rules.last_days.get(payment.paid_with)
    began = payment.succeeded_at or payment.created_at
    return began + timedelta(days=days) if days is not None else None


def _refuse(
    session: Session,
    payment: Payment,
    amount: Money,
    reason: str,
    note: str,
    rules: Rules,
    now: datetime,
) -> None:
    if reason not in REASONS:
        raise UnableToRefund("reason")
    if has_card_number(note):
        raise UnableToRefund("card_number")
    if payment.state not in CREDITED_STATES:
        raise UnableToRefund("state")
    if payment.method != "stripe" or payment.provider_intent is None:
        raise UnableToRefund("method")
    if amount.currency != payment.currency:
        raise UnableToRefund("currency")
    if amount.minor <= 0:
        raise UnableToRefund("zero")
    _refuse_late(payment, rules, now)
    _refuse_disputed(session, payment)
    left = refundable(session, payment)
    if amount > left:
        raise UnableToRefund("above_left", limit=left)


def _unclaimed_minor(session: Session, payment: Payment) -> int:
    """Received, less what went back, is on its way or waits for a second person; below zero where more is
    asked for than is there by now."""
    claimed = session.scalar(
        select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
            Refund.payment_id == payment.id,
            Refund.state.in_([state for state in CLAIMING if state is not RefundState.SUCCEEDED]),
        )
    )
    return payment.amount_minor - gone_minor(session, payment.id) - int(claimed or 0)


def _refuse_gone(session: Session, payment: Payment, row: Refund) -> None:
    """While a refund waited, some of its money went back by another way: its payer's bank took it, or
    somebody began a refund at the provider."""
    rest = _unclaimed_minor(session, payment)
    if rest < 0:
        left = Money(max(0, rest + row.amount_minor), payment.currency)
        raise UnableToRefund("above_left", limit=left)


def _refuse_late(payment: Payment, rules: Rules, now: datetime) -> None:
    until = last_moment(payment, rules)
    if until is not None and now > until:
        raise UnableToRefund("too_late", limit_days=rules.last_days[payment.paid_with])


def _refuse_disputed(session: Session, payment: Payment) -> None:
    """Money that the payer's bank is taking back is not sent back a second time."""
    is_open = session.scalar(
        select(Dispute.id).where(Dispute.payment_id == payment.id, Dispute.state.in_(OPEN_DISPUTES)).limit(1)
    )
    if is_open is not None:
        raise UnableToRefund("disputed")


def _named(report: RefundReport) -> Any:
    is_theirs = Refund.provider_refund == report.refund_id
    return or_(is_theirs, Refund.reference == report.reference) if report.reference else is_theirs


def _payment_of(session: Session, report: RefundReport) -> Payment | None:
    if report.intent_id is None:
        return None
    return locked(session, Payment.provider_intent == report.intent_id)


def _held(session: Session, condition: Any) -> Refund | None:
    statement = select(Refund).where(condition).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def _adopt(session: Session, payment: Payment, report: RefundReport, books: Books) -> Refund:
    """A row for a refund that somebody began on the provider's own pages; the desk is told."""
    reference = new_reference("R")
    row = Refund(
        created_at=books.now,
        reference=reference,
        payment_id=payment.id,
        amount_minor=report.amount_minor,
        currency=report.currency,
        reason="at_provider",
        state=REFUND.initial,
        form_key=reference,
        idempotency_key=f"refund-{reference}",
        provider_refund=report.refund_id,
        provider_created=report.created,
        asked_at=books.real_now,
    )
    session.add(row)
    session.flush()
    _record(session, row, PROVIDER, books.now, {"payment": payment.id, "amount_minor": row.amount_minor})
    return row


def _moved_on(session: Session, row: Refund, payment: Payment, action: RefundAction, books: Books) -> None:
    """Take a refund one step on, bring the ledger after it, and tell the borrower."""
    had_left = row.state == RefundState.SUCCEEDED
    _move(session, row, action)
    if row.state not in (RefundState.CREATED, RefundState.PROCESSING):
        row.finished_at = books.now
    session.flush()
    _record(session, row, PROVIDER, books.now, {"code": row.code} if row.code else None)
    settle(session, payment, books)
    if row.state == RefundState.SUCCEEDED or had_left:
        tell_news(session, payment, f"{row.reference}:{row.state}", books)


def _move(session: Session, row: Refund, action: RefundAction) -> None:
    row.state = REFUND.after(RefundState(row.state), action)
    session.flush()


def _call_of(session: Session, row: Refund) -> RefundCall:
    intent = session.scalar(select(Payment.provider_intent).where(Payment.id == row.payment_id))
    return RefundCall(
        reference=row.reference,
        state=row.state,
        amount=Money(row.amount_minor, row.currency),
        reason=REASONS.get(row.reason, "requested_by_customer"),
        intent_id=intent or "",
        idempotency_key=row.idempotency_key,
        provider_refund=row.provider_refund,
    )


def _record(
    session: Session, row: Refund, actor: Actor, now: datetime, facts: Mapping[str, Any] | None = None
) -> None:
    audit.record(
        session,
        actor=actor,
        event=f"refund.{row.state}",
        subject_kind="refund",
        subject_ref=row.reference,
        now=now,
        facts=facts,
    )
