"""The provider's calls that follow a payment: refunds, answers to disputes, saved methods, and its own list of
events. Each is a step of its own: our row is committed before, the answer after, no transaction is open meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import upsert
from portal.gateways.stripe import (
    NotGenuine,
    PaymentReport,
    ProviderEventSeen,
    ProviderRefused,
    ProviderUnavailable,
    Report,
)
from portal.gateways.stripe_reports import NOTHING, DisputeReport, RefundReport
from portal.installation import Portal
from portal.payments import disputes, evidence, refunds, saved
from portal.payments.books import Books
from portal.payments.disputes import AnswerCall
from portal.payments.evidence import PaperCall
from portal.payments.lifecycle import PaymentAction, RefundState
from portal.payments.models import ProviderEvent, ProviderMark
from portal.payments.operations import Attempt, closed
from portal.payments.receipts import receive
from portal.payments.refunds import RefundCall

#: Doors take the gateway's words from here: it has no other importer.
__all__ = [
    "NotGenuine",
    "ProviderRefused",
    "ProviderUnavailable",
    "apply_answer",
    "catch_up",
    "charge_saved",
    "send_answer",
    "send_refund",
    "sweep_returns",
    "take_instalments",
]

log = structlog.get_logger()

#: A refund nobody knows the fate of is asked about after this silence; one under way less often.
SILENCE, SLOW_SILENCE = timedelta(minutes=3), timedelta(hours=1)
#: How far back the list of events is read the first time, and again each time: late ones are not missed.
FIRST_LOOK, OVERLAP = timedelta(days=29), timedelta(minutes=15)
_MARK = "stripe_events"


def send_refund(portal: Portal, call: RefundCall, books: Books) -> None:
    """Begin a created refund at the provider and book the answer. Raises ProviderUnavailable: nothing is
    known, and the sweep asks again with the same key."""
    if call.state != RefundState.CREATED:
        return
    try:
        report = portal.stripe.refund(
            reference=call.reference,
            intent_id=call.intent_id,
            amount=call.amount,
            reason=call.reason,
            idempotency_key=call.idempotency_key,
        )
    except ProviderRefused as refused:
        code = refused.code
        portal.db.write(
            lambda session: refunds.refused_by_provider(
                session, reference=call.reference, code=code, books=books
            )
        )
        return
    _apply_refund(portal, report, books)


def send_answer(portal: Portal, call: AnswerCall, books: Books) -> None:
    """Submit an answer to a dispute, its papers first. Raises ProviderUnavailable: the sweep submits it again."""
    try:
        papers = {paper.kind: _handed_over(portal, paper) for paper in call.papers}
        report = portal.stripe.answer_dispute(
            call.provider_dispute, text=call.text, papers=papers, idempotency_key=call.idempotency_key
        )
    except ProviderRefused as refused:
        _answer_arrived(portal, call, False, refused.code, books)
        return
    _answer_arrived(portal, call, True, "", books)
    _apply_dispute(portal, report, books)


def _handed_over(portal: Portal, paper: PaperCall) -> str:
    """The provider's name of a paper; one it has already is not sent again."""
    if paper.provider_file is not None:
        return paper.provider_file
    name = portal.stripe.upload_paper(
        paper.data or b"", name=paper.name, idempotency_key=paper.idempotency_key
    )
    portal.db.write(partial(evidence.arrived, reference=paper.reference, provider_file=name))
    return name


def charge_saved(portal: Portal, attempt: Attempt, books: Books) -> None:
    """Take one instalment with the saved method behind `attempt`, or learn how it went: the same key gives
    the same answer. A decline fails the attempt and tells the borrower. Raises ProviderUnavailable."""
    saved_id = int(attempt.offered["saved"])
    known = portal.db.write(lambda session: saved.method_of(session, saved_id))
    if known is None:
        _not_taken(portal, attempt, "revoked", books)
        return
    try:
        report = _taken_with(portal, attempt, *known)
    except ProviderRefused as refused:
        _not_taken(portal, attempt, refused.code, books)
        return
    if report.report in (Report.DECLINED, Report.OPEN):
        _not_taken(portal, attempt, report.code, books)
        return
    apply_answer(portal, report, books)


def _taken_with(portal: Portal, attempt: Attempt, customer: str, method: str, kind: str) -> PaymentReport:
    """The charge, or how it stands where the provider has named it already."""
    if attempt.provider_intent is not None:
        return portal.stripe.fetch_intent(attempt.provider_intent)
    return portal.stripe.charge_saved(
        reference=attempt.reference,
        amount=attempt.amount,
        customer=customer,
        method=method,
        kind=kind,
        idempotency_key=attempt.idempotency_key,
    )


def apply_answer(portal: Portal, report: PaymentReport, books: Books) -> None:
    """An answer about a payment is kept like an event, under the name of what it says, and counts once."""
    about = report.session_id or report.intent_id or ""
    if report.report is Report.OPEN:
        return
    _receive(
        portal,
        ProviderEventSeen(f"asked:{about}:{report.report}", f"asked.{report.report}", about, report),
        books,
    )


def take_instalments(portal: Portal, books: Books) -> int:
    """Take the instalments due today with the methods saved for them, and remind of those to come; how
    many were tried. Each try is written down before its call, and made once."""
    rules = saved.SavingRules.of(portal.settings.bank.policy)
    portal.db.write(lambda session: saved.revoke_of_ended_plans(session, now=books.now))
    _let_go(portal)
    if not (rules.methods and portal.stripe.available):
        return 0
    portal.db.write(lambda session: saved.remind(session, rules=rules, books=books))
    due = portal.db.write(lambda session: saved.due_charges(session, rules=rules, today=books.today))
    count = 0
    for charge in due:
        attempt = portal.db.write(partial(_begin_charge, portal, charge, books))
        if attempt is not None:
            count += 1
            _quietly(partial(charge_saved, portal, attempt, books), attempt.reference)
    return count


