"""The tries to take a batch in, as the desk shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from portal.intake.models import IntakeBatch, IntakeFile, IntakeRun
from portal.money import Money

#: Runs on one page, the newest first.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    """One try in the list."""

    run_id: int
    tried_at: datetime
    bank: str
    sequence: int
    business_date: date | None
    state: str
    rows: int
    fault_count: int
    asked_by: str
    decided_by: str


@dataclass(frozen=True, slots=True)
class RunView:
    """One try, whole. `findings`: why a second person must look, with amounts as money; `files`: name, rows
    and SHA-256 of what was taken in."""

    row: RunRow
    batch_ref: str
    mapping: str
    directory: str
    counts: Mapping[str, int]
    findings: Sequence[Mapping[str, Any]]
    faults: Sequence[Mapping[str, Any]]
    decided_at: datetime | None
    comment: str
    files: Sequence[tuple[str, int, str]]


def runs(connection: Connection) -> list[RunRow]:
    """The newest tries."""
    rows = connection.execute(select(IntakeRun.__table__).order_by(IntakeRun.id.desc()).limit(SHOWN))
    return [_row(row) for row in rows]


def run(connection: Connection, run_id: int) -> RunView | None:
    """One try."""
    found = connection.execute(select(IntakeRun.__table__).where(IntakeRun.id == run_id)).first()
    if found is None:
        return None
    files = connection.execute(
        select(IntakeFile.name, IntakeFile.row_count, IntakeFile.sha256)
        .join(IntakeBatch, IntakeBatch.id == IntakeFile.batch_id)
        .where(IntakeBatch.manifest_sha256 == found.manifest_sha256, IntakeBatch.state == "applied")
        .order_by(IntakeFile.id)
    )
    return RunView(
        row=_row(found),
        batch_ref=found.batch_ref,
        mapping=found.mapping,
        directory=found.directory,
        counts=found.counts,
        findings=[_finding(one["rule"], one["facts"]) for one in found.findings],
        faults=found.faults,
        decided_at=found.decided_at,
        comment=found.comment,
        files=[(name, rows, sha) for name, rows, sha in files],
    )


def _finding(rule: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {
        name: Money(facts[name], facts["currency"]) for name in ("before", "after", "change") if name in facts
    }
    return {"rule": rule, **facts, **amounts}


def _row(row: Any) -> RunRow:
    return RunRow(
        run_id=row.id,
        tried_at=row.created_at,
        bank=row.bank,
        sequence=row.sequence,
        business_date=row.business_date,
        state=row.state,
        rows=sum(row.counts.values()),
        fault_count=row.fault_count,
        asked_by=row.asked_by,
        decided_by=row.decided_by,
    )
