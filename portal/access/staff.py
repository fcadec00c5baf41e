"""Staff: accounts made by an operator, and the way in with a password and a TOTP step that works once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.access import codes, limits, passwords
from portal.access.counters import count_towards, give_back, seconds_left
from portal.access.models import Staff
from portal.access.operations import TryLater
from portal.access.sessions import OpenedSession, end_staff_sessions, open_session
from portal.keys import Keys

#: What somebody may be at the desk; portal/web/security.py says what each may open.
ROLES = ("reviewer", "supervisor", "operator")
#: Somebody who visits. `human_ref` is the staff number, and portal/visits/officers.py says who may come in.
OFFICER = "officer"


class LoginTaken(Exception):
    """Another account has this login."""


class NoSuchStaff(Exception):
    """No account has this login."""


@dataclass(frozen=True)
class Knock:
    """Somebody named a login. `staff_id` and the rest are None where there is no such account."""

    login: str
    network: str
    staff_id: int | None
    password_hash: str | None


@dataclass(frozen=True)
class NewStaff:
    """A new or reset account: the TOTP secret is told here once."""

    staff_id: int
    staff_ref: str
    totp_secret: str


def knock(
    session: Session,
    *,
    keys: Keys,
    login: str,
    network: str,
    real_now: datetime,
    roles: Sequence[str] = ROLES,
) -> Knock | TryLater:
    """Count the attempt and find the account; the password is compared outside the transaction.

    An account that has none of `roles` is as unknown at this door as one there is not.

    Too many failures of one login from one network, or of one network, mean a wait. Other networks are
    not made to wait: nobody can lock somebody else out.
    """
    name = plain_login(login)
    for limit, key in ((limits.STAFF_LOGIN, f"{name}\0{network}"), (limits.STAFF_NETWORK, network)):
        if count_towards(session, keys=keys, limit=limit, key=key, real_now=real_now) > limit.most:
            return TryLater(seconds_left(limit, real_now))
    everywhere = count_towards(session, keys=keys, limit=limits.STAFF_LOGIN_ALL, key=name, real_now=real_now)
    if everywhere == limits.STAFF_LOGIN_ALL.most:
        _record(session, audit.SYSTEM, "access.alarm", limits.STAFF_LOGIN_ALL.scope, real_now)
    found = session.execute(
        select(Staff.id, Staff.password_hash).where(
            Staff.login == name, Staff.left_at.is_(None), Staff.role.in_(roles)
        )
    ).one_or_none()
    return Knock(name, network, found.id if found else None, found.password_hash if found else None)


def enter(
    session: Session,
    *,
    keys: Keys,
    knocked: Knock,
    totp: str,
    real_now: datetime,
    replaces: str | None = None,
) -> OpenedSession | None:
    """Open a session for whoever knocked with the right password, if the TOTP step is right and unspent."""
    found = session.execute(
        select(Staff.id, Staff.totp_sealed).where(Staff.id == knocked.staff_id, Staff.left_at.is_(None))
    ).one_or_none()
    if found is None:
        return None
    step = passwords.totp_step(
        keys.unseal("staff.totp", found.totp_sealed), codes.plain_digits(totp), real_now
    )
    if step is None or not _spend_step(session, found.id, step):
        return None
    for limit, key in (
        (limits.STAFF_LOGIN, f"{knocked.login}\0{knocked.network}"),
        (limits.STAFF_NETWORK, knocked.network),
        (limits.STAFF_LOGIN_ALL, knocked.login),
    ):
        give_back(session, keys=keys, limit=limit, key=key, real_now=real_now)
    return open_session(session, keys=keys, staff_id=found.id, real_now=real_now, replaces=replaces)


def add_staff(
    session: Session,
    *,
    keys: Keys,
    login: str,
    name: str,
    human_ref: str,
    role: str,
    language: str,
    password: str,
    actor: audit.Actor,
    real_now: datetime,
    staff_ref: str | None = None,
) -> NewStaff:
    """A new account. Raises LoginTaken, or passwords.TooShort; ValueError for a role there is not."""
    if role not in (*ROLES, OFFICER):
        raise ValueError(f"role must be one of {', '.join((*ROLES, OFFICER))}")
    secret = passwords.new_totp_secret()
    row = Staff(
        created_at=real_now,
        staff_ref=staff_ref or _next_ref(session),
        login=plain_login(login),
        name=name,
        human_ref=human_ref,
        role=role,
        language=language,
        password_hash=passwords.hash_password(password),
        totp_sealed=keys.seal("staff.totp", secret),
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise LoginTaken(login) from None
    _record(session, actor, "access.staff_added", row.id, real_now, role=role, human=human_ref)
    return NewStaff(row.id, row.staff_ref, secret)


def reset_staff(
    session: Session, *, keys: Keys, login: str, password: str, actor: audit.Actor, real_now: datetime
) -> NewStaff:
    """A new password and a new TOTP secret; every session of the account ends. Raises NoSuchStaff."""
    row = _by_login(session, login)
    secret = passwords.new_totp_secret()
    row.password_hash = passwords.hash_password(password)
    row.totp_sealed = keys.seal("staff.totp", secret)
    end_staff_sessions(session, staff_id=row.id, real_now=real_now)
    _record(session, actor, "access.staff_reset", row.id, real_now)
    return NewStaff(row.id, row.staff_ref, secret)


def staff_left(session: Session, *, login: str, actor: audit.Actor, real_now: datetime) -> int:
    """The person no longer works here: nothing of the account opens a door again. Raises NoSuchStaff."""
    row = _by_login(session, login)
    row.left_at = real_now
    end_staff_sessions(session, staff_id=row.id, real_now=real_now)
    _record(session, actor, "access.staff_left", row.id, real_now)
    return row.id


def set_role(session: Session, *, login: str, role: str, actor: audit.Actor, real_now: datetime) -> int:
    """Another role, in force from the next request. Raises NoSuchStaff; ValueError for no such role or an
    officer's account."""
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}")
    row = _by_login(session, login)
    if row.role == OFFICER:
        raise ValueError("an officer's account opens no other door; make a second account")
    before, row.role = row.role, role
    _record(session, actor, "access.staff_role", row.id, real_now, before=before, after=role)
    return row.id


def plain_login(login: str) -> str:
    """A login as it is stored: without case or surrounding spaces."""
    return login.strip().lower()[:64]


def _spend_step(session: Session, staff_id: int, step: int) -> bool:
    """Each step opens one session: the update finds no row the second time."""
    spent = session.execute(
        update(Staff)
        .where(Staff.id == staff_id, Staff.totp_last_step < step, Staff.left_at.is_(None))
        .values(totp_last_step=step)
        .returning(Staff.id)
        .execution_options(synchronize_session=False)
    )
    return spent.one_or_none() is not None


def _by_login(session: Session, login: str) -> Staff:
    row = session.execute(
        select(Staff).where(Staff.login == plain_login(login), Staff.left_at.is_(None))
    ).scalar_one_or_none()
    if row is None:
        raise NoSuchStaff(login)
    return row


def _next_ref(session: Session) -> str:
    """`B` and a number counted up from 2101; the unique index decides between two at once."""
    return f"B{2101 + (session.execute(select(func.max(Staff.id))).scalar() or 0)}"


def _record(
    session: Session, actor: audit.Actor, event: str, ref: int | str, real_now: datetime, **facts: str
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="counter" if event == "access.alarm" else "staff",
        subject_ref=ref,
        now=real_now,
        facts=facts,
    )
