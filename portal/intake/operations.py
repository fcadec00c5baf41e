"""Taking in a batch: check everything, then apply all of it in one transaction, or nothing.

The same batch again changes nothing. Two intakes at once follow each other: the second finds the
first one's batch and answers that it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from portal import audit
from portal.db import Database
from portal.intake import queries
from portal.intake.checks import Check, Checked, Progress
from portal.intake.manifest import LastBatch, Manifest, check_files, check_order, read_manifest
from portal.intake.mapping import Mapping as BankMapping
from portal.intake.mapping import load_mapping
from portal.intake.models import IntakeBatch, IntakeFile
from portal.intake.rejections import Rejections
from portal.intake.writing import OPERATOR, BatchWriter, ChangedMeanwhile
from portal.keys import Keys

#: The advisory lock that lets one intake at a time write on PostgreSQL; SQLite has one writer anyway.
_LOCK = 7_211_001


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
    """A batch that may be applied: what `check_batch` answers when nothing is wrong."""

    manifest: Manifest
    checked: Checked
    last: LastBatch | None


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
) -> Applied | Refused:
    """Take in the batch in `directory`, all of it or nothing.

    `progress(step, done, total)` is called on the way. Raises BadMapping for a mapping that cannot
    be used; everything that is wrong with the batch itself is in the answer.
    """
    known = load_mapping(mapping) if isinstance(mapping, str) else mapping
    report = progress or _silent
    while True:
        found = check_batch(database, directory=directory, mapping=known, now=now, progress=report)
        if not isinstance(found, Sound):
            return found
        sound = found

        def unit(session: Session, sound: Sound = sound) -> Applied:
            return _write(
                session, sound, directory=directory, mapping=known, keys=keys, now=now, progress=report
            )

        try:
            return database.write(unit)
        except _Overtaken:
            continue
        except ChangedMeanwhile as changed:
            rejections = Rejections()
            rejections.add("changed_meanwhile", changed.file)
            return Refused(rejections, sound.checked.rows)


def check_batch(
    database: Database,
    *,
    directory: Path,
    mapping: str | BankMapping,
    now: datetime,
    progress: Progress | None = None,
) -> Sound | Applied | Refused:
    """Everything `apply_batch` checks, changing nothing: Sound, Applied (it is in already) or Refused."""
    known = load_mapping(mapping) if isinstance(mapping, str) else mapping
    rejections = Rejections()
    manifest = read_manifest(directory, known, rejections)
    if manifest is None:
        return Refused(rejections, {})
    with database.read() as connection:
        repeated = queries.sequence_of(connection, digest=manifest.digest) is not None
        last = queries.last_batch(connection)
        if not repeated:
            today = now.astimezone(ZoneInfo(known.forms.zone)).date()
            taken = queries.has_sequence(connection, sequence=manifest.sequence)
            check_order(manifest, known, last, today, taken, rejections)
        check_files(directory, manifest, known, rejections)
        if rejections:
            return Refused(rejections, {})
        if repeated:
            return _repeated(manifest)
        check = Check(
            connection=connection,
            directory=directory,
            manifest=manifest,
            mapping=known,
            rejections=rejections,
            progress=progress or _silent,
        )
        checked = check.run()
    return Refused(rejections, checked.rows) if rejections else Sound(manifest, checked, last)


def _write(
    session: Session,
    sound: Sound,
    *,
    directory: Path,
    mapping: BankMapping,
    keys: Keys,
    now: datetime,
    progress: Progress,
) -> Applied:
    """One transaction: the batch's own row first, whose unique keys let one intake through."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    manifest = sound.manifest
    if queries.last_batch(session) != sound.last:
        raise _Overtaken
    rows = dict(sound.checked.rows)
    _record_batch(session, manifest, mapping, rows, now)
    writer = BatchWriter(
        session,
        directory=directory,
        manifest=manifest,
        mapping=mapping,
        checked=sound.checked,
        keys=keys,
        now=now,
        progress=progress,
    )
    writer.write()
    audit.record(
        session,
        actor=OPERATOR,
        event="intake.applied",
        subject_kind="intake_batch",
        subject_ref=manifest.sequence,
        now=now,
        facts={"bank": manifest.bank, "mode": manifest.mode, "rows": rows, "new_lines": writer.new_lines},
    )
    return Applied(
        bank=manifest.bank,
        sequence=manifest.sequence,
        business_date=manifest.business_date,
        demonstration=manifest.demonstration,
        repeated=False,
        rows=rows,
        new_lines=writer.new_lines,
    )


def _record_batch(
    session: Session, manifest: Manifest, mapping: BankMapping, rows: Mapping[str, int], now: datetime
) -> None:
    values = {
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
    }
    batch_id = session.scalars(insert(IntakeBatch).returning(IntakeBatch.id), [values]).one()
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
