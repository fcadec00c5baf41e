"""What waits, what went out, what the core answered: for the maker of batches and for operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.orm import aliased

from portal.outgoing.fields import FILES_OF
from portal.outgoing.lifecycle import BatchState, EntryState
from portal.outgoing.models import OutgoingBatch, OutgoingEntry, OutgoingRow

#: Entries whose rows are in memory at a time.
PAGE = 500


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch as it stands. `outcomes`: sent, accepted, refused -> how many entries."""

    batch_id: int
    sequence: int
    batch_ref: str
    bank: str
    business_date: date
    demonstration: bool
    mapping_text: str
    state: str
    counts: Mapping[str, int]
    manifest_sha256: str
    made_at: datetime | None
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry in a batch, or one that the core refused."""

    entry_ref: str
    kind: str
    state: str
    outcome: str
    reason: str
    sequence: int


_COLUMNS = (
    OutgoingBatch.id.label("batch_id"),
    OutgoingBatch.sequence,
    OutgoingBatch.batch_ref,
    OutgoingBatch.bank,
    OutgoingBatch.business_date,
    OutgoingBatch.demonstration,
    OutgoingBatch.mapping_text,
    OutgoingBatch.state,
    OutgoingBatch.counts,
    OutgoingBatch.manifest_sha256,
    OutgoingBatch.made_at,
    OutgoingBatch.delivered_at,
    OutgoingBatch.acknowledged_at,
)


def unfinished(connection: Connection) -> list[BatchView]:
    """Batches that have taken their entries and have no manifest yet, oldest first."""
    statement = select(*_COLUMNS).where(OutgoingBatch.state == BatchState.TAKEN)
    return [_view(row, {}) for row in connection.execute(statement.order_by(OutgoingBatch.sequence))]


def batches(connection: Connection, *, limit: int = 50) -> list[BatchView]:
    """The newest batches, newest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(OutgoingBatch.sequence.desc()).limit(limit)).all()
    return [_view(row, _outcomes(connection, row.batch_id)) for row in rows]


def batch(connection: Connection, *, sequence: int) -> BatchView | None:
    """One batch by its number."""
    row = connection.execute(select(*_COLUMNS).where(OutgoingBatch.sequence == sequence)).one_or_none()
    return None if row is None else _view(row, _outcomes(connection, row.batch_id))


def contents(
    connection: Connection, *, batch_id: int, kind: str, after: int
) -> list[tuple[int, list[dict[str, Any]]]]:
    """The next page of (position, rows of the file `kind`) behind position `after`."""
    kinds = [entry for entry, files in FILES_OF.items() if kind in files]
    statement = (
        select(OutgoingRow.position, OutgoingEntry.content)
        .join(OutgoingEntry, OutgoingEntry.id == OutgoingRow.entry_id)
        .where(OutgoingRow.batch_id == batch_id, OutgoingRow.position > after, OutgoingEntry.kind.in_(kinds))
        .order_by(OutgoingRow.position)
        .limit(PAGE)
    )
    return [(position, content.get(kind, [])) for position, content in connection.execute(statement)]


def entries(connection: Connection, *, sequence: int) -> list[EntryView]:
    """The entries of a batch in its order."""
    return _entries(connection, OutgoingBatch.sequence == sequence)


def refused(connection: Connection) -> list[EntryView]:
    """The entries that the core has refused and nobody has sent again or closed."""
    other = aliased(OutgoingRow)
    last = select(func.max(other.batch_id)).where(other.entry_id == OutgoingEntry.id).scalar_subquery()
    return _entries(connection, (OutgoingEntry.state == EntryState.REFUSED) & (OutgoingRow.batch_id == last))


def waiting(connection: Connection, *, due_by: datetime | None = None) -> dict[str, int]:
    """kind -> entries that wait for a batch (since `due_by` at the latest)."""
    statement = (
        select(OutgoingEntry.kind, func.count())
        .where(OutgoingEntry.state == EntryState.WAITING)
        .group_by(OutgoingEntry.kind)
    )
    if due_by is not None:
        statement = statement.where(OutgoingEntry.due_at <= due_by)
    return dict(connection.execute(statement).all())


def _view(row: Row[Any], outcomes: Mapping[str, int]) -> BatchView:
    return BatchView(**row._mapping, outcomes=outcomes)


def _entries(connection: Connection, wanted: Any) -> list[EntryView]:
    statement = (
        select(
            OutgoingEntry.entry_ref,
            OutgoingEntry.kind,
            OutgoingEntry.state,
            OutgoingRow.outcome,
            OutgoingRow.reason,
            OutgoingBatch.sequence,
        )
        .join(OutgoingRow, OutgoingRow.entry_id == OutgoingEntry.id)
        .join(OutgoingBatch, OutgoingBatch.id == OutgoingRow.batch_id)
        .where(wanted)
        .order_by(OutgoingBatch.sequence, OutgoingRow.position)
    )
    return [EntryView(*row) for row in connection.execute(statement)]


def _outcomes(connection: Connection, batch_id: int) -> dict[str, int]:
    statement = (
        select(OutgoingRow.outcome, func.count())
        .where(OutgoingRow.batch_id == batch_id)
        .group_by(OutgoingRow.outcome)
    )
    return dict(connection.execute(statement).all())
