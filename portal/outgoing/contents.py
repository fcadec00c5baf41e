"""What each entry says of its ledger line, plan, change or decision, field by field; kept with the entry, so that
what was told stays as it was told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from portal.access.models import Staff
from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import GAVE_WAY
from portal.accounts.models import LedgerLine, Loan
from portal.accounts.reconcile_core import PARKED
from portal.borrowers.models import Borrower
from portal.contacts.models import ContactNews
from portal.outgoing.models import OutgoingEntry
from portal.payments.models import IncomingTransfer, Payment
from portal.plans.models import Agreement, Negotiation, Plan, PlanChange, PlanReceipt, Proposal
from portal.plans.revisions import Revision
from portal.plans.terms import Instalment, Terms
from portal.reviews.models import Decision

_PLACES = (*COMPONENTS, "suspense")
#: What no file holds: control characters, and the mark of text that could not be read.
_CONTROL = re.compile("[\x00-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class Told:
    """One entry's key and what it says: file -> rows."""

    kind: str
    subject_id: int
    event: str
    entry_ref: str
    happened_at: datetime
    content: dict[str, list[dict[str, Any]]]


def is_internal(line: Any) -> ColumnElement[bool]:
    """Lines by which ours gives way to the bank's own, or money changes its place meanwhile: the core has
    nothing to do for them."""
    return or_(line.line_ref.like(f"{GAVE_WAY}%"), line.line_ref.like(f"{PARKED}%"))


def gave_way(line: Any) -> ColumnElement[bool]:
    """Lines that the bank has posted itself."""
    undoing = aliased(LedgerLine)
    return exists().where(undoing.reverses_id == line.id, undoing.line_ref.like(f"{GAVE_WAY}%"))


def tellable() -> ColumnElement[bool]:
    """Ledger lines the core must hear of: posted here, of its concern, not posted by it already."""
    original = aliased(LedgerLine)
    undoes_internal = exists().where(original.id == LedgerLine.reverses_id, is_internal(original))
    return and_(
        LedgerLine.source == "portal", ~is_internal(LedgerLine), ~undoes_internal, ~gave_way(LedgerLine)
    )


def untold_lines(connection: Connection | Session, *, limit: int, look_back: int | None) -> Iterator[Told]:
    """Up to `limit` ledger lines that have no entry yet; not further than `look_back` rows behind the newest
    that has one, or all of them for None."""
    recent = _recent(connection, "payment", LedgerLine.id, look_back)
    yield from _lines(connection, and_(recent, _untold("payment", LedgerLine.id), tellable()), limit)


def untold_plans(connection: Connection | Session, *, limit: int, look_back: int | None) -> Iterator[Told]:
    """Up to `limit` plans each that begun, or ended, and have no entry for it yet. Plans are few, and the
    oldest can end: all are looked at."""
    yield from _plans(connection, _untold("plan", Plan.id, "made"), "made", limit)
    ended = and_(_untold("plan", Plan.id, "ended"), Plan.ended_at.is_not(None))
    yield from _plans(connection, ended, "ended", limit)


def untold_changes(connection: Connection | Session, *, limit: int, look_back: int | None) -> Iterator[Told]:
    """Up to `limit` changes of plans in force that have no entry yet, as `untold_lines`."""
    recent = _recent(connection, "plan_change", PlanChange.id, look_back)
    yield from _changes(connection, and_(recent, _untold("plan_change", PlanChange.id)), limit)


def untold_wishes(connection: Connection | Session, *, limit: int, look_back: int | None) -> Iterator[Told]:
    """Up to `limit` news of how borrowers want to be reached that have no entry yet, as `untold_lines`."""
    recent = _recent(connection, "wish", ContactNews.id, look_back)
    yield from _wishes(connection, and_(recent, _untold("wish", ContactNews.id)), limit)


def untold_decisions(
    connection: Connection | Session, *, limit: int, look_back: int | None
) -> Iterator[Told]:
    """Up to `limit` decisions that have no entry yet, as `untold_lines`."""
    recent = _recent(connection, "decision", Decision.id, look_back)
    yield from _decisions(connection, and_(recent, _untold("decision", Decision.id)), limit)


