"""What the core posts by itself and counts for a plan in force: cash at a counter, a transfer not through us.

The rule: a payment line of the core's on a loan under a plan in force, posted on the day the plan was made or
later, that stands for no payment of ours. It counts once, in the transaction of the batch that brings it; when
the core undoes it, it counts no more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LedgerLine
from portal.money import Money
from portal.payments.models import IncomingTransfer, Payment
from portal.plans.lifecycle import PlanState
from portal.plans.models import Plan, PlanLoan, PlanReceipt
from portal.plans.receipts import apply_posting, recount_posting

_PLACES = (*COMPONENTS, "suspense")


def count_postings(
    session: Session, *, after_line_id: int, day_of: Callable[[datetime], date], now: datetime
) -> int:
    """Let the core's lines after `after_line_id` count for the plans they pay; how many did.

    What the core undid is taken off first. `day_of` tells the bank's calendar day of an instant.
    """
    _take_off(session, after_line_id, now)
    counted = 0
    for line, plan in _candidates(session, after_line_id):
        if line.posted_on < day_of(plan.created_at):
            continue
        amount = Money(-sum(int(getattr(line, f"{name}_minor")) for name in _PLACES), plan.currency)
        if amount.minor <= 0:
            continue
        found = apply_posting(
            session, plan_id=plan.id, line_id=line.id, amount=amount, now=now, today=line.posted_on
        )
        counted += bool(found)
    return counted


def stands_for_ours(line: Any) -> ColumnElement[bool]:
    """A line of the core's by which it names a line, a payment or a transfer of ours; that is counted already."""
    ours = aliased(LedgerLine)
    named = or_(
        exists().where(ours.source == "portal", ours.line_ref == line.external_ref),
        exists().where(Payment.reference == line.external_ref),
        exists().where(IncomingTransfer.transfer_ref == line.external_ref),
    )
    return and_(line.external_ref != "", named)


def _take_off(session: Session, after_line_id: int, now: datetime) -> None:
    """What the core has undone of what was counted."""
    counted = select(PlanReceipt.line_id).where(PlanReceipt.line_id.is_not(None))
    rows = session.execute(
        select(LedgerLine.reverses_id, Plan.currency)
        .join(PlanReceipt, PlanReceipt.line_id == LedgerLine.reverses_id)
        .join(Plan, Plan.id == PlanReceipt.plan_id)
        .where(
            LedgerLine.id > after_line_id, LedgerLine.source == "core", LedgerLine.reverses_id.in_(counted)
        )
        .distinct()
        .order_by(LedgerLine.reverses_id)
    ).all()
    for line_id, currency in rows:
        assert line_id is not None
        recount_posting(session, line_id=line_id, net=Money.zero(currency), now=now)


def _candidates(session: Session, after_line_id: int) -> list[tuple[LedgerLine, Plan]]:
    """The core's new payments on loans under a plan, in the order they were posted; without those it undid in
    the same batch, and without the rest of a payment of ours that it posts anew (see _is_a_rest)."""
    undoing = aliased(LedgerLine)
    rows = session.execute(
        select(LedgerLine, Plan)
        .join(PlanLoan, PlanLoan.loan_id == LedgerLine.loan_id)
        .join(Plan, Plan.id == PlanLoan.plan_id)
        .where(
            LedgerLine.id > after_line_id,
            LedgerLine.source == "core",
            LedgerLine.kind == "payment",
            Plan.state == PlanState.ACTIVE,
            PlanLoan.ended_at.is_(None),
            ~exists().where(undoing.reverses_id == LedgerLine.id),
            ~stands_for_ours(LedgerLine),
        )
        .order_by(LedgerLine.posted_on, LedgerLine.id)
    ).all()
    taken: set[int] = set()
    return [(line, plan) for line, plan in rows if not _is_a_rest(session, line, after_line_id, taken)]


def _is_a_rest(session: Session, line: LedgerLine, after_line_id: int, taken: set[int]) -> bool:
    """Whether the line is what stays of a payment of ours of which money went back: the core undoes its line of
    it and posts the rest of the same day without a name. Each undoing explains one such line (`taken`)."""
    undoing, undone = aliased(LedgerLine), aliased(LedgerLine)
    amount = sum(getattr(line, f"{name}_minor") for name in _PLACES)
    rows = session.execute(
        select(undoing.id, undone)
        .join(undone, undone.id == undoing.reverses_id)
        .where(
            undoing.id > after_line_id,
            undoing.source == "core",
            undoing.loan_id == line.loan_id,
            undoing.posted_on == line.posted_on,
            undone.kind == "payment",
            stands_for_ours(undone),
        )
        .order_by(undoing.id)
    ).all()
    for undoing_id, original in rows:
        whole = sum(getattr(original, f"{name}_minor") for name in _PLACES)
        if undoing_id not in taken and whole < amount <= 0:
            taken.add(undoing_id)
            return True
    return False
