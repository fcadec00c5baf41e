"""Putting the texts of notices where the public check can use them, with nobody's name in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.content import comparison as content
from portal.content.comparison import Sent
from portal.content.printed import Forms
from portal.db import upsert
from portal.keys import Keys
from portal.notices.models import Notice
from portal.notices.texts import NoticeText, Wording, digest_for, packed, packed_paper

#: Notices in one transaction.
CHUNK = 200


@dataclass(frozen=True)
class _Made:
    """One text of one notice, ready to be stored."""

    notice_id: int
    form: str
    wording: str
    digests: str
    sender_digest: str


@dataclass(frozen=True)
class Printed:
    """The words of one paper. `code` as it stands there; `names` are the persons and addresses among the words."""

    notice_id: int
    language: str
    code: str
    forms: Forms
    names: tuple[str, ...]


def index(session: Session, *, keys: Keys, now: datetime, limit: int = CHUNK) -> int:
    """Store the texts of up to `limit` notices that have a code and no text yet; how many (0: all have)."""
    rows = session.execute(
        _WITH_TEXT.outerjoin(NoticeText, NoticeText.notice_id == Notice.id)
        .where(Notice.code_digest.is_not(None), NoticeText.notice_id.is_(None))
        .order_by(Notice.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Notice)
    ).all()
    _store(session, rows, keys, now)
    return len(rows)


def index_these(session: Session, notice_ids: Sequence[int], *, keys: Keys, now: datetime) -> None:
    """Store the texts of these notices, which have just got their codes."""
    _store(session, session.execute(_WITH_TEXT.where(Notice.id.in_(notice_ids))).all(), keys, now)


def keep_printed(session: Session, papers: Sequence[Printed], *, keys: Keys, now: datetime) -> None:
    """Store the words of these papers. One that was printed before with the same words changes nothing; with
    others (a book that was corrected since) both are kept, because both may lie on a table."""
    rows = session.execute(
        select(NoticeText.notice_id, NoticeText.form, NoticeText.digests, Wording.digest)
        .join(Wording, Wording.id == NoticeText.wording_id)
        .where(NoticeText.notice_id.in_({paper.notice_id for paper in papers}))
    )
    kept: dict[tuple[int, str], tuple[str, str]] = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    fresh = []
    for paper in papers:
        made = _of_paper(paper, keys)
        words = made.digests, keys.digest("notice.wording", made.wording)
        forms = [paper.language, *(f"{paper.language}{number}" for number in range(2, 10))]
        if any(kept.get((paper.notice_id, form)) == words for form in forms):
            continue
        form = next((form for form in forms if (paper.notice_id, form) not in kept), None)
        if form is not None:
            kept[paper.notice_id, form] = words
            fresh.append(replace(made, form=form))
    _put(session, fresh, keys, now)


def keep_sms(
    session: Session, texts: Mapping[int, str], senders: Mapping[int, str], *, keys: Keys, now: datetime
) -> None:
    """Store texts in English, with their placeholders, as they are sent; the bank's own are stored with the code."""
    made = []
    for notice_id, text in texts.items():
        digest = digest_for(keys, notice_id)
        wording, digests = packed(_sent(text, [], digest))
        made.append(_Made(notice_id, "sms_en", wording, digests, _sender(senders[notice_id], digest)))
    _put(session, made, keys, now)


def _of_paper(paper: Printed, keys: Keys) -> _Made:
    digest = digest_for(keys, paper.notice_id)
    whole, bare = (
        _sent(text.replace(paper.code, "{code}"), paper.names, digest)
        for text in (paper.forms.whole, paper.forms.bare)
    )
    return _Made(paper.notice_id, paper.language, *packed_paper(whole, bare, paper.forms.labels), "")


def _sender(number: str, digest: content.Digest) -> str:
    return digest("phone", content.canonical("phone", number)) if number else ""


_WITH_TEXT = select(
    Notice.id, Notice.body, Notice.body_without_link, Notice.sender, Borrower.name_sealed
).join(Borrower, Borrower.id == Notice.borrower_id)


def _store(session: Session, rows: Sequence[Any], keys: Keys, now: datetime) -> None:
    _put(session, [text for row in rows for text in _made(row, keys)], keys, now)


def _put(session: Session, made: Sequence[_Made], keys: Keys, now: datetime) -> None:
    if not made:
        return
    wording_ids = _wording_ids(session, keys, {text.wording for text in made}, now)
    session.execute(
        insert(NoticeText),
        [
            {
                "notice_id": text.notice_id,
                "form": text.form,
                "wording_id": wording_ids[text.wording],
                "digests": text.digests,
                "sender_digest": text.sender_digest,
            }
            for text in made
        ],
    )


def _made(row: Any, keys: Keys) -> Iterator[_Made]:
    digest = digest_for(keys, row.id)
    name = keys.unseal("borrower.name", row.name_sealed)
    sender = _sender(row.sender, digest)
    for form, body in {"link": row.body, "plain": row.body_without_link}.items():
        if form == "plain" and body == row.body:
            continue
        wording, digests = packed(_sent(body, [name], digest))
        yield _Made(row.id, form, wording, digests, sender)


def _sent(body: str, names: Sequence[str], digest: content.Digest) -> Sent:
    """The digests of code and link are those of the notice's face, and are not stored twice."""
    return content.sent(body, base="", names=names, code_digest="", token_digest="", digest=digest)


def _wording_ids(session: Session, keys: Keys, wordings: Iterable[str], now: datetime) -> Mapping[str, int]:
    digests = {wording: keys.digest("notice.wording", wording) for wording in sorted(wordings)}
    session.execute(
        upsert(Wording)
        .values(
            [
                {"created_at": now, "digest": digest, "sealed": keys.seal("notice.wording", wording)}
                for wording, digest in digests.items()
            ]
        )
        .on_conflict_do_nothing()
    )
    found = session.execute(select(Wording.digest, Wording.id).where(Wording.digest.in_(digests.values())))
    by_digest = {digest: number for digest, number in found}
    return {wording: by_digest[digest] for wording, digest in digests.items()}
