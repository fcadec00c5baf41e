"""Papers that go with the answer to a dispute: added and taken out until the answer is given, sent with it once.

What is added has been opened and drawn in the child process first, as every paper is (portal/documents); what
the provider has is kept there, and its bytes are gone here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.documents.kinds import Limits
from portal.documents.media import HEIC, JPEG, PDF, Refused, media_type_of
from portal.documents.rendering import Unreadable, render
from portal.keys import Keys
from portal.payments.models import Dispute, DisputeFile
from portal.payments.refunds import UnableToRefund, working_staff

#: What a paper shows, in the provider's own words for it; one paper of each.
KINDS = ("receipt", "customer_communication", "service_documentation", "uncategorized_file")
#: The provider's own limits: bytes of all papers of one answer, and their pages.
LARGEST_BYTES, MOST_PAGES = 4_500_000, 50
#: Of a paper's reference.
PREFIX = "E"
ENDINGS = {JPEG: "jpg", PDF: "pdf", "image/png": "png"}

_LIMITS = Limits(file_bytes=LARGEST_BYTES, pages=MOST_PAGES)


class UnableToAdd(Exception):
    """A paper that is not added or taken out. `reason`: ``dispute`` (no such, or no such paper), ``role``,
    ``answered`` (the answer is given), ``kind``, ``kind_taken``, ``full`` (with it the papers are too large), or
    why it is no paper: ``empty``, ``too_large``, ``office``, ``archive``, ``web``, ``gif``, ``heic``, ``other``,
    ``damaged``, ``encrypted``, ``too_many_pages``, ``too_many_pixels``, ``too_complex``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper that was opened and can be sent."""

    kind: str
    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PaperView:
    """A paper as the desk lists it."""

    reference: str
    kind: str
    name: str
    size_bytes: int
    #: the provider has it
    is_sent: bool


@dataclass(frozen=True, slots=True)
class PaperCall:
    """A paper as the provider's calls need it; `data` is None once `provider_file` is known."""

    reference: str
    kind: str
    name: str
    data: bytes | None
    provider_file: str | None

    @property
    def idempotency_key(self) -> str:
        """Written with the row, before any call."""
        return f"paper-{self.reference}"


def checked(kind: str, name: str, data: bytes) -> Paper:
    """The file as a paper: what it is by its first bytes, and drawn once, outside of any transaction.
    Raises UnableToAdd."""
    if kind not in KINDS:
        raise UnableToAdd("kind")
    if len(data) > LARGEST_BYTES:
        raise UnableToAdd("too_large")
    try:
        media_type = media_type_of(data)
    except Refused as refused:
        raise UnableToAdd(refused.reason) from None
    if media_type == HEIC:
        raise UnableToAdd("heic")
    try:
        render(data, media_type, limits=_LIMITS)
    except Unreadable as unreadable:
        raise UnableToAdd(unreadable.reason) from None
    return Paper(kind, name or f"{kind}.{ENDINGS[media_type]}", media_type, data)


def add(session: Session, *, keys: Keys, staff_id: int, reference: str, paper: Paper, now: datetime) -> str:
    """Keep a paper for the answer; its reference. The same paper again gives the first one. Raises UnableToAdd."""
    actor, row = _open(session, staff_id, reference)
    digest = hashlib.sha256(paper.data).hexdigest()
    known = session.execute(
        select(DisputeFile.reference, DisputeFile.sha256).where(
            DisputeFile.dispute_id == row.id, DisputeFile.kind == paper.kind
        )
    ).one_or_none()
    if known is not None:
        if known.sha256 == digest:
            return str(known.reference)
        raise UnableToAdd("kind_taken")
    size = session.scalar(select(func.sum(DisputeFile.size_bytes)).where(DisputeFile.dispute_id == row.id))
    if int(size or 0) + len(paper.data) > LARGEST_BYTES:
        raise UnableToAdd("full")
    made = DisputeFile(
        created_at=now,
        reference=new_reference(PREFIX),
        dispute_id=row.id,
        kind=paper.kind,
        name_sealed=keys.seal("dispute.file_name", paper.name),
        media_type=paper.media_type,
        size_bytes=len(paper.data),
        sha256=digest,
        content_sealed=keys.seal_bytes("dispute.file", paper.data),
        staff_id=staff_id,
    )
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:
        raise UnableToAdd("kind_taken") from None
    _record(session, row, "dispute.paper_added", actor, now, made.reference, digest)
    return made.reference


