"""Every balance row as it follows from the lines that are left, after a batch of the bank was taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from portal.accounts.balance import Totals
from portal.accounts.due import figures_of
from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import balance_values, terms_of, totals_of

#: Loans worked on at once.
CHUNK = 500

_BALANCES: Table = LoanBalance.__table__  # type: ignore[assignment]


def rewind(session: Session, *, as_of: date) -> int:
    """Bring every loan back to `as_of`, or to the portal's own last line on it if that is later; how many
    rows changed. A version rises with each change, as always."""
    session.flush()
    return sum(_rewind(session, loan_ids, as_of) for loan_ids in _all_loans(session))


def _all_loans(session: Session) -> Iterator[Sequence[int]]:
    after = 0
    while True:
        statement = select(_BALANCES.c.loan_id).where(_BALANCES.c.loan_id > after)
        loan_ids = session.scalars(statement.order_by(_BALANCES.c.loan_id).limit(CHUNK)).all()
        if not loan_ids:
            return
        yield loan_ids
        after = loan_ids[-1]


def _rewind(session: Session, loan_ids: Sequence[int], as_of: date) -> int:
    held = {
        row.loan_id: row
        for row in session.execute(
            select(_BALANCES).where(_BALANCES.c.loan_id.in_(loan_ids)).with_for_update()
        )
    }
    ours = dict(
        session.execute(
            select(LedgerLine.loan_id, func.max(LedgerLine.posted_on))
            .where(LedgerLine.source == "portal", LedgerLine.loan_id.in_(loan_ids))
            .group_by(LedgerLine.loan_id)
        ).all()
    )
    totals = totals_of(session, loan_ids)
    changed = []
    for loan_id, terms in terms_of(session, loan_ids=loan_ids).items():
        day = max(as_of, ours.get(loan_id, as_of))
        figures = figures_of(totals.get(loan_id, Totals()), terms, as_of=day)
        values: dict[str, Any] = {"as_of": day, **balance_values(figures)}
        if any(getattr(held[loan_id], name) != value for name, value in values.items()):
            changed.append({**values, "version": held[loan_id].version + 1, "of": loan_id})
    _write(session, changed)
    return len(changed)


def _write(session: Session, changed: Sequence[Mapping[str, Any]]) -> None:
    if changed:
        names = [name for name in changed[0] if name != "of"]
        statement = update(_BALANCES).where(_BALANCES.c.loan_id == bindparam("of"))
        session.connection().execute(
            statement.values({name: bindparam(name) for name in names}), list(changed)
        )
