"""Reads of the borrower's situation: the draft, and the reports that were sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, select

from portal.hardship.affordability import Budget
from portal.hardship.budget import LINES
from portal.hardship.models import BudgetLine, HardshipReport
from portal.keys import Keys
from portal.money import Money


@dataclass(frozen=True, slots=True)
class BudgetLineView:
    """One monthly amount. `kind` is "income", "spending" or "priority_debt"; `label` a code of budget.py."""

    kind: str
    label: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ReportView:
    """What the borrower told us; `submitted_at` empty: still a draft. `budget` is None without lines."""

    report_id: int
    reference: str
    borrower_id: int
    reason: str | None
    story: str
    sensitive_consent_at: datetime | None
    updated_at: datetime
    submitted_at: datetime | None
    lines: tuple[BudgetLineView, ...]
    budget: Budget | None

    def of_kind(self, kind: str) -> tuple[BudgetLineView, ...]:
        """The lines of one kind, in the order the pages ask for them."""
        return tuple(line for line in self.lines if line.kind == kind)


def draft_for(connection: Connection, keys: Keys, borrower_id: int) -> ReportView | None:
    """The report the borrower has begun and not sent, or nothing."""
    return _one(connection, keys, _of(borrower_id).where(HardshipReport.submitted_at.is_(None)))


def latest_report_for(connection: Connection, keys: Keys, borrower_id: int) -> ReportView | None:
    """The report the borrower sent last, or nothing."""
    sent = _of(borrower_id).where(HardshipReport.submitted_at.is_not(None))
    newest = sent.order_by(HardshipReport.submitted_at.desc(), HardshipReport.id.desc()).limit(1)
    return _one(connection, keys, newest)


def report_for(connection: Connection, keys: Keys, borrower_id: int, reference: str) -> ReportView | None:
    """The borrower's own sent report of that reference, or nothing."""
    sent = _of(borrower_id).where(
        HardshipReport.reference == reference, HardshipReport.submitted_at.is_not(None)
    )
    return _one(connection, keys, sent)


def _of(borrower_id: int) -> Select[tuple[HardshipReport]]:
    return select(HardshipReport.__table__).where(HardshipReport.borrower_id == borrower_id)


def _one(connection: Connection, keys: Keys, wanted: Select[tuple[HardshipReport]]) -> ReportView | None:
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    lines = _lines(connection, row.id)
    return ReportView(
        report_id=row.id,
        reference=row.reference,
        borrower_id=row.borrower_id,
        reason=row.reason,
        story=keys.unseal("hardship.story", row.story_sealed) if row.story_sealed else "",
        sensitive_consent_at=row.sensitive_consent_at,
        updated_at=row.updated_at,
        submitted_at=row.submitted_at,
        lines=lines,
        budget=budget_of(lines),
    )


def _lines(connection: Connection, report_id: int) -> tuple[BudgetLineView, ...]:
    rows = connection.execute(
        select(BudgetLine.kind, BudgetLine.label, BudgetLine.amount_minor, BudgetLine.currency)
        .where(BudgetLine.report_id == report_id)
        .order_by(BudgetLine.position)
    )
    lines = [BudgetLineView(row.kind, row.label, Money(row.amount_minor, row.currency)) for row in rows]
    return tuple(sorted(lines, key=lambda line: _KINDS.index(line.kind)))


#: The order in which the pages ask.
_KINDS = tuple(LINES)


def budget_of(lines: tuple[BudgetLineView, ...]) -> Budget | None:
    """The month that these lines make, or nothing when there are none."""
    if not lines:
        return None
    currency = lines[0].amount.currency

    def total(kind: str) -> Money:
        return Money.sum((line.amount for line in lines if line.kind == kind), currency)

    return Budget(total("income"), total("spending"), total("priority_debt"))
