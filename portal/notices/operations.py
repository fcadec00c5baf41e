"""Giving each notice its code and link, keeping its face true, and handing SMS texts to the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, insert, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import codes
from portal.borrowers.models import Borrower
from portal.contacts.models import Hold
from portal.contacts.queries import is_in_force
from portal.keys import Keys
from portal.messages import operations as messages
from portal.notices import sms_words
from portal.notices.faces import NoticeFace
from portal.notices.indexing import index_these, keep_sms
from portal.notices.models import Notice
from portal.notices.wording import may_be_seen

#: Notices in one transaction.
CHUNK = 200


@dataclass(frozen=True)
class MintedCode:
    """A notice's code and link token, in clear: for the text, the letter or the bank's core, never kept."""

    code: str
    token: str


@dataclass(frozen=True)
class Sending:
    """How texts are made: the portal's own address, whether the bank sends links, the bank's zone, and what a text
    in English names: the registered name, the bank's host and number."""

    base_url: str
    links_in_sms: bool
    zone: str
    signature: str
    host: str
    phone: str


@dataclass(frozen=True)
class Sent:
    """One chunk: how many were queued, which were kept back for their words, and where to go on."""

    queued: int
    refused: tuple[str, ...]
    last_id: int | None


def mint(session: Session, *, keys: Keys, zone: str, now: datetime, limit: int = CHUNK) -> int:
    """Give up to `limit` notices without one a code, a link, a face and its text; how many (0: all have).

    Notices already expired or withdrawn get theirs too, so that the verdict can say so. Two minters at
    once never meet: rows are locked, and the digests are unique.
    """
    rows = session.execute(
        select(Notice.id, Notice.issued_at, Notice.expires_on, Notice.status, Borrower.phone_tail_sealed)
        .join(Borrower, Borrower.id == Notice.borrower_id)
        .where(Notice.code_digest.is_(None))
        .order_by(Notice.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Notice)
    ).all()
    if not rows:
        return 0
    made = [_minted(row, keys, zone, now) for row in rows]
    session.execute(update(Notice), [notice for notice, _ in made])
    session.execute(insert(NoticeFace), [face for _, face in made])
    index_these(session, [row.id for row in rows], keys=keys, now=now)
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="notices.minted",
        subject_kind="notice",
        subject_ref=rows[0].id,
        now=now,
        facts={"count": len(rows), "first": rows[0].id, "last": rows[-1].id},
    )
    return len(rows)


