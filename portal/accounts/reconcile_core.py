"""When the bank's core posts back what was paid here: the portal's line gives way to the bank's.

Nothing is rewritten. The portal's line is undone by a dated line of its own, and money that no
component can take any more is moved to suspense by another, so that nothing is counted twice or lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS, TAKINGS, Totals
from portal.accounts.corrections import GAVE_WAY, LONGEST_STEM, insert_pair, opposite_of, transfer_values
from portal.accounts.models import LedgerLine
from portal.accounts.operations import insert_line, totals_of

#: How the references of moves to and from suspense begin.
PARKED = "park-"


@dataclass(frozen=True, slots=True)
class PostedBack:
    """A line of the portal that the bank's line `core_ref` now stands for."""

    line_id: int
    core_ref: str
    posted_on: date


def give_way(session: Session, *, posted_back: Sequence[PostedBack], now: datetime) -> int:
    """Undo the portal's lines that the bank has posted itself; the caller rebalances. A line already
    undone is left alone. Returns how many were undone."""
    made = 0
    for one in posted_back:
        original = session.get(LedgerLine, one.line_id)
        undone = session.scalar(select(LedgerLine.id).where(LedgerLine.reverses_id == one.line_id))
        if original is None or undone is not None:
            continue
        ref = f"{GAVE_WAY}{one.line_id}-{one.core_ref}"[:48]
        insert_line(session, opposite_of(original, ref, "", posted_on=one.posted_on, now=now))
        made += 1
    return made


def park_overpaid(
    session: Session, *, loan_ids: Collection[int], posted_on: date, label: str, now: datetime
) -> int:
    """Move what was paid beyond a component's charges to suspense, and back from there once the component
    can take it again: what the bank undid, or charged since. The caller rebalances. Returns how many
    loans that was."""
    moved = 0
    parked = _parked(session, loan_ids)
    for loan_id, totals in totals_of(session, sorted(loan_ids)).items():
        if _short_of(totals) and _takings_give_way(session, loan_id, posted_on, label, now):
            totals = totals_of(session, [loan_id])[loan_id]
        take, give = _moves(totals, parked.get(loan_id, {}))
        if not take:
            continue
        stem = f"{PARKED}{label}-{loan_id}"[:LONGEST_STEM]
        insert_pair(session, transfer_values(loan_id, loan_id, take, give, posted_on, stem, "", now))
        moved += 1
    return moved


def _short_of(totals: Totals) -> bool:
    """Whether more was taken back than was paid: the bank undid a payment that was given back here too."""
    return sum(max(0, -minor) for minor in totals.paid.values()) > max(0, totals.suspense)


def _takings_give_way(session: Session, loan_id: int, posted_on: date, label: str, now: datetime) -> int:
    """Undo what was taken back here and the bank has now taken back itself. Returns how many lines."""
    undoing = aliased(LedgerLine)
    lines = session.scalars(
        select(LedgerLine)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(LedgerLine.loan_id == loan_id, LedgerLine.kind.in_(TAKINGS), undoing.id.is_(None))
        .order_by(LedgerLine.id)
    ).all()
    for line in lines:
        ref = f"{GAVE_WAY}{line.id}-{label}"[:48]
        insert_line(session, opposite_of(line, ref, "", posted_on=posted_on, now=now))
    return len(lines)


def _parked(session: Session, loan_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """By loan, what of each component this module has moved to suspense and not back."""
    statement = (
        select(LedgerLine.loan_id, *(func.sum(getattr(LedgerLine, f"{name}_minor")) for name in COMPONENTS))
        .where(
            LedgerLine.loan_id.in_(loan_ids),
            LedgerLine.kind == "transfer",
            LedgerLine.source == "portal",
            LedgerLine.line_ref.startswith(PARKED),
        )
        .group_by(LedgerLine.loan_id)
    )
    return {
        loan_id: {name: int(minor) for name, minor in zip(COMPONENTS, sums, strict=True)}
        for loan_id, *sums in session.execute(statement)
    }


def _moves(totals: Totals, parked: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What to take from where and give to where, so that nothing is paid beyond its charges, or below nought."""
    take: dict[str, int] = {}
    give: dict[str, int] = {}
    there = totals.suspense
    for name in COMPONENTS:
        over = totals.paid[name] + totals.forgiven[name] - totals.owed[name]
        if totals.paid[name] < 0:
            give[name] = -totals.paid[name]
        elif over > 0:
            take[name] = min(over, totals.paid[name])
        elif (back := min(-over, parked.get(name, 0), there)) > 0:
            give[name] = back
        there -= give.get(name, 0)
    rest = sum(take.values()) - sum(give.values())
    if rest > 0:
        give["suspense"] = rest
    elif rest < 0:
        take["suspense"] = -rest
    return take, give
