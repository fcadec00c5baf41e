"""Taking in a batch: check everything, then apply all of it in one transaction, or nothing.

Each file is read once, into staging tables beside the book; what was checked there is what is applied,
whatever happens to the files meanwhile. The same batch again changes nothing. Two intakes at once follow
each other: the second finds the first one's batch and answers that it is there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from portal import audit
from portal.bank_files.manifest import LastBatch, Manifest, check_files, check_order, read_manifest
from portal.bank_files.mapping import Mapping as BankMapping
from portal.bank_files.mapping import load_mapping
from portal.bank_files.rejections import Rejections, write_report
from portal.contacts.log import Rules
from portal.db import TRIES, Database, is_retryable
from portal.intake import holding, queries
from portal.intake.lifecycle import RunState
from portal.intake.models import IntakeBatch, IntakeBefore, IntakeFile
from portal.intake.undo import CannotUndo, Undone, marks, undo_last
from portal.intake.writing import OPERATOR, BatchWriter
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.staging.checks import Check, Checked, Progress
from portal.staging.drift import Finding, Limits
from portal.staging.stage import Stage

#: The advisory lock that lets one intake at a time write on PostgreSQL; SQLite has one writer anyway.
LOCK = 7_211_001
#: A batch of so many rows changes what the database's planner should know.
_MANY = 5_000


@dataclass(frozen=True)
class Applied:
    """The batch is in. `repeated`: it was in before, and nothing changed."""

    bank: str
    sequence: int
    business_date: date
    demonstration: bool
    repeated: bool
    #: file -> rows read
    rows: Mapping[str, int]
    new_lines: int


@dataclass(frozen=True)
class Refused:
    """Nothing was changed; `rejections` say why."""

    rejections: Rejections
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Sound:
    """A batch that may be applied: what `check_batch` answers when nothing is wrong. `findings`: why a
    second person must look first."""

    manifest: Manifest
    checked: Checked
    last: LastBatch | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Held:
    """In order, and not applied: it changes so much that a second person must release it first."""

    manifest: Manifest
    rows: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Release:
    """Who asked for a batch and who else has released it, as staff.human_ref; None: nobody has."""

    asked_by: str = ""
    released_by: str | None = None


class _Overtaken(Exception):
    """Another intake was applied between the check and the writing."""


def apply_batch(
    database: Database,
    *,
    directory: Path,
    mapping: str | BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress | None = None,
    limits: Limits | None = None,
    release: Callable[[Manifest], Release] | None = None,
    read: Callable[[Manifest], None] | None = None,
    jurisdiction: str = "cn",
) -> Applied | Refused | Held:
    """Take in the batch in `directory`, all of it or nothing.

    `progress(step, done, total)` is called on the way, `read` with the manifest once it is read. `release`
    says of a batch beyond the `limits` whether a second person has let it through; contacts are measured by
    the rules of `jurisdiction`. Raises BadMapping for a mapping that cannot be used;
    everything that is wrong with the batch itself is in the answer.
    """
    known = load_mapping(mapping) if isinstance(mapping, str) else mapping
    report = progress or _silent
    while True:
        with _staging(database) as stage:
            found = _check(database, stage, directory, known, keys, now, report, limits or Limits(), read)
            if not isinstance(found, Sound):
                return found
            released = release(found.manifest) if release else Release()
            if found.findings and released.released_by is None:
                return Held(found.manifest, found.checked.rows, found.findings)
            try:
                return _write(
                    stage,
                    found,
                    released,
                    mapping=known,
                    keys=keys,
                    now=now,
                    progress=report,
                    jurisdiction=jurisdiction,
                )
            except _Overtaken:
                continue


def take_in(
    database: Database,
    *,
    directory: Path,
    mapping: BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress,
    limits: Limits,
    asked_by: str,
    reports: Path,
    jurisdiction: str = "cn",
) -> Applied | Refused | Held:
    """`apply_batch` as an operator does it: a second person's release is looked for, and the try is written
    down with what came of it. A batch beyond the limits waits only where it is known who asked."""
    seen: list[Manifest] = []

    def of(manifest: Manifest) -> Release:
        found = holding.released(database, manifest.digest)
        return Release(found.asked_by, found.decided_by) if found else Release(asked_by)

    answer = apply_batch(
        database,
        directory=directory,
        mapping=mapping,
        keys=keys,
        now=now,
        progress=progress,
        limits=limits,
        release=of,
        read=seen.append,
        jurisdiction=jurisdiction,
    )
    manifest = seen[-1] if seen else None
    if isinstance(answer, Held) and not asked_by:
        return answer
    # an earlier try may have been cut off between the batch and its note here
    is_noted = manifest is None or holding.released(database, manifest.digest) is None
    if isinstance(answer, Applied) and answer.repeated and is_noted:
        return answer
    state = {Applied: RunState.APPLIED, Held: RunState.HELD, Refused: RunState.REFUSED}[type(answer)]
    rejections = answer.rejections if isinstance(answer, Refused) else None

    def unit(session: Session) -> int:
        return holding.record_run(
            session,
            manifest=manifest,
            state=state,
            mapping=mapping.name,
            directory=directory,
            rows=answer.rows,
            asked_by=asked_by,
            now=now,
            findings=answer.findings if isinstance(answer, Held) else (),
            rejections=rejections,
        )

    run_id = database.write(unit)
    if rejections is not None:
        write_report(reports / f"run-{run_id}.csv", rejections)
    return answer


def undo(database: Database, *, by: str, now: datetime) -> Undone | CannotUndo:
    """Take the last batch back, in one transaction; no intake runs meanwhile."""

    def unit(session: Session) -> Undone | CannotUndo:
        lock(session)
        return undo_last(session, by=by, now=now)

    return database.write(unit)


def check_batch(
    database: Database,
    *,
    directory: Path,
    mapping: str | BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Sound | Applied | Refused:
    """Everything `apply_batch` checks, changing nothing: Sound, Applied (it is in already) or Refused."""
    known = load_mapping(mapping) if isinstance(mapping, str) else mapping
    with _staging(database) as stage:
        return _check(database, stage, directory, known, keys, now, progress or _silent, limits or Limits())


@contextmanager
def _staging(database: Database) -> Iterator[Stage]:
    """A connection of its own, with the staging tables; both are gone afterwards."""
    connection = database.writer.connect()
    try:
        yield Stage(connection)
    finally:
        # not back to the pool: temporary tables and settings go with it
        connection.invalidate()
        connection.close()


def _check(
    database: Database,
    stage: Stage,
    directory: Path,
    mapping: BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress,
    limits: Limits,
    read: Callable[[Manifest], None] | None = None,
) -> Sound | Applied | Refused:
    rejections = Rejections()
    manifest = read_manifest(directory, mapping, rejections)
    if manifest is None:
        return Refused(rejections, {})
    if read is not None:
        read(manifest)
    with database.read() as connection:
        last, repeated = _known(connection, manifest, mapping, now, rejections)
    check_files(directory, manifest, mapping, rejections)
    if rejections:
        return Refused(rejections, {})
    if repeated:
        return _repeated(manifest)
    stage.begin()
    check = Check(
        stage=stage,
        directory=directory,
        manifest=manifest,
        mapping=mapping,
        keys=keys,
        rejections=rejections,
        progress=progress,
        limits=limits,
    )
    checked = check.run()
    findings = tuple(check.findings()) if not rejections else ()
    stage.end()
    return Refused(rejections, checked.rows) if rejections else Sound(manifest, checked, last, findings)


def _known(
    connection: Connection, manifest: Manifest, mapping: BankMapping, now: datetime, rejections: Rejections
) -> tuple[LastBatch | None, bool]:
    """The last batch, and whether this very one is in; its place in the order is checked."""
    repeated = queries.sequence_of(connection, digest=manifest.digest) is not None
    last = queries.last_batch(connection)
    if not repeated:
        today = now.astimezone(ZoneInfo(mapping.forms.zone)).date()
        taken = queries.has_sequence(connection, sequence=manifest.sequence)
        check_order(manifest, mapping, last, today, taken, rejections)
    return last, repeated


def _write(
    stage: Stage,
    sound: Sound,
    release: Release,
    *,
    mapping: BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress,
    jurisdiction: str,
) -> Applied:
    """One transaction on the stage's connection, run again as a whole when the database asks for it."""
    for attempt in range(TRIES):
        with Session(stage.connection, expire_on_commit=False) as session:
            try:
                answer = _apply(
                    session,
                    stage,
                    sound,
                    release,
                    mapping=mapping,
                    keys=keys,
                    now=now,
                    progress=progress,
                    jurisdiction=jurisdiction,
                )
                session.commit()
                _freshen(stage, sound)
                return answer
            except DBAPIError as error:
                session.rollback()
                if attempt == TRIES - 1 or not is_retryable(error):
                    raise
        time.sleep(random.uniform(0.05, 0.2) * 2**attempt)  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def _freshen(stage: Stage, sound: Sound) -> None:
    """Have PostgreSQL look at tables that have just grown much: a plan made for the book of before would read
    all of it for one borrower's page."""
    if not stage.is_sqlite and sum(sound.checked.rows.values()) >= _MANY:
        for table in ("borrower", "loan", "loan_balance", "ledger_line", "notice", "notice_loan", "visit"):
            stage.analyze(table)
        stage.end()


