"""The texts of notices as the public check may use them: wordings that many notices share, and keyed digests.

A wording holds no person and nothing particular of a notice: names, sums, accounts, numbers, dates and
links are slots. It is sealed at rest and kept open in the memory of a process that has used it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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

from portal.content.comparison import MOST_SLOTS, PAGE, SLOT, Digest, Sent, Slot
from portal.db import Base, BigId, Row
from portal.keys import Keys
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
    #: "link" (as the bank wrote it, with links) or "plain" (without), one row where both are the same; "sms_en"; and the
    #: language of a paper that was printed, with a number where its words were others on another day
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
#: Between the forms of a paper, and its labels, in a wording.
_FORMS = "\x1d"
#: Between what is printed on one page and on the next: a space where both would run together.
_WORD = re.compile(r"[a-z0-9]")


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


def packed_paper(whole: Sent, bare: Sent, labels: Sequence[str]) -> tuple[str, str]:
    """As `packed`, of a paper in its two forms; see printed.py. Its labels hold nothing particular."""
    wording, digests = packed(whole)
    if bare.slots == whole.slots:
        wording = _FORMS.join((wording, bare.skeleton, *labels))
    return wording, digests


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
    kinds, wording = next(iter(_kept.values()), (("code",), "\ue000"))
    return tuple(_opened(wording, tuple(Slot(kind, "") for kind in kinds), base.lower()))


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
        ours.setdefault(notice_id, []).extend(_opened(skeleton, slots, base.lower()))
        senders[notice_id] = sender
    return {number: Texts(number, tuple(found), senders[number]) for number, found in ours.items()}


def _opened(wording: str, slots: tuple[Slot, ...], base: str) -> Iterator[Sent]:
    """What is compared: a text; of a paper its whole and each page, in order and without labels."""
    skeleton, *more = wording.split(_FORMS)
    for form, labels in ((skeleton, ()), *(((more[0], tuple(more[1:])),) if more else ())):
        pages = form.split(PAGE)
        yield Sent(_whole(pages), slots, base, labels=labels)
        begin = 0
        for page in pages if len(pages) > 1 else ():
            count = sum(SLOT <= ord(character) < SLOT + MOST_SLOTS for character in page)
            moved = page.translate({SLOT + begin + number: SLOT + number for number in range(count)})
            yield Sent(moved.strip(" "), slots[begin : begin + count], base, True, labels)
            begin += count


def _whole(pages: Sequence[str]) -> str:
    """The pages one after the other, with a space where two words would run together."""
    made = pages[0]
    for page in pages[1:]:
        gap = " " if _WORD.match(page.lstrip(" ")) else ""
        made = made.rstrip(" ") + gap + page.lstrip(" ")
    return made


def _open(keys: Keys, digest: str, sealed: bytes) -> tuple[tuple[str, ...], str]:
    found = _kept.get(digest)
    if found is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        kinds, _, skeleton = keys.unseal("notice.wording", sealed).partition("\n")
        found = _kept[digest] = (tuple(kinds.split(",")), skeleton)
    return found
