"""What the desk answers to a code that may have been copied, and to a network that checked a list of codes.

Each answer is one conditional UPDATE of what was seen: of two at once one answers, the other is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import distinct, func, insert, or_, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import codes
from portal.access.limits import Guards
from portal.audit import Actor
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.messages import operations as messages
from portal.notices.alarms import CodeAnswer, NetworkAlarm, RetiredCode, face_of_retired
from portal.notices.faces import USED, NoticeFace, NoticeSeen
from portal.notices.lifecycle import NETWORKS, NetworkAction
from portal.notices.models import Notice
from portal.notices.operations import MintedCode, Sending, end_of, new_minted, text_with
from portal.notices.saying import Saying, phone

NOTE_SIZE = 1000
#: A network is judged by what it asked in the day before it showed, and since.
BEFORE = timedelta(days=1)


class CannotAnswer(Exception):
    """Nothing was answered. `reason`: ``note`` (missing or too long), ``gone``, ``meanwhile`` (somebody was
    faster), ``ended`` (the notice is expired or withdrawn: there is nothing to issue again)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Word:
    """Who answers, why, and when."""

    note: str
    staff_ref: str
    actor: Actor
    now: datetime


@dataclass(frozen=True)
class Telling:
    """How the borrower is told: how texts are made, which batches are demonstrations (an unknown one counts as
    one, so that no real gateway takes it)."""

    sending: Sending
    demonstration: Mapping[int, bool]


def clear(
    session: Session, *, keys: Keys, notice_id: int, seen_at: datetime, word: Word, guards: Guards
) -> None:
    """It was the household: plainly genuine again, until it is used in so many networks more. `seen_at` is when
    it showed, as the desk saw it. Raises CannotAnswer."""
    _check(word)
    used = (
        select(func.count(distinct(NoticeSeen.network_digest)))
        .where(
            or_(
                NoticeSeen.asked_digest == NoticeFace.code_digest,
                NoticeSeen.asked_digest == NoticeFace.token_digest,
            )
        )
        .where(NoticeSeen.way.in_(USED))
        .correlate(NoticeFace)
        .scalar_subquery()
    )
    cleared = session.execute(
        update(NoticeFace)
        .where(NoticeFace.notice_id == notice_id, NoticeFace.copied_at == seen_at)
        .values(copied_at=None, networks_allowed=used + guards.more_networks)
        .returning(NoticeFace.networks_allowed)
        .execution_options(synchronize_session=False)
    ).scalar()
    if cleared is None:
        raise CannotAnswer(_why_not(session, notice_id))
    _keep(session, keys, ("notice", notice_id, seen_at.isoformat(), "clear"), word)
    _record(session, "notices.copied_cleared", notice_id, word, {"networks_allowed": cleared})