def _apply(
    session: Session,
    stage: Stage,
    sound: Sound,
    release: Release,
    *,
    mapping: BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress,
    jurisdiction: str,
) -> Applied:
    """The batch's own row first, whose unique keys let one intake through."""
    lock(session)
    manifest = sound.manifest
    if queries.last_batch(session) != sound.last or queries.sequence_of(session, digest=manifest.digest):
        raise _Overtaken
    rows = dict(sound.checked.rows)
    batch_id = _record_batch(session, manifest, mapping, rows, release, now)
    writer = BatchWriter(
        session,
        stage=stage,
        batch_id=batch_id,
        manifest=manifest,
        mapping=mapping,
        checked=sound.checked,
        keys=keys,
        now=now,
        progress=progress,
        rules=Rules.of(pack(jurisdiction), mapping.forms.zone),
    )
    writer.write()
    new_lines = sound.checked.new_lines
    audit.record(
        session,
        actor=OPERATOR,
        event="intake.applied",
        subject_kind="intake_batch",
        subject_ref=manifest.sequence,
        now=now,
        facts={
            "bank": manifest.bank,
            "mode": manifest.mode,
            "rows": rows,
            "new_lines": new_lines,
            "asked_by": release.asked_by,
            "released_by": release.released_by or "",
        },
    )
    return Applied(
        bank=manifest.bank,
        sequence=manifest.sequence,
        business_date=manifest.business_date,
        demonstration=manifest.demonstration,
        repeated=False,
        rows=rows,
        new_lines=new_lines,
    )


