"""What happens to documents: received, checked, removed, sent, accepted or marked unsuitable, looked at.

These change rows only. The bytes are written before the row says they are there and deleted after the
row says they are gone; portal/documents/checking.py does both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Row, Update, and_, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import SYSTEM, Actor
from portal.documents import sealing
from portal.documents.kinds import KINDS, SENSITIVE_KINDS, UNSUITABLE_REASONS, Limits
from portal.documents.lifecycle import DOCUMENTS, VIEWABLE, DocumentAction, DocumentState
from portal.documents.media import Refused
from portal.documents.models import Document, DocumentAllowance, DocumentPage
from portal.gateways.storage import Storage, new_key
from portal.keys import Keys
from portal.states import NotAllowed

#: How long a worker may be at one file before another may take it over.
LEASE = timedelta(minutes=2)


class NoSuchDocument(Exception):
    """No document of that reference for this person."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it arrived, before anything is known to be true of it but its first bytes.

    `key` is the browser's: the same key again gives the first answer. `name` has passed names.shown_name.
    """

    key: str
    kind: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Original:
    """Where a received file is kept, and under which key."""

    document_id: int
    public_ref: str
    storage_key: str
    file_key_sealed: bytes
    media_type: str
    state: DocumentState


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's lease of one file; finishing names it."""

    original: Original
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class PageRow:
    """A rendered page that lies in the store."""

    storage_key: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SealedPage:
    """A page somebody may look at: `open_page` reads it."""

    storage_key: str
    file_key_sealed: bytes


def open_allowance(session: Session, *, report_id: int) -> None:
    """Start counting the files of a new case."""
    session.add(DocumentAllowance(report_id=report_id, files=0, bytes=0))
    session.flush()


