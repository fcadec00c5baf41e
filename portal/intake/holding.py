"""Batches that wait for a second person, and the record of every try to take one in.

Whoever ran the intake does not release it: the two are told apart by staff.human_ref. So a batch beyond
the limits waits only under a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.bank_files.manifest import Manifest
from portal.bank_files.rejections import Rejections
from portal.db import Database
from portal.intake.lifecycle import RUN, RunAction, RunState
from portal.intake.models import IntakeRun
from portal.staging.drift import Finding

#: Faults kept beside a run; the whole report is a file.
SHOWN = 100


class CannotDecide(ValueError):
    """A decision that is not taken. `reason`: ``state`` (somebody was faster), ``same`` (who ran the intake
    cannot release it), ``comment`` (a rejection says why)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Tried:
    """What a run was about."""

    bank: str
    batch_ref: str
    sequence: int
    business_date: Any
    manifest_sha256: str

    @classmethod
    def of(cls, manifest: Manifest | None) -> Tried:
        """From a manifest; nothing where there is none to read."""
        if manifest is None:
            return cls("", "", 0, None, "")
        return cls(manifest.bank, manifest.batch, manifest.sequence, manifest.business_date, manifest.digest)


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides: the account, proved by password and second factor, and the human behind it."""

    staff_id: int
    human_ref: str


def record_run(
    session: Session,
    *,
    manifest: Manifest | None,
    state: RunState,
    mapping: str,
    directory: Path,
    rows: Mapping[str, int],
    asked_by: str,
    now: datetime,
    findings: Iterable[Finding] = (),
    rejections: Rejections | None = None,
) -> int:
    """Write a try down, and what came of it; its id. One that waits already is written down once."""
    tried = Tried.of(manifest)
    if state is RunState.APPLIED:
        _replace_others(session, tried)
    waiting = session.scalar(
        select(IntakeRun).where(
            IntakeRun.manifest_sha256 == tried.manifest_sha256,
            IntakeRun.state.in_((RunState.HELD, RunState.RELEASED)),
        )
    )
    if waiting is not None and tried.manifest_sha256:
        if state is RunState.APPLIED:
            waiting.state = RUN.after(RunState(waiting.state), RunAction.APPLY)
        if state in (RunState.APPLIED, RunState.HELD):
            return waiting.id
    faults = [
        {
            "file": one.file,
            "line": one.line,
            "column": one.column,
            "excerpt": one.excerpt,
            "zh": one.zh,
            "en": one.en,
        }
        for one in (rejections.kept[:SHOWN] if rejections else ())
    ]
    values = {
        **asdict(tried),
        "created_at": now,
        "mapping": mapping,
        "directory": str(directory),
        "state": state,
        "counts": dict(rows),
        "findings": [{"rule": one.rule, "facts": dict(one.facts)} for one in findings],
        "fault_count": rejections.count if rejections else 0,
        "faults": faults,
        "asked_by": asked_by,
        "decided_by": "",
        "comment": "",
    }
    run_id: int = session.scalars(insert(IntakeRun).returning(IntakeRun.id), [values]).one()
    if state is RunState.HELD:
        _record(
            session,
            "intake.held",
            run_id,
            audit.Actor("operator", asked_by or "intake"),
            now,
            values["findings"],
        )
    return run_id


_WAITING = (
    IntakeRun.id,
    IntakeRun.state,
    IntakeRun.directory,
    IntakeRun.mapping,
    IntakeRun.asked_by,
    IntakeRun.decided_by,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits, or was let through and not applied yet."""

    run_id: int
    state: str
    directory: str
    mapping: str
    asked_by: str
    decided_by: str


def waiting(database: Database, *, sequence: int) -> Waiting | None:
    """The batch of this number that waits for a decision."""
    with database.read() as connection:
        row = connection.execute(
            select(*_WAITING).where(IntakeRun.sequence == sequence, IntakeRun.state == RunState.HELD)
        ).first()
    return None if row is None else Waiting(*row)


def released(database: Database, digest: str) -> Waiting | None:
    """The release of the batch with this manifest, if somebody has let it through."""
    with database.read() as connection:
        row = connection.execute(
            select(*_WAITING).where(IntakeRun.manifest_sha256 == digest, IntakeRun.state == RunState.RELEASED)
        ).first()
    return None if row is None else Waiting(*row)


def report_folder(data_dir: Path) -> Path:
    """Where the whole report of each refused try lies, as `run-<id>.csv`."""
    return data_dir / "intake"


def report_path(data_dir: Path, run_id: int) -> Path:
    """The whole report of one refused try."""
    return report_folder(data_dir) / f"run-{run_id}.csv"


def release(session: Session, *, run_id: int, person: Person, comment: str, now: datetime) -> None:
    """Let a held batch through: the next try with these very files applies it. Raises CannotDecide."""
    run = _locked(session, run_id)
    if run.asked_by == person.human_ref:
        raise CannotDecide("same")
    _decide(session, run, RunAction.RELEASE, person, comment, now)


def reject(session: Session, *, run_id: int, person: Person, comment: str, now: datetime) -> None:
    """Say that a held batch is wrong; it never goes in. Raises CannotDecide."""
    if not comment.strip():
        raise CannotDecide("comment")
    _decide(session, _locked(session, run_id), RunAction.REJECT, person, comment, now)


class Decision(Protocol):
    """`release` or `reject`."""

    def __call__(
        self, session: Session, *, run_id: int, person: Person, comment: str, now: datetime
    ) -> None: ...


def _replace_others(session: Session, applied: Tried) -> None:
    """Batches that waited for their turn have missed it: another one of their number is in."""
    session.execute(
        update(IntakeRun)
        .where(
            IntakeRun.state.in_(RUN.sources(RunAction.REPLACE)),
            IntakeRun.sequence <= applied.sequence,
            IntakeRun.manifest_sha256 != applied.manifest_sha256,
        )
        .values(state=RUN.target(RunAction.REPLACE))
        .execution_options(synchronize_session=False)
    )


def _locked(session: Session, run_id: int) -> IntakeRun:
    run = session.scalar(select(IntakeRun).where(IntakeRun.id == run_id).with_for_update())
    if run is None:
        raise CannotDecide("state")
    return run


def _decide(
    session: Session, run: IntakeRun, action: RunAction, person: Person, comment: str, now: datetime
) -> None:
    moved = session.execute(
        update(IntakeRun)
        .where(IntakeRun.id == run.id, IntakeRun.state.in_(RUN.sources(action)))
        .values(
            state=RUN.target(action),
            decided_by=person.human_ref,
            decided_at=now,
            comment=comment.strip(),
        )
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]
        raise CannotDecide("state")
    _record(
        session,
        f"intake.{RUN.target(action)}",
        run.id,
        audit.Actor("staff", str(person.staff_id)),
        now,
        comment,
    )


def _record(session: Session, event: str, run_id: int, actor: audit.Actor, now: datetime, said: Any) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="intake_run",
        subject_ref=run_id,
        now=now,
        facts={"said": said},
    )
