"""Collecting what there is to tell, giving it to a batch, and what an operator does about refused entries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from portal import audit
from portal.accounts.models import LedgerLine
from portal.db import upsert
from portal.outgoing.contents import (
    Told,
    gave_way,
    told_again,
    untold_changes,
    untold_decisions,
    untold_lines,
    untold_plans,
    untold_wishes,
)
from portal.outgoing.lifecycle import BATCH, ENTRY, BatchAction, BatchState, EntryAction, EntryState
from portal.outgoing.models import OutgoingBatch, OutgoingEntry, OutgoingRow
from portal.states import NotAllowed

#: Who acts, in the record, when files are made and answers are applied.
OPERATOR = audit.Actor("operator", "outgoing")
#: Why an entry was closed without anybody's doing.
POSTED = "posted by the core"
#: Entries collected in one transaction.
CHUNK = 2_000
#: How many rows behind the newest told one are looked at from turn to turn.
LOOK_BACK = 10_000
#: The advisory lock under which batches take their entries on PostgreSQL; SQLite has one writer anyway.
_LOCK = 7_211_002

_ENTRIES: Any = OutgoingEntry.__table__


@dataclass(frozen=True)
class Sender:
    """What a new batch says of the bank and the day."""

    bank: str
    business_date: date
    mapping_text: str
    demonstration: bool


def collect(session: Session, *, now: datetime, limit: int = CHUNK, look_back: int | None = None) -> int:
    """Write an entry for up to `limit` things of each kind that have none; how many were written.

    With a `look_back` only so many rows behind the newest told one are looked at, which is enough from one
    minute to the next; a batch looks at all of them, and finds what committed late.

    What is told is looked for in the rows that make it so, none of which can be changed or lost: a
    payment that committed has its entry at the next look, whatever crashed in between.
    """
    told: list[Told] = []
    for look in (untold_lines, untold_plans, untold_changes, untold_decisions, untold_wishes):
        told += look(session, limit=limit, look_back=look_back)
    rows = [
        {
            "created_at": now,
            "kind": one.kind,
            "subject_id": one.subject_id,
            "event": one.event,
            "entry_ref": one.entry_ref,
            "content": one.content,
            "state": ENTRY.initial,
            "due_at": one.happened_at,
            "reason": "",
        }
        for one in told
    ]
    if rows:
        session.execute(
            upsert(_ENTRIES).on_conflict_do_nothing(index_elements=["kind", "subject_id", "event"]), rows
        )
    return len(rows)


def follow_core(session: Session, *, now: datetime) -> int:
    """Close the entries, waiting or refused, whose ledger line the core has posted by itself meanwhile; open
    them again where the batch with that line was undone. How many changed."""
    posted = select(LedgerLine.id).where(gave_way(LedgerLine))
    closed = _follow(
        session,
        OutgoingEntry.state.in_(ENTRY.sources(EntryAction.CLOSE)) & OutgoingEntry.subject_id.in_(posted),
        {"state": ENTRY.target(EntryAction.CLOSE), "reason": POSTED},
    )
    opened = _follow(
        session,
        (OutgoingEntry.state == EntryState.CLOSED)
        & (OutgoingEntry.reason == POSTED)
        & OutgoingEntry.subject_id.not_in(posted),
        {"state": ENTRY.target(EntryAction.REOPEN), "reason": "", "due_at": now},
    )
    for event, refs in (("outgoing.entry_closed", closed), ("outgoing.entry_opened", opened)):
        for entry_ref in refs:
            _record(session, event, "outgoing_entry", entry_ref, now, {"reason": POSTED})
    return len(closed) + len(opened)


def _follow(session: Session, wanted: Any, values: Mapping[str, Any]) -> list[str]:
    statement = update(OutgoingEntry).where(OutgoingEntry.kind == "payment", wanted).values(**values)
    changed = statement.returning(OutgoingEntry.entry_ref).execution_options(synchronize_session=False)
    return list(session.scalars(changed))


def take(
    session: Session, *, sender: Sender, due_by: datetime | None, now: datetime, step: Callable[[str], None]
) -> int | None:
    """Make a batch of everything that waits (since `due_by` at the latest) and give its number; None when
    nothing does. One UPDATE takes the entries: two batches at once never hold the same one."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    waiting = OutgoingEntry.state == EntryState.WAITING
    if due_by is not None:
        waiting &= OutgoingEntry.due_at <= due_by
    taken = session.execute(
        update(OutgoingEntry)
        .where(waiting)
        .values(state=ENTRY.after(EntryState.WAITING, EntryAction.SEND), reason="")
        .returning(OutgoingEntry.id, OutgoingEntry.kind)
        .execution_options(synchronize_session=False)
    ).all()
    if not taken:
        return None
    sequence = (session.scalar(select(func.max(OutgoingBatch.sequence))) or 0) + 1
    batch = OutgoingBatch(
        created_at=now,
        sequence=sequence,
        batch_ref=f"{sender.business_date:%Y%m%d}-{sequence:06d}",
        bank=sender.bank,
        business_date=sender.business_date,
        demonstration=sender.demonstration,
        mapping_text=sender.mapping_text,
        state=BATCH.initial,
        counts=_counts(kind for _, kind in taken),
        made_at=None,
        delivered_at=None,
        acknowledged_at=None,
    )
    session.add(batch)
    session.flush()
    rows = [
        {"batch_id": batch.id, "entry_id": entry_id, "position": position, "outcome": "sent", "reason": ""}
        for position, entry_id in enumerate(sorted(entry_id for entry_id, _ in taken), start=1)
    ]
    session.execute(insert(OutgoingRow), rows)
    step("taking")
    return sequence


