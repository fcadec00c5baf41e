"""Making a batch: its entries are taken in one transaction, its files written, its manifest put in place last.

A crash leaves either no batch, or one whose entries are taken; the next run writes that one again, byte
for byte, before it begins another. Whoever reads the folder waits for the manifest.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from portal.bank_files.mapping import Mapping, parse_mapping
from portal.bank_files.reading import Read, Source, read_rows
from portal.bank_files.rejections import Rejections
from portal.db import Database
from portal.outgoing import operations, queries
from portal.outgoing.fields import FILES, FILES_OF
from portal.outgoing.mapping import Outgoing, outgoing_of
from portal.outgoing.queries import BatchView
from portal.outgoing.writing import Written, date_text, file_bytes, manifest_bytes

#: Told of each step; tests stop the process at every one of them.
Step = Callable[[str], None]


class UnableToMake(Exception):
    """A batch that cannot be finished: its files are in the folder with other content, or do not read back."""


@dataclass(frozen=True)
class BatchMade:
    """A batch whose manifest is in its place."""

    sequence: int
    folder: Path
    counts: dict[str, int]


def make_batch(
    database: Database,
    *,
    sender: operations.Sender,
    folder: Path,
    now: datetime,
    due_by: datetime | None = None,
    step: Step = lambda name: None,
) -> list[BatchMade]:
    """Finish what an earlier run left, then make a batch of what waits; all that were made, oldest first.

    `due_by`: only what has waited since then. Raises BadMapping and UnableToMake.
    """
    outgoing_of(parse_mapping(sender.mapping_text, source="mapping"))
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        done = finish(database, folder=folder, now=now, step=step)
        while database.write(lambda session: operations.collect(session, now=now)):
            step("collected")
        database.write(lambda session: operations.follow_core(session, now=now))
        taken = database.write(
            lambda session: operations.take(session, sender=sender, due_by=due_by, now=now, step=step)
        )
        step("taken")
        if taken is not None:
            done += finish(database, folder=folder, now=now, step=step)
    return done


def finish(
    database: Database, *, folder: Path, now: datetime, step: Step = lambda name: None
) -> list[BatchMade]:
    """Write the files of every batch that has taken its entries and has no manifest yet."""
    with database.read() as connection:
        waiting = queries.unfinished(connection)
    return [_finish(database, batch, folder, now, step) for batch in waiting]


def _finish(database: Database, batch: BatchView, folder: Path, now: datetime, step: Step) -> BatchMade:
    told = {kind for made in batch.counts for kind in FILES_OF[made]}
    known = outgoing_of(parse_mapping(batch.mapping_text, source=f"batch {batch.sequence}"), told)
    place = folder / batch.batch_ref
    place.mkdir(exist_ok=True)
    files = {kind: Written() for kind in FILES if kind in told}
    for kind, written in files.items():
        rows = _rows(database, batch, kind)
        _put(place / known.forms.files[kind].file, file_bytes(kind, rows, known.forms, written), step)
        _check(place, kind, known, written)
    manifest = manifest_bytes(_facts(batch, known.forms), files, known.forms)
    target = place / known.forms.manifest_file
    if target.exists() and target.read_bytes() != manifest:
        raise UnableToMake(f"{target}: holds another batch under this number")
    _put(target, [manifest], step)
    digest = hashlib.sha256(manifest).hexdigest()
    database.write(
        lambda session: operations.made(session, sequence=batch.sequence, manifest_sha256=digest, now=now)
    )
    step("made")
    return BatchMade(batch.sequence, place, dict(batch.counts))


def _facts(batch: BatchView, forms: Mapping) -> dict[str, object]:
    return {
        "bank": batch.bank,
        "batch": batch.batch_ref,
        "sequence": batch.sequence,
        "business_date": date_text(batch.business_date, forms.manifest_date),
        "encoding": forms.encoding,
        "mode": "delta",
        "demonstration": batch.demonstration,
    }


def _rows(database: Database, batch: BatchView, kind: str) -> Iterator[dict[str, object]]:
    """The rows of one file, in the batch's order, a page of entries in memory at a time."""
    after = 0
    while True:
        with database.read() as connection:
            page = queries.contents(connection, batch_id=batch.batch_id, kind=kind, after=after)
        for after, rows in page:  # noqa: B007 - the last position is where the next page begins
            yield from rows
        if not page:
            return


def _put(path: Path, parts: Iterable[bytes], step: Step) -> None:
    """Write a file under a temporary name, on the disk, then give it its name."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        for raw in parts:
            stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
    step(f"wrote {path.name}")
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    step(f"named {path.name}")


def _check(place: Path, kind: str, known: Outgoing, written: Written) -> None:
    """Read the file back as the core will: every row, with the very reader that reads the core's files."""
    form = known.forms.files[kind]
    rejections, seen = Rejections(), Read()
    source = Source(
        place / form.file, form, known.forms, lambda cells: cells.get("currency", known.forms.currency)
    )
    for _ in read_rows(source, rejections, seen):
        pass
    if rejections or seen.rows != written.rows or seen.sha256 != written.digest.hexdigest():
        first = next(iter(rejections), None)
        raise UnableToMake(f"{form.file}: does not read back: {first.en if first else 'rows'}")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock ends with the process."""
    with (folder / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
