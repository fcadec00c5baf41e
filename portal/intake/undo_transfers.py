"""Taking back the bank transfers that a batch brought, with what the portal made of them: while nothing rests on
it, the money counts as not come, and the corrected batch brings it again.

Not where somebody was told of the money (a receipt went out, the core was told) or built on it: then the
bank sends the transfer back with a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Table, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine
from portal.db import Base
from portal.messages.models import Message
from portal.payments.models import IncomingTransfer, Payment, UnplacedMoney

Since = Mapping[str, int]

#: Rows that point at a payment or at unplaced money and go with it.
_OWN = frozenset({"incoming_transfer", "ledger_line"})
#: Outcomes of a transfer that changed another one, or that another one changed.
_ENTANGLED = ("reversal", "reversed")


def hold(session: Session, since: Since) -> None:
    """No worker books one of the batch's transfers from here on."""
    session.execute(select(IncomingTransfer.id).where(_brought(since)).with_for_update()).all()


def payments_of(since: Since) -> Any:
    """The payments that were made of the batch's transfers, as a subquery of their ids."""
    return select(IncomingTransfer.payment_id).where(
        _brought(since), IncomingTransfer.payment_id > since.get("payment", 0)
    )


def in_the_way(session: Session, since: Since) -> Iterator[tuple[str, int]]:
    """What rests on the batch's transfers: (table, how many rows)."""
    entangled = and_(_brought(since), IncomingTransfer.outcome.in_(_ENTANGLED))
    count = _count(session, IncomingTransfer.__table__, entangled)
    if count:
        yield "incoming_transfer", count
    told = and_(Message.dedupe_key.in_(_receipts(session, since)), Message.state != "queued")
    count = _count(session, Message.__table__, told)
    if count:
        yield "message", count
    entries = Base.metadata.tables.get("outgoing_entry")
    if entries is not None:
        count = _count(session, entries, and_(_told_core(entries, since), entries.c.state != "waiting"))
        if count:
            yield "outgoing_entry", count
    yield from _pointing(session, since)


def _pointing(session: Session, since: Since) -> Iterator[tuple[str, int]]:
    """Rows of any feature that point at what would go, found through the schema."""
    going = {"payment": payments_of(since), "unplaced_money": _unplaced_of(since)}
    for table in Base.metadata.sorted_tables:
        if table.name in _OWN:
            continue
        pointing = [
            column.in_(going[key.column.table.name])
            for column in table.columns
            for key in column.foreign_keys
            if key.column.table.name in going
        ]
        count = _count(session, table, or_(*pointing)) if pointing else 0
        if count:
            yield table.name, count


def take_back(session: Session, since: Since) -> None:
    """Remove the transfers and what was made of them; their ledger lines are withdrawn already."""
    payments = session.scalars(payments_of(since)).all()
    unplaced = session.scalars(_unplaced_of(since)).all()
    receipts = _receipts(session, since)
    entries = Base.metadata.tables.get("outgoing_entry")
    if entries is not None:
        session.execute(delete(entries).where(_told_core(entries, since)))
    for statement in (
        delete(Message).where(Message.dedupe_key.in_(receipts)),
        delete(IncomingTransfer).where(_brought(since)),
        delete(UnplacedMoney).where(UnplacedMoney.id.in_(unplaced)),
        delete(Payment).where(Payment.id.in_(payments)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def _brought(since: Since) -> Any:
    return IncomingTransfer.id > since.get("incoming_transfer", 0)


def _unplaced_of(since: Since) -> Any:
    return select(IncomingTransfer.unplaced_id).where(
        _brought(since), IncomingTransfer.unplaced_id > since.get("unplaced_money", 0)
    )


def _receipts(session: Session, since: Since) -> list[str]:
    """How the receipts of these payments are known in the outbox."""
    return [f"receipt:payment:{payment_id}" for payment_id in session.scalars(payments_of(since))]


def _told_core(entries: Table, since: Since) -> Any:
    """What there is to tell the core of lines that would go."""
    lines = select(LedgerLine.id).where(
        LedgerLine.id > since["ledger_line"], LedgerLine.payment_id.in_(payments_of(since))
    )
    return and_(entries.c.kind == "payment", entries.c.subject_id.in_(lines))


def _count(session: Session, table: Any, condition: Any) -> int:
    return session.scalar(select(func.count()).select_from(table).where(condition)) or 0
