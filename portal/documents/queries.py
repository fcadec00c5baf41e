"""Reads of documents: what a page prints about each file. Pages' bytes come from operations.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, select

from portal.documents.lifecycle import VIEWABLE, DocumentState
from portal.documents.models import Document, DocumentPage
from portal.keys import Keys


@dataclass(frozen=True, slots=True)
class PageView:
    """One rendered page: its number from 1 and its size in pixels."""

    number: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One file as a page prints it. `name` is what the borrower's device called it: escape it.

    `pages` is empty unless the file was rendered clean. `sent_at` empty: not yet sent to the bank.
    """

    document_id: int
    public_ref: str
    report_id: int
    kind: str
    name: str
    media_type: str
    size_bytes: int
    state: DocumentState
    reason: str | None
    page_count: int
    created_at: datetime
    sent_at: datetime | None
    pages: tuple[PageView, ...]

    @property
    def is_viewable(self) -> bool:
        """Whether there are rendered pages to look at."""
        return self.state in VIEWABLE

    @property
    def is_removable(self) -> bool:
        """Whether the borrower may still take it back."""
        return self.sent_at is None


def documents_for(
    connection: Connection, keys: Keys, borrower_id: int, *, report_id: int | None = None
) -> tuple[DocumentView, ...]:
    """The borrower's own files, removed ones left out, oldest first; of one report when given."""
    wanted = _listed().where(Document.borrower_id == borrower_id)
    if report_id is not None:
        wanted = wanted.where(Document.report_id == report_id)
    return _views(connection, keys, connection.execute(wanted).all())


def sent_documents_for(connection: Connection, keys: Keys, borrower_id: int) -> tuple[DocumentView, ...]:
    """What a reviewer is shown of a borrower: the files sent to the bank, oldest first."""
    wanted = _listed().where(Document.borrower_id == borrower_id, Document.sent_at.is_not(None))
    return _views(connection, keys, connection.execute(wanted).all())


def storage_keys(connection: Connection) -> set[str]:
    """Every object the database knows of: files that are kept, and their pages."""
    kept = select(Document.storage_key).where(Document.file_key_sealed.is_not(None))
    pages = select(DocumentPage.storage_key)
    return set(connection.execute(kept).scalars()) | set(connection.execute(pages).scalars())


def _listed() -> Select[tuple[Document]]:
    return select(Document.__table__).where(Document.state != DocumentState.REMOVED).order_by(Document.id)


def _views(
    connection: Connection, keys: Keys, rows: Iterable[Row[tuple[Document]]]
) -> tuple[DocumentView, ...]:
    rows = list(rows)
    pages = _pages(connection, [row.id for row in rows if row.state in VIEWABLE])
    return tuple(
        DocumentView(
            document_id=row.id,
            public_ref=row.public_ref,
            report_id=row.report_id,
            kind=row.kind,
            name=keys.unseal("document.name", row.name_sealed),
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            state=DocumentState(row.state),
            reason=row.reason,
            page_count=row.page_count,
            created_at=row.created_at,
            sent_at=row.sent_at,
            pages=tuple(pages[row.id]),
        )
        for row in rows
    )


def _pages(connection: Connection, document_ids: list[int]) -> dict[int, list[PageView]]:
    found: dict[int, list[PageView]] = defaultdict(list)
    if not document_ids:
        return found
    wanted = (
        select(DocumentPage.document_id, DocumentPage.number, DocumentPage.width, DocumentPage.height)
        .where(DocumentPage.document_id.in_(document_ids))
        .order_by(DocumentPage.document_id, DocumentPage.number)
    )
    for row in connection.execute(wanted):
        found[row.document_id].append(PageView(row.number, row.width, row.height))
    return found