def _minted(row: Any, keys: Keys, zone: str, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    minted = new_minted()
    digests = {
        "code_digest": codes.digest_of(keys, minted.code),
        "token_digest": codes.digest_of(keys, minted.token),
    }
    sealed = keys.seal("notice.code", f"{minted.code} {minted.token}")
    face = {
        "notice_id": row.id,
        "issued_on": row.issued_at.astimezone(ZoneInfo(zone)).date(),
        "expires_on": row.expires_on,
        "status": row.status,
        "mobile_tail": keys.unseal("borrower.phone_tail", row.phone_tail_sealed)[-2:],
    }
    return {"id": row.id, "code_sealed": sealed, "minted_at": now, **digests}, face | digests


def new_minted() -> MintedCode:
    """A fresh code and token. One that happens to spell a debt-like word or an amount ("5CNY", one in
    some thousand) is drawn again: it would stand on the letter and in the address."""
    while True:
        minted = MintedCode(codes.new_code(), codes.new_token())
        if may_be_seen(f"{minted.code} {codes.grouped(minted.code)} {minted.token}"):
            return minted


def open_code(keys: Keys, sealed: bytes) -> MintedCode:
    """The code and token that a notice keeps until they have been handed over. Raises Unsealable."""
    code, token = keys.unseal("notice.code", sealed).split()
    return MintedCode(code, token)


def sync_faces(session: Session) -> int:
    """Bring faces up to date with notices the bank has withdrawn or prolonged since; how many changed."""
    changed = session.execute(
        select(Notice.id, Notice.status, Notice.expires_on)
        .join(NoticeFace, NoticeFace.notice_id == Notice.id)
        .where((NoticeFace.status != Notice.status) | (NoticeFace.expires_on != Notice.expires_on))
    ).all()
    if changed:
        session.execute(
            update(NoticeFace),
            [{"notice_id": row.id, "status": row.status, "expires_on": row.expires_on} for row in changed],
        )
    return len(changed)


def send(
    session: Session,
    *,
    keys: Keys,
    sending: Sending,
    demonstration: Mapping[int, bool],
    now: datetime,
    real_now: datetime,
    after_id: int = 0,
    limit: int = CHUNK,
) -> Sent:
    """Queue the texts of up to `limit` SMS notices that are live, unexpired and not yet handed over.

    `demonstration` says it of each batch sequence; an unknown batch counts as one, so that no real
    gateway takes it. Borrowers with a hold wait for the next run; a text with debt-like words or an
    amount is refused and named. The sealed code is wiped once its text is in the outbox.
    """
    today = now.astimezone(ZoneInfo(sending.zone)).date()
    rows = session.execute(
        _unsent(now, today)
        .where(Notice.id > after_id)
        .order_by(Notice.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Notice)
    ).all()
    refused, done, queued = [], [], 0
    keep_sms(session, *_english(rows, sending), keys=keys, now=now)
    for row in rows:
        if not may_be_seen(_body(row, sending)):
            refused.append(row.notice_ref)
            continue
        queued += messages.queue(
            session,
            keys=keys,
            borrower_id=row.borrower_id,
            kind="notice",
            params={"text": text_with(row, open_code(keys, row.code_sealed), sending)},
            dedupe_key=f"notice:{row.id}",
            asked_for=False,
            real_now=real_now,
            expires_at=real_now + (end_of(row.expires_on, sending.zone) - now),
            demonstration=demonstration.get(row.batch_sequence, True),
        )
        done.append(row.id)
    _wipe(session, done, now)
    return Sent(queued, tuple(refused), rows[-1].id if rows else None)


def hand_over(session: Session, notice_refs: Sequence[str], *, actor: audit.Actor, now: datetime) -> int:
    """Wipe the codes of notices whose papers the bank has taken over; how many had one still.

    From then on neither the portal nor its database can say a code of theirs; again changes nothing.
    """
    rows = session.execute(
        select(Notice.id)
        .where(Notice.notice_ref.in_(notice_refs), Notice.code_sealed.is_not(None))
        .with_for_update()
    ).all()
    if not rows:
        return 0
    ids = [row.id for row in rows]
    wipe = update(Notice).where(Notice.id.in_(ids)).values(code_sealed=None)
    session.execute(wipe.execution_options(synchronize_session=False))
    audit.record(
        session,
        actor=actor,
        event="notices.handed_over",
        subject_kind="notice",
        subject_ref=ids[0],
        now=now,
        facts={"count": len(ids), "first": min(ids), "last": max(ids)},
    )
    return len(ids)


def record_printed(session: Session, notice_ids: Sequence[int], *, key_id: str, now: datetime) -> None:
    """Put on record that papers were made, and with which key they were signed."""
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="notices.printed",
        subject_kind="notice",
        subject_ref=notice_ids[0],
        now=now,
        facts={"count": len(notice_ids), "key_id": key_id, "first": min(notice_ids), "last": max(notice_ids)},
    )


def _unsent(now: datetime, today: date) -> Any:
    held = exists(select(Hold.id).where(Hold.borrower_id == Notice.borrower_id, is_in_force(now)))
    return (
        select(
            Notice.id,
            Notice.notice_ref,
            Notice.borrower_id,
            Notice.body,
            Notice.body_without_link,
            Notice.code_sealed,
            Notice.expires_on,
            Notice.batch_sequence,
            Notice.sender,
            Borrower.language,
        )
        .join(Borrower, Borrower.id == Notice.borrower_id)
        .where(
            Notice.channel == "sms",
            Notice.status == "live",
            Notice.expires_on >= today,
            Notice.code_sealed.is_not(None),
            ~held,
        )
    )


def _english(rows: Sequence[Any], sending: Sending) -> tuple[dict[int, str], dict[int, str]]:
    """The texts of those who read English, and the number that each is sent from."""
    read = [row for row in rows if row.language == "en" and may_be_seen(_body(row, sending))]
    return {row.id: _body(row, sending) for row in read}, {row.id: row.sender for row in read}


def _body(row: Any, sending: Sending) -> str:
    """The bank's text; whoever reads English gets ours, which says the same of any notice."""
    if row.language == "en":
        return sms_words.english(
            sending.links_in_sms, signature=sending.signature, host=sending.host, phone=sending.phone
        )
    body: str = row.body if sending.links_in_sms else row.body_without_link
    return body


def text_with(row: Any, minted: MintedCode, sending: Sending) -> str:
    """The bank's text of a notice with code and link filled in: by replacing, the text is data and no format."""
    body = _body(row, sending)
    link = f"{sending.base_url}/n/{minted.token}"
    return body.replace("{code}", codes.grouped(minted.code)).replace("{link}", link)


def end_of(day: date, zone: str) -> datetime:
    """The instant at which a day ends in `zone`."""
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    return midnight.astimezone(ZoneInfo("UTC"))


def _wipe(session: Session, notice_ids: Sequence[int], now: datetime) -> None:
    if not notice_ids:
        return
    session.execute(
        update(Notice)
        .where(Notice.id.in_(notice_ids))
        .values(code_sealed=None)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="notices.queued",
        subject_kind="notice",
        subject_ref=notice_ids[0],
        now=now,
        facts={"count": len(notice_ids), "first": notice_ids[0], "last": notice_ids[-1]},
    )
