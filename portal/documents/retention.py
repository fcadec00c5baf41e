"""The end of a document's days: its key is deleted, so that nobody can open the file again.

A copy of the key stays in the backups made before; the file counts as deleted once those have expired.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.documents.lifecycle import DOCUMENTS, DocumentAction, DocumentState
from portal.documents.models import Document, DocumentPage
from portal.keys import Keys

#: Documents in one transaction.
CHUNK = 100


def shred(
    session: Session, *, keys: Keys, sent_before: datetime, keep_for: Select[int], now: datetime
) -> tuple[str, ...]:
    """Delete the keys, names and pages of up to CHUNK documents sent before `sent_before`.

    `keep_for` finds the borrowers whose case is open, or closed too recently: a query, because they may
    be more than one statement takes as values. Returns the stored objects, to be deleted after the
    commit. Running it again finds nothing.
    """
    rows = session.execute(
        select(Document.id, Document.public_ref, Document.state, Document.storage_key)
        .where(
            Document.state.in_(DOCUMENTS.sources(DocumentAction.SHRED)),
            func.coalesce(Document.sent_at, Document.created_at) < sent_before,
            Document.borrower_id.not_in(keep_for),
        )
        .order_by(Document.id)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    ).all()
    objects: list[str] = []
    for row in rows:
        session.execute(
            update(Document)
            .where(Document.id == row.id)
            .values(
                state=DOCUMENTS.after(DocumentState(row.state), DocumentAction.SHRED),
                removed_at=now,
                file_key_sealed=None,
                name_sealed=keys.seal("document.name", ""),
            )
        )
        pages = (
            delete(DocumentPage).where(DocumentPage.document_id == row.id).returning(DocumentPage.storage_key)
        )
        objects += [row.storage_key, *session.execute(pages).scalars()]
        audit.record(
            session,
            actor=audit.SYSTEM,
            event="document.shredded",
            subject_kind="document",
            subject_ref=row.public_ref,
            now=now,
        )
    return tuple(objects)
