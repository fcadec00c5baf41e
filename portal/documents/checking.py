"""From received bytes to pages: keep the original, render it in the child, keep the pages, write the outcome.

Each step commits by itself, so that a crash leaves a row that says where to go on (received, or a lease
that runs out) and at most some objects that no row names, which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from datetime import datetime

from portal.db import Database
from portal.documents import operations, queries, sealing
from portal.documents.kinds import Limits
from portal.documents.lifecycle import DocumentState
from portal.documents.operations import Claim, Original, PageRow
from portal.documents.rendering import RenderedPage, Unreadable, render
from portal.gateways.storage import AlreadyStored, NotStored, Storage, new_key
from portal.keys import Keys, Unsealable
from portal.visits.photos import photo_refs

#: Children at once in one server process: each may take half a gigabyte.
CHILDREN = 2
#: Objects younger than this may belong to an upload that has not written its row yet.
ORPHAN_SECONDS = 3600.0

_turns = threading.BoundedSemaphore(CHILDREN)


def keep_original(storage: Storage, keys: Keys, original: Original, data: bytes) -> None:
    """Store the file encrypted under its own name; a repeated upload finds it there already."""
    if original.state is not DocumentState.RECEIVED:
        return
    sealed = sealing.seal(keys, original.file_key_sealed, original.storage_key, data)
    with contextlib.suppress(AlreadyStored):
        storage.put(original.storage_key, sealed)


def check_one(
    database: Database,
    storage: Storage,
    keys: Keys,
    *,
    document_id: int,
    limits: Limits,
    now: datetime,
    real_now: datetime,
) -> None:
    """Render one waiting file, if a child is free at once and nobody else is at it.

    Nobody waits for a turn: a few people with slow files would soon hold every thread of the server.
    What finds no child is left "received" for the background worker.
    """
    if not _turns.acquire(blocking=False):
        return
    try:
        lease = database.write(
            lambda session: operations.claim(session, document_id=document_id, real_now=real_now)
        )
        if lease is not None:
            _render_and_finish(database, storage, keys, lease, limits=limits, now=now)
    finally:
        _turns.release()


def check_waiting(
    database: Database,
    storage: Storage,
    keys: Keys,
    *,
    limits: Limits,
    now: datetime,
    real_now: datetime,
    limit: int = 10,
) -> int:
    """Render files that a busy or broken request left behind; returns how many were tried."""
    with database.read() as connection:
        found = operations.waiting(connection, real_now=real_now, limit=limit)
    for document_id in found:
        check_one(
            database,
            storage,
            keys,
            document_id=document_id,
            limits=limits,
            now=now,
            real_now=real_now,
        )
    return len(found)


def delete_objects(storage: Storage, storage_keys: Iterable[str]) -> None:
    """Remove objects whose rows are gone; called after the commit."""
    for key in storage_keys:
        storage.delete(key)


def sweep(database: Database, storage: Storage) -> int:
    """Delete objects older than an hour that no row names (H3); returns how many."""
    old = list(storage.keys_older_than(ORPHAN_SECONDS))
    with database.read() as connection:
        known = queries.storage_keys(connection) | photo_refs(connection)
    orphans = [key for key in old if key not in known]
    delete_objects(storage, orphans)
    return len(orphans)


def _render_and_finish(
    database: Database, storage: Storage, keys: Keys, lease: Claim, *, limits: Limits, now: datetime
) -> None:
    original = lease.original
    try:
        pages = render(_read(storage, keys, original), original.media_type, limits=limits)
    except Unreadable as error:
        reason = error.reason
        if database.write(
            lambda session: operations.finish_unreadable(session, lease=lease, reason=reason, now=now)
        ):
            storage.delete(original.storage_key)
        return
    rows = [_keep_page(storage, keys, original, page) for page in pages]
    if not database.write(lambda session: operations.finish_ready(session, lease=lease, pages=rows, now=now)):
        delete_objects(storage, [row.storage_key for row in rows])


def _read(storage: Storage, keys: Keys, original: Original) -> bytes:
    try:
        sealed = storage.get(original.storage_key)
        return sealing.unseal(keys, original.file_key_sealed, original.storage_key, sealed)
    except (NotStored, Unsealable):
        raise Unreadable("lost") from None


def _keep_page(storage: Storage, keys: Keys, original: Original, page: RenderedPage) -> PageRow:
    storage_key = new_key()
    sealed = sealing.seal(keys, original.file_key_sealed, storage_key, page.jpeg)
    storage.put(storage_key, sealed)
    return PageRow(storage_key, page.width, page.height)
