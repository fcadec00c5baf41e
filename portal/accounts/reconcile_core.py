"""When the bank's core posts back what was paid here: the portal's line gives way to the bank's.

Nothing is rewritten. The portal's line is undone by a dated line of its own, and money that no
component can take any more is moved to suspense by another, so that nothing is counted twice or lost.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LedgerLine
from portal.accounts.operations import line_values, totals_of


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
        parts = {name: getattr(original, f"{name}_minor") for name in COMPONENTS}
        ref = f"back-{one.line_id}-{one.core_ref}"[:48]
        values = line_values(original.loan_id, "reversal", parts, one.posted_on, ref, "", now)
        values |= {"suspense_minor": -original.suspense_minor, "reverses_id": original.id}
        session.execute(insert(LedgerLine), [values])
        made += 1
    return made


def park_overpaid(
    session: Session, *, loan_ids: Collection[int], posted_on: date, label: str, now: datetime
) -> int:
    """Move what was paid beyond a component's charges to suspense, one line per loan; the caller
    rebalances. Returns how many loans that was."""
    made: list[dict[str, Any]] = []
    for loan_id, totals in totals_of(session, sorted(loan_ids)).items():
        excess = {}
        for name in COMPONENTS:
            over = totals.paid[name] + totals.forgiven[name] - totals.owed[name]
            if over > 0:
                excess[name] = -min(over, totals.paid[name])
        if any(excess.values()):
            values = line_values(
                loan_id, "payment", excess, posted_on, f"park-{label}-{loan_id}"[:48], "", now
            )
            made.append({**values, "suspense_minor": sum(excess.values())})
    if made:
        session.execute(insert(LedgerLine), made)
    return len(made)
