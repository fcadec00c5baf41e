"""What the core answers to a batch: accepted, accepted but for some rows, or refused; each answer once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.outgoing.lifecycle import BATCH, ENTRY, BatchAction, BatchState, EntryAction, EntryState
from portal.outgoing.models import OutgoingBatch, OutgoingEntry, OutgoingRow
from portal.outgoing.operations import OPERATOR

LARGEST_BYTES = 1 << 24
LONGEST_REASON = 500
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CHUNK = 500


class BadAnswer(Exception):
    """An acknowledgement that is not applied. `reason`: ``unreadable``, ``entry`` (missing or of the wrong
    type), ``batch`` (no such batch), ``manifest`` (not the manifest we made), ``answered`` (answered
    otherwise before), ``row`` (a refused row that the batch does not hold); `what` names it."""

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(f"{reason}: {what}" if what else reason)
        self.reason = reason
        self.what = what


@dataclass(frozen=True)
class Answer:
    """An acknowledgement that has the declared form. `refused`: entry reference -> the core's reason."""

    bank: str
    batch_ref: str
    sequence: int
    manifest_sha256: str
    is_accepted: bool
    reason: str
    refused: Mapping[str, str]
    digest: str


@dataclass(frozen=True)
class Answered:
    """What became of it; `repeated`: the same answer was applied before."""

    sequence: int
    accepted: int
    refused: int
    repeated: bool


def read_answer(raw: bytes, names: Mapping[str, str]) -> Answer:
    """The answer in a file's bytes: JSON, its entries named by the mapping. Raises BadAnswer."""
    try:
        data = json.loads(raw.decode("utf-8")) if len(raw) <= LARGEST_BYTES else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadAnswer("unreadable")
    outcome = _text(data, names["outcome"])
    if outcome not in ("accepted", "refused"):
        raise BadAnswer("entry", names["outcome"])
    sequence = data.get(names["sequence"])
    if type(sequence) is not int:
        raise BadAnswer("entry", names["sequence"])
    return Answer(
        bank=_text(data, names["bank"]),
        batch_ref=_text(data, names["batch"]),
        sequence=sequence,
        manifest_sha256=_text(data, names["manifest_sha256"]),
        is_accepted=outcome == "accepted",
        reason=_plain(data.get(names["reason"], "")),
        refused=_refusals(data.get(names["refused"], []), names),
        digest=hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest(),
    )


def apply_answer(session: Session, *, answer: Answer, now: datetime) -> Answered:
    """Write the answer down: rows accepted, or refused with the core's reason. Raises BadAnswer."""
    batch = session.execute(
        select(OutgoingBatch.__table__).where(OutgoingBatch.sequence == answer.sequence).with_for_update()
    ).one_or_none()
    if batch is None or (batch.bank, batch.batch_ref) != (answer.bank, answer.batch_ref):
        raise BadAnswer("batch", answer.batch_ref)
    if batch.manifest_sha256 != answer.manifest_sha256:
        raise BadAnswer("manifest", answer.manifest_sha256[:12])
    if batch.state == BatchState.ACKNOWLEDGED:
        if batch.answer_sha256 != answer.digest:
            raise BadAnswer("answered", answer.batch_ref)
        return _counted(session, batch.id, answer.sequence, repeated=True)
    held = _held(session, batch.id)
    unknown = sorted(set(answer.refused) - set(held))
    if unknown:
        raise BadAnswer("row", unknown[0])
    refused = dict(answer.refused) if answer.is_accepted else {ref: answer.reason for ref in held}
    refused |= answer.refused
    for entry_ref, reason in refused.items():
        _settle(session, batch.id, [held[entry_ref]], EntryAction.REFUSE, reason)
    accepted = [entry_id for ref, entry_id in held.items() if ref not in refused]
    for start in range(0, len(accepted), _CHUNK):
        _settle(session, batch.id, accepted[start : start + _CHUNK], EntryAction.ACCEPT, "")
    _acknowledge(session, batch.id, answer, now)
    return _counted(session, batch.id, answer.sequence, repeated=False)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise BadAnswer("entry", name)
    return value


def _plain(value: object) -> str:
    return _CONTROL.sub(" ", value)[:LONGEST_REASON] if isinstance(value, str) else ""


def _refusals(listed: object, names: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(listed, list):
        raise BadAnswer("entry", names["refused"])
    found: dict[str, str] = {}
    for one in listed:
        if not isinstance(one, dict):
            raise BadAnswer("entry", names["refused"])
        ref = _text(one, names["entry_ref"])
        if ref in found:
            raise BadAnswer("row", ref)
        found[ref] = _plain(_text(one, names["reason"]))
    return found


def _held(session: Session, batch_id: int) -> dict[str, int]:
    rows = session.execute(
        select(OutgoingEntry.entry_ref, OutgoingEntry.id)
        .join(OutgoingRow, OutgoingRow.entry_id == OutgoingEntry.id)
        .where(OutgoingRow.batch_id == batch_id)
    )
    return dict(rows.all())


def _settle(session: Session, batch_id: int, entry_ids: list[int], action: EntryAction, reason: str) -> None:
    state = ENTRY.after(EntryState.SENT, action)
    session.execute(
        update(OutgoingRow)
        .where(OutgoingRow.batch_id == batch_id, OutgoingRow.entry_id.in_(entry_ids))
        .values(outcome=state, reason=reason)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(OutgoingEntry)
        .where(OutgoingEntry.id.in_(entry_ids), OutgoingEntry.state == EntryState.SENT)
        .values(state=state, reason=reason)
        .execution_options(synchronize_session=False)
    )


def _acknowledge(session: Session, batch_id: int, answer: Answer, now: datetime) -> None:
    session.execute(
        update(OutgoingBatch)
        .where(
            OutgoingBatch.id == batch_id,
            OutgoingBatch.state.in_(BATCH.sources(BatchAction.ACKNOWLEDGE)),
        )
        .values(state=BATCH.target(BatchAction.ACKNOWLEDGE), acknowledged_at=now, answer_sha256=answer.digest)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor=OPERATOR,
        event="outgoing.batch_acknowledged",
        subject_kind="outgoing_batch",
        subject_ref=answer.sequence,
        now=now,
        facts={"accepted": answer.is_accepted, "refused": len(answer.refused), "answer": answer.digest},
    )


def _counted(session: Session, batch_id: int, sequence: int, *, repeated: bool) -> Answered:
    outcomes = session.scalars(select(OutgoingRow.outcome).where(OutgoingRow.batch_id == batch_id)).all()
    refused = outcomes.count(EntryState.REFUSED)
    return Answered(sequence, len(outcomes) - refused, refused, repeated)