def reissue(
    session: Session,
    *,
    keys: Keys,
    notice_id: int,
    seen_at: datetime,
    word: Word,
    telling: Telling,
    real_now: datetime,
) -> None:
    """Give the notice another code and link. The old ones are withdrawn from now on and say so; the borrower is
    told by text; a text message goes out again, a paper waits to be printed. Raises CannotAnswer."""
    _check(word)
    zone = telling.sending.zone
    old = session.execute(select(NoticeFace.__table__).where(NoticeFace.notice_id == notice_id)).one_or_none()
    minted = new_minted()
    digests = {
        "code_digest": codes.digest_of(keys, minted.code),
        "token_digest": codes.digest_of(keys, minted.token),
    }
    taken = session.execute(
        update(NoticeFace)
        .where(
            NoticeFace.notice_id == notice_id, NoticeFace.copied_at == seen_at, NoticeFace.status == "live"
        )
        .where(NoticeFace.expires_on >= word.now.astimezone(ZoneInfo(zone)).date())
        .values(copied_at=None, networks_allowed=0, **digests)
        .returning(NoticeFace.notice_id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if old is None or taken is None:
        raise CannotAnswer(_why_not(session, notice_id, seen_at))
    retired_id = _retire(session, old, word.now)
    row = session.execute(_NOTICE.where(Notice.id == notice_id)).one()
    _hand_on(session, keys, row, minted, digests, retired_id, telling, word.now, real_now)
    _keep(session, keys, ("notice", notice_id, seen_at.isoformat(), "reissue"), word)
    _record(session, "notices.copied_reissued", notice_id, word, {"retired": retired_id})


def judge_network(
    session: Session,
    *,
    keys: Keys,
    network_id: int,
    action: NetworkAction,
    version: int,
    word: Word,
    guards: Guards,
) -> int:
    """SHARE: many people stand behind it, and it raises no alarm for a while. DISTRUST: somebody has a list, and
    every code of ours that it asked about counts as copied. How many codes that were. Raises CannotAnswer."""
    _check(word)
    quiet = word.now + guards.shared_for if action is NetworkAction.SHARE else None
    row = session.execute(
        update(NetworkAlarm)
        .where(NetworkAlarm.id == network_id, NetworkAlarm.version == version)
        .where(NetworkAlarm.state.in_(NETWORKS.sources(action)))
        .values(state=NETWORKS.target(action), version=version + 1, quiet_until=quiet)
        .returning(NetworkAlarm.network_digest, NetworkAlarm.since)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        known = session.scalar(select(NetworkAlarm.id).where(NetworkAlarm.id == network_id))
        raise CannotAnswer("meanwhile" if known else "gone")
    copied = 0
    if action is NetworkAction.DISTRUST:
        copied = _distrust(session, row.network_digest, row.since - BEFORE, word.now)
    _keep(session, keys, ("network", network_id, str(version), action), word)
    _record(session, f"notices.network_{action}", network_id, word, {"copied": copied}, kind="network")
    return copied


_NOTICE: Any = select(
    Notice.id,
    Notice.borrower_id,
    Notice.channel,
    Notice.issued_at,
    Notice.expires_on,
    Notice.body,
    Notice.body_without_link,
    Notice.batch_sequence,
    Borrower.language,
).join(Borrower, Borrower.id == Notice.borrower_id)


def _retire(session: Session, old: Any, now: datetime) -> int:
    """Let the old code and link go on as withdrawn ones."""
    retired = RetiredCode(created_at=now, notice_id=old.notice_id)
    session.add(retired)
    session.flush()
    session.execute(
        insert(NoticeFace).values(
            notice_id=face_of_retired(retired.id),
            code_digest=old.code_digest,
            token_digest=old.token_digest,
            issued_on=old.issued_on,
            expires_on=old.expires_on,
            status="withdrawn",
            mobile_tail=old.mobile_tail,
            copied_at=None,
            networks_allowed=0,
        )
    )
    return retired.id


def _hand_on(
    session: Session,
    keys: Keys,
    row: Any,
    minted: MintedCode,
    digests: dict[str, str],
    retired_id: int,
    telling: Telling,
    now: datetime,
    real_now: datetime,
) -> None:
    """Put the new code where the old one was: into a text at once, for a paper under seal until it is printed;
    and tell the borrower."""
    by_text = row.channel == "sms"
    sealed = None if by_text else keys.seal("notice.code", f"{minted.code} {minted.token}")
    session.execute(
        update(Notice)
        .where(Notice.id == row.id)
        .values(code_sealed=sealed, minted_at=now, **digests)
        .execution_options(synchronize_session=False)
    )
    issued = row.issued_at.astimezone(ZoneInfo(telling.sending.zone)).date()
    to: dict[str, Any] = {
        "keys": keys,
        "borrower_id": row.borrower_id,
        "asked_for": False,
        "real_now": real_now,
        "demonstration": telling.demonstration.get(row.batch_sequence, True),
    }
    messages.queue(
        session,
        kind="code_replaced",
        params={
            "day": Saying(row.language).day(issued),
            "host": telling.sending.host,
            "phone": phone(telling.sending.phone),
        },
        dedupe_key=f"replaced:{retired_id}",
        **to,
    )
    if by_text:
        messages.queue(
            session,
            kind="notice",
            params={"text": text_with(row, minted, telling.sending)},
            dedupe_key=f"notice:{row.id}:{retired_id}",
            expires_at=real_now + (end_of(row.expires_on, telling.sending.zone) - now),
            **to,
        )


def _distrust(session: Session, network_digest: str, since: datetime, now: datetime) -> int:
    asked = select(NoticeSeen.asked_digest).where(
        NoticeSeen.network_digest == network_digest, NoticeSeen.way != "link", NoticeSeen.hour > since
    )
    copied = session.execute(
        update(NoticeFace)
        .where(or_(NoticeFace.code_digest.in_(asked), NoticeFace.token_digest.in_(asked)))
        .where(NoticeFace.copied_at.is_(None), NoticeFace.status == "live", NoticeFace.notice_id > 0)
        .values(copied_at=now)
        .returning(NoticeFace.notice_id)
        .execution_options(synchronize_session=False)
    )
    return len(copied.all())


def _check(word: Word) -> None:
    if not word.note.strip() or len(word.note.strip()) > NOTE_SIZE:
        raise CannotAnswer("note")


def _why_not(session: Session, notice_id: int, seen_at: datetime | None = None) -> str:
    row = session.execute(select(NoticeFace.copied_at).where(NoticeFace.notice_id == notice_id)).one_or_none()
    if row is None:
        return "gone"
    return "ended" if seen_at is not None and row.copied_at == seen_at else "meanwhile"


def _keep(session: Session, keys: Keys, what: tuple[str, int, str, str], word: Word) -> None:
    subject, subject_id, seen, action = what
    session.add(
        CodeAnswer(
            created_at=word.now,
            subject=subject,
            subject_id=subject_id,
            seen=seen,
            action=action,
            staff_ref=word.staff_ref,
            note_sealed=keys.seal("notice.note", word.note.strip()),
        )
    )
    session.flush()


def _record(
    session: Session, event: str, ref: int, word: Word, facts: dict[str, int], *, kind: str = "notice"
) -> None:
    audit.record(
        session, actor=word.actor, event=event, subject_kind=kind, subject_ref=ref, now=word.now, facts=facts
    )