def told_again(session: Session, *, kind: str, subject_id: int, event: str) -> Told:
    """What an entry says now: after a correction it is told as things stand."""
    if kind == "payment":
        return next(_lines(session, LedgerLine.id == subject_id, 1))
    if kind == "plan":
        return next(_plans(session, Plan.id == subject_id, event, 1))
    if kind == "plan_change":
        return next(_changes(session, PlanChange.id == subject_id, 1))
    if kind == "wish":
        return next(_wishes(session, ContactNews.id == subject_id, 1))
    return next(_decisions(session, Decision.id == subject_id, 1))


def _recent(
    connection: Connection | Session, kind: str, subject: Any, look_back: int | None
) -> ColumnElement[bool]:
    if look_back is None:
        return true()
    newest = select(func.max(OutgoingEntry.subject_id)).where(OutgoingEntry.kind == kind)
    return subject > (connection.scalar(newest) or 0) - look_back  # type: ignore[no-any-return]


def _untold(kind: str, subject: Any, event: str = "") -> ColumnElement[bool]:
    return ~exists().where(
        OutgoingEntry.kind == kind, OutgoingEntry.subject_id == subject, OutgoingEntry.event == event
    )


def _lines(connection: Connection | Session, wanted: ColumnElement[bool], limit: int) -> Iterator[Told]:
    corrected, root = aliased(LedgerLine), aliased(LedgerLine)
    statement: Select[Any] = (
        select(
            LedgerLine.__table__,
            Loan.loan_ref,
            Loan.currency,
            Borrower.customer_ref,
            corrected.line_ref.label("corrects_ref"),
            Payment.reference.label("payment_ref"),
            Payment.method,
            Payment.allocation,
            Plan.reference.label("plan_ref"),
            IncomingTransfer.transfer_ref,
        )
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .join(Borrower, Borrower.id == Loan.borrower_id)
        .outerjoin(corrected, corrected.id == func.coalesce(LedgerLine.reverses_id, LedgerLine.of_line_id))
        .outerjoin(root, root.id == corrected.of_line_id)
        .outerjoin(
            Payment,
            Payment.id == func.coalesce(LedgerLine.payment_id, corrected.payment_id, root.payment_id),
        )
        .outerjoin(Plan, Plan.id == Payment.plan_id)
        .outerjoin(IncomingTransfer, IncomingTransfer.payment_id == Payment.id)
        .where(wanted)
        .order_by(LedgerLine.id)
        .limit(limit)
    )
    for row in connection.execute(statement):
        yield Told("payment", row.id, "", row.line_ref, row.created_at, {"payments": [_line(row)]})


def _line(row: Any) -> dict[str, Any]:
    amounts = {name: int(getattr(row, f"{name}_minor")) for name in _PLACES}
    return {
        "entry_ref": row.line_ref,
        "kind": row.kind,
        "loan_ref": row.loan_ref,
        "customer_ref": row.customer_ref,
        "currency": row.currency,
        "posted_on": row.posted_on.isoformat(),
        "recorded_at": row.created_at.isoformat(),
        "amount": sum(amounts.values()),
        **amounts,
        "payment_ref": row.payment_ref,
        "method": row.method,
        "transfer_ref": row.transfer_ref,
        "plan_ref": row.plan_ref,
        "rule": _rule(row) if row.kind == "payment" else None,
        "corrects_ref": row.corrects_ref,
        "memo": _CONTROL.sub(" ", row.memo),
    }


def _rule(row: Any) -> str | None:
    """The rule by which a payment was placed on this loan."""
    placed = (row.allocation or {}).get("loans", [])
    return next((one["rule"] for one in placed if one["loan_id"] == row.loan_id), None)