def made(session: Session, *, sequence: int, manifest_sha256: str, now: datetime) -> bool:
    """The manifest is in its place; False when another run had said so."""
    values = {"made_at": now, "manifest_sha256": manifest_sha256}
    if not _move(session, sequence, BatchAction.MAKE, values):
        return False
    _record(session, "outgoing.batch_made", "outgoing_batch", sequence, now, {"manifest": manifest_sha256})
    return True


def deliver(session: Session, *, sequence: int, now: datetime) -> bool:
    """The bank's transport has the files; a second call changes nothing. Raises NotAllowed for a batch that
    is not made, or does not exist."""
    if _move(session, sequence, BatchAction.DELIVER, {"delivered_at": now}):
        _record(session, "outgoing.batch_delivered", "outgoing_batch", sequence, now, {})
        return True
    state = session.scalar(select(OutgoingBatch.state).where(OutgoingBatch.sequence == sequence))
    if state not in (BatchState.DELIVERED, BatchState.ACKNOWLEDGED):
        raise NotAllowed(BATCH.name, str(state), BatchAction.DELIVER)
    return False


def send_again(session: Session, *, entry_ref: str, now: datetime) -> None:
    """Put a refused entry into the next batch, told as things stand now. Raises NotAllowed."""
    entry = _refused(session, entry_ref, EntryAction.SEND_AGAIN)
    told = told_again(session, kind=entry.kind, subject_id=entry.subject_id, event=entry.event)
    entry.content, entry.due_at = told.content, now
    entry.state = ENTRY.after(EntryState(entry.state), EntryAction.SEND_AGAIN)
    session.flush()
    _record(session, "outgoing.entry_sent_again", "outgoing_entry", entry_ref, now, {})


def close(session: Session, *, entry_ref: str, reason: str, now: datetime) -> None:
    """A refused entry was settled at the core by hand: it is not sent again. Raises NotAllowed."""
    entry = _refused(session, entry_ref, EntryAction.CLOSE)
    entry.state = ENTRY.after(EntryState(entry.state), EntryAction.CLOSE)
    entry.reason = reason
    session.flush()
    _record(session, "outgoing.entry_closed", "outgoing_entry", entry_ref, now, {"reason": reason})


def _refused(session: Session, entry_ref: str, action: EntryAction) -> OutgoingEntry:
    entry = session.scalar(
        select(OutgoingEntry)
        .where(OutgoingEntry.entry_ref == entry_ref)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if entry is None or entry.state != EntryState.REFUSED:
        raise NotAllowed(ENTRY.name, "unknown" if entry is None else entry.state, action)
    return entry


def _move(session: Session, sequence: int, action: BatchAction, values: Mapping[str, Any]) -> bool:
    moved = session.execute(
        update(OutgoingBatch)
        .where(OutgoingBatch.sequence == sequence, OutgoingBatch.state.in_(BATCH.sources(action)))
        .values(state=BATCH.target(action), **values)
        .returning(OutgoingBatch.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    return moved is not None


def _counts(kinds: Iterator[str] | Collection[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _record(
    session: Session, event: str, kind: str, ref: str | int, now: datetime, facts: Mapping[str, Any]
) -> None:
    audit.record(
        session, actor=OPERATOR, event=event, subject_kind=kind, subject_ref=ref, now=now, facts=facts
    )
