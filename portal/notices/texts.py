"""The texts of notices as the public check may use them: wordings that many notices share, and keyed digests.

A wording holds no person and nothing particular of a notice: names, sums, accounts, numbers, dates and
links are slots. It is sealed at rest and kept open in the memory of a process that has used it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    bindparam,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.db import Base, BigId, Row
from portal.keys import Keys
from portal.notices.content import Digest, Sent, Slot
from portal.notices.faces import NoticeFace
from portal.notices.verification import Asked, Face
from portal.ready import Ready


class Wording(Row):
    """The words of a text of ours; few rows, each shared by many notices."""

    __tablename__ = "wording"
    #: keyed digest of what is sealed: the same wording is one row
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: the kinds of its slots, then the folded words with a character for each slot
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class NoticeText(Base):
    """One text of one notice. `notice_id` is a bare number here: no join leads to a person."""

    __tablename__ = "notice_text"
    notice_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    #: "link" (as sent with links) or "plain" (without); one row where both are the same
    form: Mapped[str] = mapped_column(String(8), primary_key=True)
    wording_id: Mapped[int] = mapped_column(ForeignKey("wording.id"), index=True)
    #: the keyed digest of each slot in its order, of this notice alone; "-" for its code and its own link
    digests: Mapped[str] = mapped_column(Text)
    #: keyed digest of the number it was sent from
    sender_digest: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Texts:
    """What one notice may read like, and how its particulars are digested."""

    notice_id: int
    ours: tuple[Sent, ...]
    sender_digest: str


NOTHING = Texts(-1, (), "")
#: Wordings kept open in one process; a bank has some hundreds.
_MOST_KEPT = 2_000
_kept: dict[str, tuple[tuple[str, ...], str]] = {}


def digest_for(keys: Keys, notice_id: int) -> Digest:
    """How what is particular in a text of this notice is digested. The same sum in two notices has two
    digests; a code and a link have those of the notice's face."""

    def digest(kind: str, value: str) -> str:
        if kind == "code":
            return keys.digest("notice.code", value)
        if kind == "own":
            return keys.digest("notice.token", value)
        return keys.digest("notice.text", f"{notice_id}\0{kind}\0{value}")

    return digest


def packed(sent: Sent) -> tuple[str, str]:
    """A text as it is stored: what is sealed as the wording, and the digests of the notice."""
    kinds = ",".join(slot.kind for slot in sent.slots)
    digests = " ".join("-" if slot.kind in ("code", "own") else slot.digest for slot in sent.slots)
    return f"{kinds}\n{sent.skeleton}", digests


def texts_of(connection: Connection | Session, *, keys: Keys, base: str, notice_id: int) -> Texts:
    """The texts of one notice, none where it has no code; one statement."""
    if isinstance(connection, Session):
        connection = connection.connection()
    return _texts(_OF_NOTICE.rows(connection, {"wanted": notice_id}), keys, base).get(notice_id, NOTHING)


def known_by(
    connection: Connection, *, keys: Keys, base: str, asked: Iterable[Asked]
) -> dict[str, tuple[Face, Texts]]:
    """The face and texts of many notices, each under the digest asked by; two statements, for a batch."""
    found: dict[str, tuple[Face, Texts]] = {}
    for kind, column in (("code", NoticeFace.code_digest), ("token", NoticeFace.token_digest)):
        wanted = {one.digest for one in asked if one.kind == kind}
        faces = (
            connection.execute(_FACES.add_columns(column).where(column.in_(wanted))).all() if wanted else []
        )
        numbers = [face.notice_id for face in faces]
        rows = connection.execute(_SELECT.where(NoticeFace.notice_id.in_(numbers))).all() if faces else []
        texts = _texts([tuple(row) for row in rows], keys, base)
        for *face, digest in faces:
            found[digest] = Face(*face), texts.get(face[0], NOTHING)
    return found


def decoy(base: str) -> tuple[Sent, ...]:
    """A text that nothing equals, to compare with where there is no notice: the same work."""
    kinds, skeleton = next(iter(_kept.values()), (("code",), "\ue000"))
    return (Sent(skeleton, tuple(Slot(kind, "") for kind in kinds), base.lower()),)


_SELECT: Any = (
    select(
        NoticeFace.notice_id,
        NoticeFace.code_digest,
        NoticeFace.token_digest,
        NoticeText.digests,
        NoticeText.sender_digest,
        Wording.digest,
        Wording.sealed,
    )
    .join(NoticeText, NoticeText.notice_id == NoticeFace.notice_id)
    .join(Wording, Wording.id == NoticeText.wording_id)
    .order_by(NoticeText.form)
)
_FACES: Any = select(
    NoticeFace.notice_id,
    NoticeFace.issued_on,
    NoticeFace.expires_on,
    NoticeFace.status,
    NoticeFace.mobile_tail,
    NoticeFace.copied_at.is_not(None),
)
_OF_NOTICE = Ready(_SELECT.where(NoticeFace.notice_id == bindparam("wanted")))


def _texts(rows: Sequence[tuple[Any, ...]], keys: Keys, base: str) -> dict[int, Texts]:
    ours: dict[int, list[Sent]] = {}
    senders: dict[int, str] = {}
    for notice_id, code, token, digests, sender, wording, sealed in rows:
        kinds, skeleton = _open(keys, wording, sealed)
        own = {"code": code, "own": token}
        slots = tuple(
            Slot(kind, own.get(kind, digest)) for kind, digest in zip(kinds, digests.split(" "), strict=True)
        )
        ours.setdefault(notice_id, []).append(Sent(skeleton, slots, base.lower()))
        senders[notice_id] = sender
    return {number: Texts(number, tuple(found), senders[number]) for number, found in ours.items()}


def _open(keys: Keys, digest: str, sealed: bytes) -> tuple[tuple[str, ...], str]:
    found = _kept.get(digest)
    if found is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        kinds, _, skeleton = keys.unseal("notice.wording", sealed).partition("\n")
        found = _kept[digest] = (tuple(kinds.split(",")), skeleton)
    return found