def remove(session: Session, *, staff_id: int, reference: str, paper_ref: str, now: datetime) -> None:
    """Take a paper out again before the answer is given. Raises UnableToAdd."""
    actor, row = _open(session, staff_id, reference)
    gone = session.scalar(
        delete(DisputeFile)
        .where(DisputeFile.reference == paper_ref, DisputeFile.dispute_id == row.id)
        .returning(DisputeFile.sha256)
        .execution_options(synchronize_session=False)
    )
    if gone is None:
        raise UnableToAdd("dispute")
    _record(session, row, "dispute.paper_removed", actor, now, paper_ref, gone)


def papers_of(connection: Connection, keys: Keys, dispute_id: int) -> tuple[PaperView, ...]:
    """The papers of a dispute, in the order in which they were added."""
    rows = connection.execute(
        select(
            DisputeFile.reference,
            DisputeFile.kind,
            DisputeFile.name_sealed,
            DisputeFile.size_bytes,
            DisputeFile.provider_file,
        )
        .where(DisputeFile.dispute_id == dispute_id)
        .order_by(DisputeFile.id)
    )
    return tuple(
        PaperView(
            row.reference,
            row.kind,
            keys.unseal("dispute.file_name", row.name_sealed),
            row.size_bytes,
            row.provider_file is not None,
        )
        for row in rows
    )


def calls_of(session: Session, *, keys: Keys, dispute_id: int) -> tuple[PaperCall, ...]:
    """The papers of a dispute, each with its bytes while the provider has it not."""
    rows = session.scalars(
        select(DisputeFile).where(DisputeFile.dispute_id == dispute_id).order_by(DisputeFile.id)
    )
    return tuple(
        PaperCall(
            reference=row.reference,
            kind=row.kind,
            name=f"{row.kind}.{ENDINGS[row.media_type]}",
            data=keys.unseal_bytes("dispute.file", row.content_sealed) if row.content_sealed else None,
            provider_file=row.provider_file,
        )
        for row in rows
    )


def arrived(session: Session, *, reference: str, provider_file: str) -> None:
    """The provider has a paper: its bytes go."""
    session.execute(
        update(DisputeFile)
        .where(DisputeFile.reference == reference)
        .values(provider_file=provider_file, content_sealed=None)
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, *, dispute_id: int) -> None:
    """The dispute is over: bytes that were never sent go too."""
    session.execute(
        update(DisputeFile)
        .where(DisputeFile.dispute_id == dispute_id)
        .values(content_sealed=None)
        .execution_options(synchronize_session=False)
    )


def _open(session: Session, staff_id: int, reference: str) -> tuple[Actor, Dispute]:
    """Who works and the dispute, held, while its answer is not given."""
    try:
        me = working_staff(session, staff_id, ("reviewer", "supervisor"))
    except UnableToRefund as error:
        raise UnableToAdd(error.reason) from None
    row = session.scalar(
        select(Dispute)
        .where(Dispute.reference == reference)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise UnableToAdd("dispute")
    if row.answer_state in ("sending", "sent"):
        raise UnableToAdd("answered")
    return Actor("staff", me.staff_ref), row


def _record(
    session: Session, row: Dispute, event: str, actor: Actor, now: datetime, paper: str, digest: str
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="dispute",
        subject_ref=row.reference,
        now=now,
        facts={"paper": paper, "sha256": digest},
    )
