"""What an intake needs to know of the batches and rows taken in before."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from portal.bank_files.manifest import LastBatch
from portal.intake.models import IntakeBatch

#: A batch that was undone counts no more.
_STANDS = IntakeBatch.state != "undone"


def demonstration_batches(connection: Connection) -> Mapping[int, bool]:
    """Whether each batch, by sequence, is a demonstration."""
    rows = connection.execute(select(IntakeBatch.sequence, IntakeBatch.demonstration).where(_STANDS))
    return {sequence: demonstration for sequence, demonstration in rows}


def last_batch(connection: Connection | Session) -> LastBatch | None:
    """The last batch taken in; an installation serves one bank."""
    row = connection.execute(
        select(IntakeBatch.bank, IntakeBatch.sequence, IntakeBatch.business_date)
        .where(_STANDS)
        .order_by(IntakeBatch.sequence.desc())
        .limit(1)
    ).first()
    return None if row is None else LastBatch(*row)


def sequence_of(connection: Connection | Session, *, digest: str) -> int | None:
    """The sequence under which this very manifest was taken in, None if it was not."""
    return connection.scalar(
        select(IntakeBatch.sequence).where(_STANDS, IntakeBatch.manifest_sha256 == digest)
    )


def has_sequence(connection: Connection, *, sequence: int) -> bool:
    """Whether a batch of this sequence was taken in."""
    return (
        connection.scalar(select(IntakeBatch.id).where(_STANDS, IntakeBatch.sequence == sequence)) is not None
    )