def receive(
    session: Session,
    *,
    keys: Keys,
    borrower_id: int,
    report_id: int,
    upload: Upload,
    consented: bool,
    limits: Limits,
    now: datetime,
) -> Original:
    """Write down a file before its bytes are stored; the same upload key gives the first answer.

    Raises Refused: ``consent`` for a sensitive paper without the separate consent (PIPL art. 29),
    ``case_full`` when the case holds its limit of files or bytes. ValueError for an unknown kind.
    """
    if upload.kind not in KINDS:
        raise ValueError(f"unknown kind {upload.kind!r}")
    if upload.kind in SENSITIVE_KINDS and not consented:
        raise Refused("consent")
    row = Document(
        created_at=now,
        borrower_id=borrower_id,
        report_id=report_id,
        public_ref=new_key()[:32],
        upload_key=upload.key,
        kind=upload.kind,
        name_sealed=keys.seal("document.name", upload.name),
        media_type=upload.media_type,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        storage_key=new_key(),
        file_key_sealed=sealing.new_file_key(keys),
        state=DocumentState.RECEIVED,
        page_count=0,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return _first_answer(session, borrower_id, upload.key)
    _use_allowance(session, report_id, upload.size_bytes, limits)
    facts = {"kind": upload.kind, "media_type": upload.media_type, "sha256": upload.sha256}
    _record(session, Actor("borrower", str(borrower_id)), "document.received", row.public_ref, now, facts)
    return _original(row)


def claim(session: Session, *, document_id: int, real_now: datetime) -> Claim | None:
    """Take a waiting file, or one whose worker has died, for checking; nothing when it is taken."""
    taking = (
        update(Document)
        .where(Document.id == document_id, _is_free(real_now))
        .values(state=DocumentState.CHECKING, claimed_at=real_now)
    )
    if _count(session, taking) != 1:
        return None
    row = session.execute(select(Document.__table__).where(Document.id == document_id)).one()
    return Claim(_original(row), real_now)


def waiting(connection: Connection, *, real_now: datetime, limit: int) -> tuple[int, ...]:
    """Files nobody is checking, oldest first."""
    free = select(Document.id).where(_is_free(real_now)).order_by(Document.id).limit(limit)
    return tuple(connection.execute(free).scalars())


def _is_free(real_now: datetime) -> ColumnElement[bool]:
    """Files that wait, and those whose worker has died."""
    return or_(
        Document.state == DocumentState.RECEIVED,
        and_(Document.state == DocumentState.CHECKING, Document.claimed_at < real_now - LEASE),
    )


def finish_ready(session: Session, *, lease: Claim, pages: Sequence[PageRow], now: datetime) -> bool:
    """The file is rendered and its pages stored. False when the lease was lost or the file removed."""
    if not _finish(session, lease, DocumentAction.CLEAR, page_count=len(pages)):
        return False
    session.add_all(
        DocumentPage(
            document_id=lease.original.document_id,
            number=number,
            storage_key=page.storage_key,
            width=page.width,
            height=page.height,
        )
        for number, page in enumerate(pages, start=1)
    )
    _record(session, SYSTEM, "document.rendered", lease.original.public_ref, now, {"pages": len(pages)})
    return True


def finish_unreadable(session: Session, *, lease: Claim, reason: str, now: datetime) -> bool:
    """The file cannot be read: its key goes, its bytes no longer count. False when the lease was lost."""
    if not _finish(session, lease, DocumentAction.FAIL, reason=reason, file_key_sealed=None):
        return False
    _give_back(session, lease.original.document_id, files=0)
    _record(session, SYSTEM, "document.unreadable", lease.original.public_ref, now, {"reason": reason})
    return True


def remove(
    session: Session, *, keys: Keys, borrower_id: int, public_ref: str, now: datetime
) -> tuple[str, ...]:
    """Take back a file that was not sent yet: its key and name go. Returns the objects to delete.

    A second removal changes nothing. Raises NoSuchDocument, and NotAllowed once it was sent.
    """
    row = _own(session, borrower_id, public_ref)
    if row.state == DocumentState.REMOVED:
        return ()
    if row.sent_at is not None:
        raise NotAllowed(DOCUMENTS.name, row.state, DocumentAction.REMOVE)
    session.execute(
        update(Document)
        .where(Document.id == row.id)
        .values(
            state=DOCUMENTS.after(DocumentState(row.state), DocumentAction.REMOVE),
            removed_at=now,
            file_key_sealed=None,
            name_sealed=keys.seal("document.name", ""),
        )
    )
    _give_back(session, row.id, files=1, keep_bytes=row.state == DocumentState.UNREADABLE)
    objects = _forget_pages(session, row.id)
    _record(session, Actor("borrower", str(borrower_id)), "document.removed", public_ref, now)
    return (row.storage_key, *objects)


def send(session: Session, *, borrower_id: int, report_id: int, now: datetime) -> int:
    """Hand the report's files to the bank, those that cannot be read left out; returns how many."""
    sending = (
        update(Document)
        .where(
            Document.borrower_id == borrower_id,
            Document.report_id == report_id,
            Document.sent_at.is_(None),
            Document.state.not_in([DocumentState.UNREADABLE, DocumentState.REMOVED]),
        )
        .values(sent_at=now)
        .returning(Document.public_ref)
    )
    sent = session.execute(sending).scalars().all()
    for public_ref in sent:
        _record(session, Actor("borrower", str(borrower_id)), "document.sent", public_ref, now)
    return len(sent)


def accept(session: Session, *, public_ref: str, actor: Actor, now: datetime) -> None:
    """A reviewer can use the paper. Raises NoSuchDocument, NotAllowed."""
    _judge(session, public_ref, DocumentAction.ACCEPT, None, actor, now)


def mark_unsuitable(session: Session, *, public_ref: str, reason: str, actor: Actor, now: datetime) -> None:
    """A reviewer cannot use the paper; `reason` is one of UNSUITABLE_REASONS (ValueError otherwise).

    Raises NoSuchDocument, NotAllowed.
    """
    if reason not in UNSUITABLE_REASONS:
        raise ValueError(f"unknown reason {reason!r}")
    _judge(session, public_ref, DocumentAction.MARK_UNSUITABLE, reason, actor, now)


def page_for_reviewer(
    session: Session, *, public_ref: str, number: int, actor: Actor, now: datetime
) -> SealedPage:
    """A page of a file that was sent and rendered, and the record that this person opened it (A8).

    Raises NoSuchDocument for anything else, drafts and removed files included.
    """
    page = _page(session, number, Document.public_ref == public_ref, Document.sent_at.is_not(None))
    _record(session, actor, "document.page_opened", public_ref, now, {"page": number})
    return page


def page_for_borrower(
    connection: Connection, *, borrower_id: int, public_ref: str, number: int
) -> SealedPage:
    """A rendered page of the borrower's own file. Raises NoSuchDocument."""
    return _page(connection, number, Document.public_ref == public_ref, Document.borrower_id == borrower_id)


def open_page(storage: Storage, keys: Keys, page: SealedPage) -> bytes:
    """The page's JPEG: made by us, never what was sent."""
    sealed = storage.get(page.storage_key)
    return sealing.unseal(keys, page.file_key_sealed, page.storage_key, sealed)


def _first_answer(session: Session, borrower_id: int, upload_key: str) -> Original:
    wanted = select(Document.__table__).where(
        Document.borrower_id == borrower_id, Document.upload_key == upload_key
    )
    return _original(session.execute(wanted).one())


def _original(row: Document | Row[Any]) -> Original:
    return Original(
        document_id=row.id,
        public_ref=row.public_ref,
        storage_key=row.storage_key,
        file_key_sealed=row.file_key_sealed or b"",
        media_type=row.media_type,
        state=DocumentState(row.state),
    )


def _use_allowance(session: Session, report_id: int, size_bytes: int, limits: Limits) -> None:
    raising = (
        update(DocumentAllowance)
        .where(
            DocumentAllowance.report_id == report_id,
            DocumentAllowance.files < limits.case_files,
            DocumentAllowance.bytes + size_bytes <= limits.case_bytes,
        )
        .values(files=DocumentAllowance.files + 1, bytes=DocumentAllowance.bytes + size_bytes)
    )
    if _count(session, raising) != 1:
        raise Refused("case_full")


def _give_back(session: Session, document_id: int, *, files: int, keep_bytes: bool = False) -> None:
    row = session.execute(
        select(Document.report_id, Document.size_bytes).where(Document.id == document_id)
    ).one()
    size = 0 if keep_bytes else row.size_bytes
    session.execute(
        update(DocumentAllowance)
        .where(DocumentAllowance.report_id == row.report_id)
        .values(files=DocumentAllowance.files - files, bytes=DocumentAllowance.bytes - size)
    )


def _finish(session: Session, lease: Claim, action: DocumentAction, **values: Any) -> bool:
    finishing = (
        update(Document)
        .where(
            Document.id == lease.original.document_id,
            Document.state == DocumentState.CHECKING,
            Document.claimed_at == lease.claimed_at,
        )
        .values(state=DOCUMENTS.after(DocumentState.CHECKING, action), claimed_at=None, **values)
    )
    return _count(session, finishing) == 1


def _judge(
    session: Session,
    public_ref: str,
    action: DocumentAction,
    reason: str | None,
    actor: Actor,
    now: datetime,
) -> None:
    wanted = select(Document.id, Document.state).where(
        Document.public_ref == public_ref, Document.sent_at.is_not(None)
    )
    row = session.execute(wanted).one_or_none()
    if row is None or row.state == DocumentState.REMOVED:
        raise NoSuchDocument(public_ref)
    after = DOCUMENTS.after(DocumentState(row.state), action)
    judging = (
        update(Document)
        .where(Document.id == row.id, Document.state == row.state)
        .values(state=after, reason=reason)
    )
    if _count(session, judging) != 1:
        raise NotAllowed(DOCUMENTS.name, row.state, action)
    _record(session, actor, f"document.{after}", public_ref, now, {"reason": reason} if reason else None)


def _own(session: Session, borrower_id: int, public_ref: str) -> Row[Any]:
    """The borrower's own document, held against the checker and against sending."""
    wanted = (
        select(Document.__table__)
        .where(Document.borrower_id == borrower_id, Document.public_ref == public_ref)
        .with_for_update()
    )
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NoSuchDocument(public_ref)
    return row


def _page(session: Session | Connection, number: int, *conditions: Any) -> SealedPage:
    wanted = (
        select(DocumentPage.storage_key, Document.file_key_sealed)
        .join(Document, Document.id == DocumentPage.document_id)
        .where(DocumentPage.number == number, Document.state.in_(VIEWABLE), *conditions)
    )
    row = session.execute(wanted).one_or_none()
    if row is None or row.file_key_sealed is None:
        raise NoSuchDocument(str(number))
    return SealedPage(row.storage_key, row.file_key_sealed)


def _forget_pages(session: Session, document_id: int) -> Iterable[str]:
    return (
        session.execute(
            delete(DocumentPage)
            .where(DocumentPage.document_id == document_id)
            .returning(DocumentPage.storage_key)
        )
        .scalars()
        .all()
    )


def _count(session: Session, statement: Update) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def _record(
    session: Session,
    actor: Actor,
    event: str,
    public_ref: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="document",
        subject_ref=public_ref,
        now=now,
        facts=facts,
    )