def _plans(
    connection: Connection | Session, wanted: ColumnElement[bool], event: str, limit: int
) -> Iterator[Told]:
    statement = (
        select(
            Plan.__table__,
            Proposal.reference.label("proposal_ref"),
            Proposal.terms_text,
            Borrower.customer_ref,
        )
        .join(Proposal, Proposal.id == Plan.proposal_id)
        .join(Borrower, Borrower.id == Plan.borrower_id)
        .where(wanted)
        .order_by(Plan.id)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    ids = [row.id for row in rows]
    agreements, paid = _agreements(connection, ids), _paid(connection, ids)
    for row in rows:
        entry_ref = f"{row.reference}:{event}"
        happened_at = row.created_at if event == "made" else row.ended_at
        terms = Terms.parse(row.terms_text)
        head = {
            "entry_ref": entry_ref,
            "plan_ref": row.reference,
            "event": "made" if event == "made" else row.state,
            "customer_ref": row.customer_ref,
            "proposal_ref": row.proposal_ref,
            "event_at": happened_at.isoformat(),
            "paid": 0 if event == "made" else paid.get(row.id, 0),
            "agreement_refs": agreements.get(row.id, []),
        }
        content = {"plans": [head | _terms(terms)]}
        if event == "made":
            content |= _schedule(terms, entry_ref, row.reference)
        yield Told("plan", row.id, event, entry_ref, happened_at, content)


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "currency": terms.currency,
        "as_of": terms.as_of.isoformat(),
        "covered": terms.covered.minor,
        "waived": terms.waived.minor,
        "payable": terms.payable.minor,
        "upfront": terms.upfront.minor,
        "instalments": terms.count,
        "frequency": terms.frequency.value,
        "pay_day": terms.pay_day,
        "first_due_on": terms.payments[0].due_on.isoformat(),
        "last_due_on": terms.last.due_on.isoformat(),
        "interest": "frozen" if terms.freeze_interest else "runs",
        "penalty_interest": "frozen" if terms.freeze_penalty else "runs",
        "scope": "whole_loan" if terms.whole_loan else "due_now",
        "terms_sha256": terms.digest(),
    }


def _schedule(terms: Terms, entry_ref: str, plan_ref: str) -> dict[str, list[dict[str, Any]]]:
    keys = {"entry_ref": entry_ref, "plan_ref": plan_ref, "currency": terms.currency}
    loans = []
    for loan in terms.loans:
        parts = {name: amount.minor for name, amount in loan.parts}
        loans.append(
            {
                **keys,
                "loan_ref": loan.loan_ref,
                "product_class": loan.product_class,
                "covered": loan.covered.minor,
                **{name: parts.get(name, 0) for name in COMPONENTS},
                "waived": loan.waived_total.minor,
            }
        )
    return {"plan_loans": loans, "plan_instalments": _instalments(keys, terms.payments)}


def _instalments(keys: Mapping[str, str], parts: Iterable[Instalment]) -> list[dict[str, Any]]:
    return [
        {**keys, "number": part.number, "due_on": part.due_on.isoformat(), "amount": part.amount.minor}
        for part in parts
    ]


def _changes(connection: Connection | Session, wanted: ColumnElement[bool], limit: int) -> Iterator[Told]:
    statement = (
        select(PlanChange.__table__, Plan.reference.label("plan_ref"), Borrower.customer_ref)
        .join(Plan, Plan.id == PlanChange.plan_id)
        .join(Borrower, Borrower.id == Plan.borrower_id)
        .where(wanted)
        .order_by(PlanChange.id)
        .limit(limit)
    )
    for row in connection.execute(statement):
        revision = Revision.parse(row.schedule_text)
        keys = {"entry_ref": row.reference, "plan_ref": row.plan_ref, "currency": revision.currency}
        head = {
            **keys,
            "customer_ref": row.customer_ref,
            "number": row.number,
            "change": row.kind,
            "changed_at": row.created_at.isoformat(),
            "pay_day": revision.pay_day,
            "first_moved": revision.first_moved,
            "last_due_on": revision.instalments[-1].due_on.isoformat(),
            "payable": revision.total.minor,
            "terms_sha256": revision.terms_hash,
            "before_sha256": revision.before_hash,
            "schedule_sha256": row.schedule_hash,
        }
        content = {"plan_changes": [head], "plan_instalments": _instalments(keys, revision.instalments)}
        yield Told("plan_change", row.id, "", row.reference, row.created_at, content)


