"""Disputes: a payer's bank takes money back or asks about it, the bank answers once, somebody decides.

Whatever order the provider tells it in, the row ends alike: its state is ranked, "left" and "came back" are
flags that are only ever set. Money leaves the ledger when it left the provider's account and returns when it
came back there. No call is made here (see provider_calls.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.documents.card_numbers import has_card_number
from portal.gateways.stripe_reports import DisputeReport, DisputeWord
from portal.keys import Keys
from portal.payments.books import PROVIDER, Books, Outcome, alarm, tell_news
from portal.payments.evidence import PaperCall, calls_of, forget
from portal.payments.lifecycle import DISPUTE, OPEN_DISPUTES, DisputeAction, DisputeState
from portal.payments.models import Dispute, Payment, UnplacedMoney
from portal.payments.operations import locked
from portal.payments.refunds import UnableToRefund, working_staff
from portal.payments.returns import settle

#: The provider's own limit of one answer.
LONGEST_ANSWER = 20_000

_STATES = {
    DisputeWord.INQUIRY: DisputeState.INQUIRY,
    DisputeWord.NEEDS_ANSWER: DisputeState.NEEDS_ANSWER,
    DisputeWord.UNDER_REVIEW: DisputeState.UNDER_REVIEW,
    DisputeWord.INQUIRY_CLOSED: DisputeState.INQUIRY_CLOSED,
    DisputeWord.WON: DisputeState.WON,
    DisputeWord.LOST: DisputeState.LOST,
}
#: Nothing was heard of it before.
_UNHEARD = ("", False, False)
_ACTIONS = {
    DisputeState.NEEDS_ANSWER: DisputeAction.DEMAND,
    DisputeState.UNDER_REVIEW: DisputeAction.REVIEW,
    DisputeState.INQUIRY_CLOSED: DisputeAction.DROP,
    DisputeState.WON: DisputeAction.WIN,
    DisputeState.LOST: DisputeAction.LOSE,
}


class UnableToAnswer(Exception):
    """An answer that is not sent. `reason`: ``dispute`` (no such), ``role``, ``empty``, ``too_long``,
    ``card_number``, ``answered`` (there is one already), ``closed``, ``too_late``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """An answer as the provider's call needs it."""

    reference: str
    provider_dispute: str
    text: str
    idempotency_key: str
    papers: tuple[PaperCall, ...] = ()


def apply_dispute(session: Session, report: DisputeReport, books: Books) -> Outcome:
    """Apply what the provider says of a dispute; waits while the money it is about is not known yet."""
    known = session.execute(
        select(Dispute.payment_id, Dispute.id).where(Dispute.provider_dispute == report.dispute_id)
    ).one_or_none()
    if known is None:
        payment, unplaced_id = _money_of(session, report)
        if payment is None and unplaced_id is None:
            return Outcome.WAITING
    else:
        payment, unplaced_id = locked(session, Payment.id == known.payment_id), None
    row, before = _held(session, Dispute.provider_dispute == report.dispute_id), _UNHEARD
    if row is None:
        row = _new(session, report, payment, unplaced_id, books)
    else:
        before = (row.state, row.withdrawn, row.reinstated)
    _raise(row, report, books)
    session.flush()
    if row.closed_at is not None and row.answer_state != "sending":
        forget(session, dispute_id=row.id)
    if (row.state, row.withdrawn, row.reinstated) == before:
        return Outcome.NOTED
    facts = {"withdrawn": row.withdrawn, "reinstated": row.reinstated}
    _record(session, row, f"dispute.{_heard(row, before)}", PROVIDER, books.now, facts)
    if payment is not None and row.unplaced_id is None:
        settle(session, payment, books)
        _tell(session, row, payment, before, books)
    return Outcome.NOTED


def answer(
    session: Session,
    *,
    keys: Keys,
    staff_id: int,
    reference: str,
    text: str,
    now: datetime,
    real_now: datetime,
) -> AnswerCall:
    """Write down what the bank answers, before it is sent: once, and for good. Raises UnableToAnswer."""
    try:
        me = working_staff(session, staff_id, ("reviewer", "supervisor"))
    except UnableToRefund as error:
        raise UnableToAnswer(error.reason) from None
    row = _held(session, Dispute.reference == reference)
    if row is None:
        raise UnableToAnswer("dispute")
    _refuse_answer(row, text, real_now)
    row.answer_sealed = keys.seal("dispute.answer", text.strip())
    row.answered_by, row.answered_at, row.answer_state = me.staff_id, now, "sending"
    row.asked_at = real_now
    session.flush()
    _record(session, row, "dispute.answered", Actor("staff", me.staff_ref), now)
    return _call_of(session, row, keys)


def answer_arrived(session: Session, *, reference: str, taken: bool, code: str, now: datetime) -> None:
    """The provider took the answer, or refused it for good."""
    row = _held(session, Dispute.reference == reference)
    if row is None or row.answer_state != "sending":
        return
    row.answer_state = "sent" if taken else "refused"
    session.flush()
    _record(session, row, f"dispute.answer_{row.answer_state}", PROVIDER, now, {"code": code})


