"""Who may visit now: the live row behind an officer's session, their accounts, and taking the right away.

An account is a staff account whose `human_ref` is the staff number. It opens the officers' door only
while the officer is active, the card is valid and the agency's contract runs; all three are read from
their rows at every request, so that a change holds on every host at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Date, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import limits, staff
from portal.access.models import PortalSession, Staff
from portal.audit import Actor
from portal.contacts.models import Agency
from portal.keys import Keys
from portal.ready import Ready
from portal.visits.models import Officer

ACTIVE = "active"


class NoSuchOfficer(Exception):
    """No officer has this staff number."""


class NoSuchAgency(Exception):
    """No agency has this number."""


@dataclass(frozen=True)
class OfficerSession:
    """A live session of somebody who may visit today."""

    officer_id: int
    officer_ref: str
    name: str
    agency_name: str
    language: str
    csrf_token: str
    seen_at: datetime


def may_visit(day: ColumnElement[date]) -> ColumnElement[bool]:
    """The condition on `officer` and `agency` rows of who may visit on `day`."""
    return and_(
        Officer.status == ACTIVE,
        Officer.revoked_at.is_(None),
        Officer.card_valid_until >= day,
        Agency.engaged_from <= day,
        Agency.engaged_until >= day,
        Agency.revoked_at.is_(None),
    )


_SESSION = Ready(
    select(
        Officer.id,
        Officer.officer_ref,
        Officer.name_sealed,
        Agency.name,
        Staff.language,
        PortalSession.csrf_token,
        PortalSession.seen_at,
    )
    .select_from(PortalSession)
    .join(Staff, Staff.id == PortalSession.staff_id)
    .join(Officer, Officer.officer_ref == Staff.human_ref)
    .join(Agency, Agency.id == Officer.agency_id)
    .where(
        PortalSession.id_digest == bindparam("digest"),
        PortalSession.ended_at.is_(None),
        PortalSession.expires_at > bindparam("now"),
        PortalSession.seen_at > bindparam("idle_since"),
        Staff.role == staff.OFFICER,
        Staff.left_at.is_(None),
        may_visit(bindparam("today", type_=Date)),
    )
)


def officer_session(
    connection: Connection, keys: Keys, digest: str, *, today: date, real_now: datetime
) -> OfficerSession | None:
    """The live session stored under `digest` of an officer who may visit today, by one statement."""
    given = {
        "digest": digest,
        "now": real_now,
        "idle_since": real_now - limits.STAFF_SESSION.idle,
        "today": today,
    }
    found = _SESSION.rows(connection, given)
    if not found:
        return None
    officer_id, officer_ref, name_sealed, *rest = found[0]
    return OfficerSession(officer_id, officer_ref, keys.unseal("officer.name", name_sealed), *rest)


def add_account(
    session: Session,
    *,
    keys: Keys,
    officer_ref: str,
    password: str,
    language: str,
    actor: Actor,
    real_now: datetime,
) -> staff.NewStaff:
    """A sign-in for an officer, whose login is the staff number. Raises NoSuchOfficer, staff.LoginTaken."""
    row = session.scalar(select(Officer).where(Officer.officer_ref == officer_ref))
    if row is None:
        raise NoSuchOfficer(officer_ref)
    return staff.add_staff(
        session,
        keys=keys,
        login=officer_ref,
        # the account's name is not sealed, the officer's is: the number stands for both
        name=officer_ref,
        human_ref=officer_ref,
        role=staff.OFFICER,
        language=language,
        password=password,
        actor=actor,
        real_now=real_now,
        staff_ref=officer_ref,
    )


def revoke_officer(session: Session, *, officer_ref: str, actor: Actor, now: datetime) -> None:
    """The officer visits no more: the next request of every session is refused. Raises NoSuchOfficer."""
    if not _revoke(session, Officer, Officer.officer_ref == officer_ref, now):
        raise NoSuchOfficer(officer_ref)
    _record(session, actor, "visits.officer_revoked", "officer", officer_ref, now)


def revoke_agency(session: Session, *, agency_ref: str, actor: Actor, now: datetime) -> None:
    """Nobody of the agency visits any more, from the next request on. Raises NoSuchAgency."""
    if not _revoke(session, Agency, Agency.agency_ref == agency_ref, now):
        raise NoSuchAgency(agency_ref)
    _record(session, actor, "visits.agency_revoked", "agency", agency_ref, now)


def _revoke(
    session: Session, table: type[Officer | Agency], which: ColumnElement[bool], now: datetime
) -> bool:
    """Whether there is such a row; the first revocation's instant stays."""
    found = session.execute(
        update(table)
        .where(which)
        .values(revoked_at=func.coalesce(table.revoked_at, now))
        .returning(table.id)
        .execution_options(synchronize_session=False)
    )
    return found.scalar_one_or_none() is not None


def _record(session: Session, actor: Actor, event: str, kind: str, ref: str, now: datetime) -> None:
    audit.record(session, actor=actor, event=event, subject_kind=kind, subject_ref=ref, now=now, facts={})