def lock(session: Session) -> None:
    """Let one intake (or undo) at a time past this line."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    else:
        session.connection()


def _record_batch(
    session: Session,
    manifest: Manifest,
    mapping: BankMapping,
    rows: Mapping[str, int],
    release: Release,
    now: datetime,
) -> int:
    # only the last batch can be undone: what the one before had changed need not be kept longer
    session.execute(delete(IntakeBefore))
    values: dict[str, Any] = {
        "created_at": now,
        "bank": manifest.bank,
        "batch_ref": manifest.batch,
        "sequence": manifest.sequence,
        "business_date": manifest.business_date,
        "mode": manifest.mode,
        "mapping": mapping.name,
        "manifest_sha256": manifest.digest,
        "demonstration": manifest.demonstration,
        "counts": dict(rows),
        "marks": marks(session),
        "applied_by": release.asked_by,
        "released_by": release.released_by or "",
    }
    batch_id: int = session.scalars(insert(IntakeBatch).returning(IntakeBatch.id), [values]).one()
    files = [
        {
            "created_at": now,
            "batch_id": batch_id,
            "name": one.name,
            "sha256": one.sha256,
            "row_count": one.rows,
        }
        for one in manifest.files.values()
    ]
    session.execute(insert(IntakeFile), files)
    return batch_id


def _repeated(manifest: Manifest) -> Applied:
    return Applied(
        bank=manifest.bank,
        sequence=manifest.sequence,
        business_date=manifest.business_date,
        demonstration=manifest.demonstration,
        repeated=True,
        rows={kind: one.rows for kind, one in manifest.files.items()},
        new_lines=0,
    )


def _silent(step: str, done: int, total: int) -> None:
    """No progress to show."""