def _wishes(connection: Connection | Session, wanted: ColumnElement[bool], limit: int) -> Iterator[Told]:
    statement = (
        select(ContactNews.__table__, Borrower.customer_ref)
        .join(Borrower, Borrower.id == ContactNews.borrower_id)
        .where(wanted)
        .order_by(ContactNews.id)
        .limit(limit)
    )
    for row in connection.execute(statement):
        content = {
            "entry_ref": row.reference,
            "customer_ref": row.customer_ref,
            "wish": row.wish,
            "wished_at": row.created_at.isoformat(),
            "visit_ref": row.visit_ref or None,
            "starts_at": row.starts_at.isoformat() if row.starts_at else None,
            "ends_at": row.ends_at.isoformat() if row.ends_at else None,
            "calls": _yes_or_no(row.calls),
            "messages": _yes_or_no(row.messages),
            "visits": _yes_or_no(row.visits),
            "opens": _hour(row.opens_minute),
            "closes": _hour(row.closes_minute),
        }
        yield Told("wish", row.id, "", row.reference, row.created_at, {"wishes": [content]})


def _yes_or_no(given: bool | None) -> str | None:
    return None if given is None else "yes" if given else "no"


def _hour(minute: int | None) -> str | None:
    return None if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def _agreements(connection: Connection | Session, plan_ids: Collection[int]) -> dict[int, list[str]]:
    statement = select(Agreement.plan_id, Agreement.reference).where(Agreement.plan_id.in_(plan_ids))
    found: dict[int, list[str]] = {}
    for plan_id, reference in connection.execute(statement.order_by(Agreement.id)):
        found.setdefault(plan_id, []).append(reference)
    return found


def _paid(connection: Connection | Session, plan_ids: Collection[int]) -> dict[int, int]:
    statement = (
        select(PlanReceipt.plan_id, func.sum(PlanReceipt.amount_minor))
        .where(PlanReceipt.plan_id.in_(plan_ids))
        .group_by(PlanReceipt.plan_id)
    )
    return {plan_id: int(minor) for plan_id, minor in connection.execute(statement)}


def _decisions(connection: Connection | Session, wanted: ColumnElement[bool], limit: int) -> Iterator[Told]:
    statement = (
        select(
            Decision.__table__,
            Proposal.reference.label("proposal_ref"),
            Proposal.round,
            Proposal.made_by,
            Proposal.created_at.label("proposed_at"),
            Proposal.terms_text,
            Negotiation.reference.label("negotiation_ref"),
            Borrower.customer_ref,
            Staff.staff_ref,
        )
        .join(Proposal, Proposal.id == Decision.proposal_id)
        .join(Negotiation, Negotiation.id == Proposal.negotiation_id)
        .join(Borrower, Borrower.id == Proposal.borrower_id)
        .join(Staff, Staff.id == Decision.staff_id)
        .where(wanted)
        .order_by(Decision.id)
        .limit(limit)
    )
    for row in connection.execute(statement):
        ref = f"D-{row.id:09d}"
        content = {"decisions": [_decision(row, ref)]}
        yield Told("decision", row.id, "", ref, row.created_at, content)


def _decision(row: Any, entry_ref: str) -> dict[str, Any]:
    terms = Terms.parse(row.terms_text)
    return {
        "entry_ref": entry_ref,
        "negotiation_ref": row.negotiation_ref,
        "proposal_ref": row.proposal_ref,
        "customer_ref": row.customer_ref,
        "loan_refs": [loan.loan_ref for loan in terms.loans],
        "round": row.round,
        "proposed_by": row.made_by,
        "proposed_at": row.proposed_at.isoformat(),
        "decision": row.kind,
        "stage": row.stage,
        "stands": "yes" if row.effective else "no",
        "decided_at": row.created_at.isoformat(),
        "staff_ref": row.staff_ref,
        "reasons": [str(code) for code in row.reasons],
        "currency": terms.currency,
        "payable": terms.payable.minor,
        "instalments": terms.count,
        "terms_sha256": row.terms_hash,
        "offer_sha256": row.offer_hash,
    }
