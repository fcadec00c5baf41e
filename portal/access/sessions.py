"""Sessions: opened on proof, kept alive by use, ended once and for all. Real time throughout."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import limits
from portal.access.models import PortalSession
from portal.keys import Keys


@dataclass(frozen=True)
class OpenedSession:
    """What the browser gets: `cookie` is told once and stored as a digest only."""

    cookie: str
    csrf_token: str
    expires_at: datetime


def session_digest(keys: Keys, cookie: str) -> str:
    """The digest a session's cookie is stored under."""
    return keys.digest("session", cookie)


def open_session(
    session: Session,
    *,
    keys: Keys,
    real_now: datetime,
    borrower_id: int | None = None,
    staff_id: int | None = None,
    replaces: str | None = None,
) -> OpenedSession:
    """Open a session for exactly one of the two kinds of people, under a new random id.

    `replaces` is the digest of the session this browser had before; it ends in the same unit.
    """
    life = limits.BORROWER_SESSION if borrower_id is not None else limits.STAFF_SESSION
    opened = OpenedSession(secrets.token_urlsafe(32), secrets.token_urlsafe(24), real_now + life.absolute)
    if replaces is not None:
        end_session(session, digest=replaces, real_now=real_now)
    session.add(
        PortalSession(
            id_digest=session_digest(keys, opened.cookie),
            borrower_id=borrower_id,
            staff_id=staff_id,
            csrf_token=opened.csrf_token,
            created_at=real_now,
            seen_at=real_now,
            expires_at=opened.expires_at,
        )
    )
    _record(session, "access.signed_in", borrower_id, staff_id, real_now)
    session.flush()
    return opened


def touch_session(session: Session, *, digest: str, real_now: datetime) -> bool:
    """Note a request. Only a session that has not ended is touched: a late one revives nothing."""
    touched = session.execute(
        update(PortalSession)
        .where(PortalSession.id_digest == digest, PortalSession.ended_at.is_(None))
        .where(PortalSession.seen_at < real_now, PortalSession.expires_at > real_now)
        .values(seen_at=real_now)
        .returning(PortalSession.id_digest)
        .execution_options(synchronize_session=False)
    )
    return touched.one_or_none() is not None


def end_session(session: Session, *, digest: str, real_now: datetime) -> bool:
    """End one session; False when it had ended already or never was."""
    ended = session.execute(
        update(PortalSession)
        .where(PortalSession.id_digest == digest, PortalSession.ended_at.is_(None))
        .values(ended_at=real_now)
        .returning(PortalSession.borrower_id, PortalSession.staff_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if ended is None:
        return False
    _record(session, "access.signed_out", ended.borrower_id, ended.staff_id, real_now)
    return True


def end_other_sessions(session: Session, *, borrower_id: int, keep: str, real_now: datetime) -> int:
    """Sign the borrower out everywhere but here; how many sessions ended."""
    ended = session.execute(
        update(PortalSession)
        .where(PortalSession.borrower_id == borrower_id, PortalSession.id_digest != keep)
        .where(PortalSession.ended_at.is_(None))
        .values(ended_at=real_now)
        .returning(PortalSession.id_digest)
        .execution_options(synchronize_session=False)
    ).all()
    if ended:
        _record(session, "access.signed_out_elsewhere", borrower_id, None, real_now, sessions=len(ended))
    return len(ended)


def end_staff_sessions(session: Session, *, staff_id: int, real_now: datetime) -> int:
    """End every session of a member of staff; how many ended."""
    ended = session.execute(
        update(PortalSession)
        .where(PortalSession.staff_id == staff_id, PortalSession.ended_at.is_(None))
        .values(ended_at=real_now)
        .returning(PortalSession.id_digest)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def _record(
    session: Session,
    event: str,
    borrower_id: int | None,
    staff_id: int | None,
    real_now: datetime,
    **facts: int,
) -> None:
    kind, ref = ("borrower", borrower_id) if borrower_id is not None else ("staff", staff_id)
    audit.record(
        session,
        actor=audit.Actor(kind, str(ref)),
        event=event,
        subject_kind=kind,
        subject_ref=str(ref),
        now=real_now,
        facts=facts,
    )