def unsent(session: Session, *, keys: Keys, before: datetime, limit: int) -> list[AnswerCall]:
    """Answers of which nobody knows whether they arrived."""
    rows = session.scalars(
        select(Dispute)
        .where(Dispute.answer_state == "sending", Dispute.asked_at < before)
        .order_by(Dispute.asked_at)
        .limit(limit)
    ).all()
    return [_call_of(session, row, keys) for row in rows]


def _call_of(session: Session, row: Dispute, keys: Keys) -> AnswerCall:
    return AnswerCall(
        reference=row.reference,
        provider_dispute=row.provider_dispute,
        text=keys.unseal("dispute.answer", row.answer_sealed or b""),
        # an answer that was refused can be written anew: the provider must not take it for the old one
        idempotency_key=f"answer-{row.reference}-{row.answered_at:%Y%m%d%H%M%S%f}",
        papers=calls_of(session, keys=keys, dispute_id=row.id),
    )


def _refuse_answer(row: Dispute, text: str, real_now: datetime) -> None:
    if not text.strip():
        raise UnableToAnswer("empty")
    if len(text) > LONGEST_ANSWER:
        raise UnableToAnswer("too_long")
    if has_card_number(text):
        raise UnableToAnswer("card_number")
    if row.answer_state in ("sending", "sent"):
        raise UnableToAnswer("answered")
    if row.state not in (DisputeState.INQUIRY, DisputeState.NEEDS_ANSWER):
        raise UnableToAnswer("closed")
    if row.answer_by is not None and real_now > row.answer_by:
        raise UnableToAnswer("too_late")


def _money_of(session: Session, report: DisputeReport) -> tuple[Payment | None, int | None]:
    """The payment the money was credited for, or the unplaced money it is."""
    if report.intent_id is None:
        return None, None
    aside = session.execute(
        select(UnplacedMoney.id, UnplacedMoney.payment_id)
        .where(UnplacedMoney.money_key == report.intent_id)
        .with_for_update()
    ).one_or_none()
    payment = locked(session, Payment.provider_intent == report.intent_id)
    if aside is not None and (payment is None or payment.posted_at is None):
        return locked(session, Payment.id == aside.payment_id), aside.id
    return payment, None


def _new(
    session: Session, report: DisputeReport, payment: Payment | None, unplaced_id: int | None, books: Books
) -> Dispute:
    row = Dispute(
        created_at=books.now,
        reference=new_reference("D"),
        payment_id=payment.id if payment is not None else None,
        unplaced_id=unplaced_id,
        provider_dispute=report.dispute_id,
        amount_minor=report.amount_minor or 0,
        currency=report.currency,
        reason=report.reason,
        state=_STATES[report.word],
        withdrawn=report.withdrawn,
        reinstated=report.reinstated,
        provider_created=report.created,
        asked_at=books.real_now,
    )
    session.add(row)
    session.flush()
    subject = payment.id if payment is not None else report.dispute_id
    facts = {"dispute": row.reference, "reason": "disputed", "amount_minor": row.amount_minor}
    alarm(session, subject, facts, now=books.now)
    return row


def _raise(row: Dispute, report: DisputeReport, books: Books) -> None:
    """Everything the report adds; nothing it could take away."""
    said = _STATES[report.word]
    action = _ACTIONS.get(said)
    if action is not None and DISPUTE.allows(DisputeState(row.state), action):
        row.state = DISPUTE.after(DisputeState(row.state), action)
    row.withdrawn = row.withdrawn or report.withdrawn
    row.reinstated = row.reinstated or report.reinstated
    row.asked_at = books.real_now
    if report.due is not None:
        due = datetime.fromtimestamp(report.due, UTC)
        row.answer_by = due if row.answer_by is None else max(row.answer_by, due)
    if row.state not in OPEN_DISPUTES and row.closed_at is None:
        row.closed_at = books.now


def _heard(row: Dispute, before: tuple[str, bool, bool]) -> str:
    """What is new in one word, for the record."""
    if row.state != before[0]:
        return row.state
    return "reinstated" if row.reinstated and not before[2] else "withdrawn"


def _tell(
    session: Session, row: Dispute, payment: Payment, before: tuple[str, bool, bool], books: Books
) -> None:
    """The borrower is told when money left and when it came back."""
    was_gone, is_gone = before[1] and not before[2], row.withdrawn and not row.reinstated
    if is_gone != was_gone:
        what = "withdrawn" if is_gone else "reinstated"
        tell_news(session, payment, f"{row.reference}:{what}", books)


def _held(session: Session, condition: Any) -> Dispute | None:
    statement = select(Dispute).where(condition).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def _record(
    session: Session,
    row: Dispute,
    event: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="dispute",
        subject_ref=row.reference,
        now=now,
        facts=facts,
    )