def _begin_charge(portal: Portal, charge: saved.DueCharge, books: Books, session: Session) -> Attempt | None:
    return saved.begin_charge(
        session,
        charge=charge,
        title=portal.settings.bank.name("zh"),
        today=books.today,
        now=books.now,
        real_now=books.real_now,
    )


def sweep_returns(portal: Portal, books: Books, *, limit: int = 50) -> int:
    """Ask about refunds and answers whose fate nobody knows; how many were asked about."""
    if not portal.stripe.available:
        return 0
    waiting = portal.db.write(
        lambda session: refunds.unfinished(
            session,
            unknown_before=books.real_now - SILENCE,
            known_before=books.real_now - SLOW_SILENCE,
            limit=limit,
        )
    )
    for call in waiting:
        _quietly(partial(_ask_about, portal, call, books), call.reference)
    unsent = portal.db.write(
        lambda session: disputes.unsent(
            session, keys=portal.keys, before=books.real_now - SILENCE, limit=limit
        )
    )
    for answer in unsent:
        _quietly(partial(send_answer, portal, answer, books), answer.reference)
    return len(waiting) + len(unsent)


def catch_up(portal: Portal, books: Books) -> int:
    """Read the provider's own list of events since the last look and apply what the endpoint never got;
    how many were new. The mark moves on only when all of them are booked (D45)."""
    if not portal.stripe.available:
        return 0
    began = books.real_now
    since = portal.db.write(lambda session: _read_until(session)) or began - FIRST_LOOK
    told = list(portal.stripe.list_events(max(since - OVERLAP, began - FIRST_LOOK)))
    known = portal.db.write(lambda session: _known(session, [event.event_id for event in told]))
    missing = [event for event in reversed(told) if event.event_id not in known]
    for event in missing:
        _receive(portal, event, books)
    portal.db.write(lambda session: _mark(session, began))
    if missing:
        log.warning("provider_events_caught_up", count=len(missing))
    return len(missing)


def _ask_about(portal: Portal, call: RefundCall, books: Books) -> None:
    """How a silent refund stands: by its name there, else by our reference on it, else it is begun again
    with the same key (which the provider may have forgotten after a day, hence the look first)."""
    portal.db.write(lambda session: refunds.touch(session, reference=call.reference, real_now=books.real_now))
    if call.provider_refund is not None:
        report: RefundReport | None = portal.stripe.fetch_refund(call.provider_refund)
    else:
        report = portal.stripe.find_refund(intent_id=call.intent_id, reference=call.reference)
    if report is None:
        send_refund(portal, call, books)
    else:
        _apply_refund(portal, report, books)


def _let_go(portal: Portal) -> None:
    """Let the provider forget methods that were revoked."""
    if not portal.stripe.available:
        return
    for saved_id, name in portal.db.write(lambda session: saved.to_forget(session)):
        try:
            portal.stripe.forget_method(name, idempotency_key=f"forget-{saved_id}")
        except ProviderUnavailable:
            return
        except ProviderRefused as refused:
            log.info("saved_method_unknown_at_provider", saved=saved_id, code=refused.code)
        portal.db.write(partial(saved.forgotten, saved_id=saved_id, real_now=portal.clock.real_now()))


def _not_taken(portal: Portal, attempt: Attempt, code: str, books: Books) -> None:
    def unit(session: Session) -> None:
        did = closed(
            session, payment_id=attempt.payment_id, action=PaymentAction.FAIL, code=code, now=books.now
        )
        if did:
            saved.note_decline(session, payment_id=attempt.payment_id, code=code)
            saved.tell_not_taken(session, attempt, books)

    portal.db.write(unit)


def _answer_arrived(portal: Portal, call: AnswerCall, taken: bool, code: str, books: Books) -> None:
    portal.db.write(
        lambda session: disputes.answer_arrived(
            session, reference=call.reference, taken=taken, code=code, now=books.now
        )
    )


def _apply_refund(portal: Portal, report: RefundReport, books: Books) -> None:
    name = f"asked:{report.refund_id}:{report.word}"
    _receive(
        portal,
        ProviderEventSeen(name, f"asked.refund.{report.word}", report.refund_id, NOTHING, refund=report),
        books,
    )


def _apply_dispute(portal: Portal, report: DisputeReport, books: Books) -> None:
    name = f"asked:{report.dispute_id}:{report.word}"
    _receive(
        portal,
        ProviderEventSeen(name, f"asked.dispute.{report.word}", report.dispute_id, NOTHING, dispute=report),
        books,
    )


def _receive(portal: Portal, event: ProviderEventSeen, books: Books) -> None:
    portal.db.write(lambda session: receive(session, event=event, books=books))


def _quietly(call: Callable[[], None], reference: str) -> None:
    """A provider that does not answer keeps nothing else from being done."""
    try:
        call()
    except ProviderUnavailable as error:
        log.warning("payment_provider_silent", about=reference, kind=str(error))
    except ProviderRefused as error:
        log.warning("payment_provider_refused", about=reference, code=error.code)


def _read_until(session: Session) -> datetime | None:
    return session.scalar(select(ProviderMark.read_until).where(ProviderMark.name == _MARK))


def _mark(session: Session, until: datetime) -> None:
    table: Any = ProviderMark.__table__
    statement = upsert(table).values(name=_MARK, read_until=until)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"read_until": until}))


def _known(session: Session, event_ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(event_ids), 500):
        some = event_ids[start : start + 500]
        found |= set(session.scalars(select(ProviderEvent.event_id).where(ProviderEvent.event_id.in_(some))))
    return found
