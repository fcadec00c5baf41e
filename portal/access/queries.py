"""Reads about who is signed in: the row behind a cookie, and a borrower's own sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from portal.access import limits
from portal.access.models import AccessNumber, PortalSession, Staff
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.ready import Ready


@dataclass(frozen=True)
class BorrowerSession:
    """A live session of a borrower."""

    borrower_id: int
    language: str
    csrf_token: str
    seen_at: datetime
    expires_at: datetime
    session_digest: str


@dataclass(frozen=True)
class StaffSession:
    """A live session of somebody who works for the bank now, with the role they have now."""

    staff_id: int
    staff_ref: str
    name: str
    human_ref: str
    role: str
    language: str
    csrf_token: str
    seen_at: datetime
    session_digest: str


@dataclass(frozen=True)
class SignIn:
    """One sign-in as its owner sees it."""

    at: datetime
    seen_at: datetime
    is_open: bool
    is_here: bool


def borrower_session(connection: Connection, digest: str, *, real_now: datetime) -> BorrowerSession | None:
    """The live borrower session stored under `digest`, by one statement."""
    found = _BORROWER.rows(connection, _asked(digest, limits.BORROWER_SESSION, real_now))
    return BorrowerSession(*(*found[0], digest)) if found else None


def staff_session(connection: Connection, digest: str, *, real_now: datetime) -> StaffSession | None:
    """The live staff session stored under `digest`, with the live role; None for who has left."""
    found = _STAFF.rows(connection, _asked(digest, limits.STAFF_SESSION, real_now))
    return StaffSession(*(*found[0], digest)) if found else None


def access_number_for(connection: Connection, keys: Keys, borrower_id: int) -> str | None:
    """The borrower's access number, without separators."""
    sealed = connection.execute(
        select(AccessNumber.number_sealed).where(AccessNumber.borrower_id == borrower_id)
    ).scalar_one_or_none()
    return keys.unseal("access.number", sealed) if sealed else None


def sign_ins_for(
    connection: Connection, borrower_id: int, *, here: str, real_now: datetime, limit: int = 10
) -> tuple[SignIn, ...]:
    """The borrower's latest sign-ins, newest first; `here` is the digest of the asking session."""
    rows = connection.execute(
        select(
            PortalSession.id_digest,
            PortalSession.created_at,
            PortalSession.seen_at,
            PortalSession.ended_at,
            PortalSession.expires_at,
        )
        .where(PortalSession.borrower_id == borrower_id)
        .order_by(PortalSession.created_at.desc())
        .limit(limit)
    )
    idle_since = real_now - limits.BORROWER_SESSION.idle
    return tuple(
        SignIn(
            at=row.created_at,
            seen_at=row.seen_at,
            is_open=row.ended_at is None and row.expires_at > real_now and row.seen_at > idle_since,
            is_here=row.id_digest == here,
        )
        for row in rows
    )


#: Built once: a page pays for running them, not for writing them.
_LIVE = (
    PortalSession.id_digest == bindparam("digest"),
    PortalSession.ended_at.is_(None),
    PortalSession.expires_at > bindparam("now"),
    PortalSession.seen_at > bindparam("idle_since"),
)
_BORROWER = Ready(
    select(
        PortalSession.borrower_id,
        Borrower.language,
        PortalSession.csrf_token,
        PortalSession.seen_at,
        PortalSession.expires_at,
    )
    .join(Borrower, Borrower.id == PortalSession.borrower_id)
    .where(*_LIVE)
)
_STAFF = Ready(
    select(
        PortalSession.staff_id,
        Staff.staff_ref,
        Staff.name,
        Staff.human_ref,
        Staff.role,
        Staff.language,
        PortalSession.csrf_token,
        PortalSession.seen_at,
    )
    .join(Staff, Staff.id == PortalSession.staff_id)
    .where(*_LIVE, Staff.left_at.is_(None))
)


def _asked(digest: str, life: limits.SessionLife, real_now: datetime) -> dict[str, object]:
    return {"digest": digest, "now": real_now, "idle_since": real_now - life.idle}


def human_of_login(connection: Connection, login: str) -> str | None:
    """The human behind an account that is in use; None where there is none."""
    return connection.scalar(select(Staff.human_ref).where(Staff.login == login, Staff.left_at.is_(None)))
