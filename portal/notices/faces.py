"""What the public may be told of a notice, and that somebody looked: no model with a person in it.

A face answers by keyed digest. It holds neither a name nor an amount nor a product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    Index,
    Select,
    String,
    UniqueConstraint,
    bindparam,
    column,
    delete,
    distinct,
    exists,
    func,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from portal import audit
from portal.access import counters
from portal.access.limits import STANDARD, TAIL_TRIES, WRONG_CODES_ALL, WRONG_CODES_NETWORK, Guards, Limit
from portal.contacts import wrong_numbers
from portal.db import Base, BigId, Row, upsert
from portal.keys import Keys
from portal.notices import alarms
from portal.notices.tails import Tail, try_tail
from portal.notices.verification import Asked, Face
from portal.ready import Ready


class NoticeFace(Base):
    """One row per notice with a code. `notice_id` is a bare number here: no join leads to a person."""

    __tablename__ = "notice_face"
    notice_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    issued_on: Mapped[date] = mapped_column(Date)
    expires_on: Mapped[date] = mapped_column(Date)
    #: "live" or "withdrawn"
    status: Mapped[str] = mapped_column(String(16))
    #: the last two digits of the mobile
    mobile_tail: Mapped[str] = mapped_column(String(2))
    #: when its code had been used in more networks than one person has; it is not plainly genuine again until
    #: the desk has answered (notices/copies.py)
    copied_at: Mapped[datetime | None]
    #: how many networks may use it after the desk has cleared it; 0 for the bank's own number
    networks_allowed: Mapped[int] = mapped_column(default=0, server_default="0")


class NoticeSeen(Row):
    """A code or link was looked up: which one, from which network (digest), in which hour. Changes no
    verdict by itself. Unique per (code, network, hour), so that a prefetch storm stays one row."""

    __tablename__ = "notice_seen"
    #: the code or token digest that was asked about
    asked_digest: Mapped[str] = mapped_column(String(64))
    network_digest: Mapped[str] = mapped_column(String(64))
    #: "link" (GET), "code" or "sign_in" (POST), "asked" (POST, and the mobile's end was asked for first)
    way: Mapped[str] = mapped_column(String(8))
    hour: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("asked_digest", "network_digest", "way", "hour"),
        Index("ix_notice_seen_network", "network_digest", "hour"),
    )


class WrongPerson(Row):
    """*This is not me*: a report that a number reaches somebody else. Keyed by what was held."""

    __tablename__ = "wrong_person"
    notice_id: Mapped[int] = mapped_column(BigId, unique=True)
    network_digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("ix_wrong_person_created", "created_at"),)


@dataclass(frozen=True)
class Looked:
    """What one look-up found. `is_seen`: this network's look in this hour is already on record;
    `elsewhere`: other networks that used the code within a day, by a POST."""

    face: Face | None
    is_seen: bool
    elsewhere: int = 0
    #: from how many networks it may be used
    allowed: int = STANDARD.networks.most


@dataclass(frozen=True)
class Tried:
    """The outcome of a typed code. `wait_seconds` is above zero when this network must wait first;
    `asks_tail`: it has checked more of our codes than a household has, and is answered on another only with the
    end of its mobile; `tail_refused`: what was given does not belong to the code, or there is no such code."""

    face: Face | None
    wait_seconds: int = 0
    asks_tail: bool = False
    tail_refused: bool = False


#: The looks that count towards a copied code.
USED = ("code", "sign_in")
#: What stands for every code and link that is nobody's, in the place of its digest.
NOBODYS = "nobodys"
#: How long it is kept that somebody looked: a copied letter shows within weeks, not years.
SEEN_DAYS = 90
#: The person behind a notice, for a hold and nothing else: a number that no page is ever given.
_NOTICE = table("notice", column("id"), column("borrower_id"), column("notice_ref"))


def look_up(
    connection: Connection | Session,
    asked: Asked,
    *,
    network_digest: str,
    way: str,
    real_now: datetime,
    guards: Guards = STANDARD,
) -> Looked:
    """The face behind a code or link, and whether this look is on record; one statement."""
    given = {
        "asked_digest": asked.digest,
        "network_digest": network_digest,
        "way": way,
        "hour": _hour(real_now),
        "since": real_now - timedelta(seconds=guards.networks.seconds),
    }
    ready = _BY_TOKEN if asked.kind == "token" else _BY_CODE
    if isinstance(connection, Session):
        connection = connection.connection()
    return _looked(ready.rows(connection, given)[0], guards)


def record_seen(
    session: Session,
    asked: Asked,
    *,
    network_digest: str,
    way: str,
    real_now: datetime,
    is_known: bool = True,
) -> None:
    """Put one look on record; the same network's in the same hour is the same row. All that is nobody's is one
    row too: whoever asks for a million invented links fills no disk."""
    given = {
        "created_at": real_now,
        "asked_digest": asked.digest if is_known else NOBODYS,
        "network_digest": network_digest,
        "way": way,
        "hour": _hour(real_now),
    }
    _SEEN.run(session, given)


def forget_seen(session: Session, *, real_now: datetime) -> None:
    """Delete looks older than SEEN_DAYS."""
    session.execute(
        delete(NoticeSeen)
        .where(NoticeSeen.hour < real_now - timedelta(days=SEEN_DAYS))
        .execution_options(synchronize_session=False)
    )


def try_code(
    session: Session,
    asked: Asked,
    *,
    keys: Keys,
    network: str,
    real_now: datetime,
    is_wrong: Callable[[Face | None], bool] | None = None,
    guards: Guards = STANDARD,
    tail: str = "",
) -> Tried:
    """Look a typed code up, count it when it is wrong, and put the look on record. `is_wrong` says it of
    more than a code, a whole text for instance; `tail` is the end of the mobile, where it was asked for.

    Three statements whether the code is right, wrong or a slip. A network that was wrong too often gets no
    answer until its window ends; one that was right with more codes than a household has is asked for the end
    of the mobile, whatever code it gives. Too many wrong ones from everywhere raise an alarm, once a window,
    and still let honest checks through.
    """
    network_digest = keys.digest("network", network)
    looked = look_up(
        session, asked, network_digest=network_digest, way="code", real_now=real_now, guards=guards
    )
    wrong = int(is_wrong(looked.face) if is_wrong else asked.can_be_ours and looked.face is None)
    right = int(looked.face is not None and not looked.is_seen)
    counts = _count(
        session,
        keys,
        network,
        {WRONG_CODES_NETWORK: wrong, guards.real_codes: right, WRONG_CODES_ALL: wrong},
        real_now,
    )
    if wrong and counts[WRONG_CODES_ALL.scope] == WRONG_CODES_ALL.most:
        _raise_alarm(
            session, "wrong_codes", "check", counts[WRONG_CODES_ALL.scope], WRONG_CODES_ALL, real_now
        )
    if counts[WRONG_CODES_NETWORK.scope] - wrong >= WRONG_CODES_NETWORK.most:
        return Tried(None, wait_seconds=counters.seconds_left(WRONG_CODES_NETWORK, real_now))
    if not looked.is_seen and counts[guards.real_codes.scope] - right >= guards.real_codes.most:
        if right and counts[guards.real_codes.scope] == guards.real_codes.most + 1:
            _raise_alarm(
                session, "many_codes", network_digest, guards.real_codes.most, guards.real_codes, real_now
            )
            alarms.raise_network(session, network_digest=network_digest, guards=guards, now=real_now)
        if not tail or not _is_holders(session, keys, asked, looked.face, network, tail, real_now):
            is_known = looked.face is not None
            record_seen(
                session,
                asked,
                network_digest=network_digest,
                way="asked",
                real_now=real_now,
                is_known=is_known,
            )
            return Tried(None, asks_tail=True, tail_refused=bool(tail))
    is_known = looked.face is not None
    record_seen(
        session, asked, network_digest=network_digest, way="code", real_now=real_now, is_known=is_known
    )
    return Tried(_watched(session, looked, real_now, guards))


def note_sign_in(
    session: Session, asked: Asked, *, keys: Keys, network: str, real_now: datetime, guards: Guards = STANDARD
) -> None:
    """Put on record that a sign-in began with this code or link; known and unknown ones cost the same."""
    where = keys.digest("network", network)
    looked = look_up(session, asked, network_digest=where, way="sign_in", real_now=real_now, guards=guards)
    is_known = looked.face is not None
    record_seen(session, asked, network_digest=where, way="sign_in", real_now=real_now, is_known=is_known)
    _watched(session, looked, real_now, guards)


def _is_holders(
    session: Session, keys: Keys, asked: Asked, face: Face | None, network: str, tail: str, real_now: datetime
) -> bool:
    """Whether `tail` ends the mobile that the code was made for. Few tries a code and network; a wrong one is
    counted as a wrong code is. The same statements where there is no such code."""
    key = f"{asked.digest} {network}"
    tries = counters.count_towards(session, keys=keys, limit=TAIL_TRIES, key=key, real_now=real_now)
    notice_id = face.notice_id if face else 0
    found = try_tail(session, keys, notice_id, tail, asked_digest=asked.digest, real_now=real_now)
    if found is Tail.FITS and tries <= TAIL_TRIES.most:
        return True
    counters.count_towards(session, keys=keys, limit=WRONG_CODES_NETWORK, key=network, real_now=real_now)
    return False


def _watched(session: Session, looked: Looked, real_now: datetime, guards: Guards) -> Face | None:
    """The face, as copied where this use is in one network too many; the bank is told once a notice."""
    face = looked.face
    if face is None or face.is_copied or face.status != "live" or looked.elsewhere + 1 <= looked.allowed:
        return face
    flagged = session.execute(
        update(NoticeFace)
        .where(NoticeFace.notice_id == face.notice_id, NoticeFace.copied_at.is_(None))
        .values(copied_at=real_now)
        .returning(NoticeFace.notice_id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if flagged is not None:
        _raise_alarm(session, "copied", str(flagged), looked.elsewhere + 1, guards.networks, real_now)
    return replace(face, is_copied=True)


def report_wrong_person(session: Session, face: Face, *, keys: Keys, network: str, now: datetime) -> None:
    """*This is not me*: keep the report and stop messages to that number until the bank has answered.

    Repeating it changes nothing while nobody has answered; after that the number is open again.
    """
    notice_id = alarms.notice_of(session, face.notice_id)
    is_new = session.execute(
        upsert(WrongPerson)
        .values(created_at=now, notice_id=notice_id, network_digest=keys.digest("network", network))
        .on_conflict_do_nothing()
        .returning(WrongPerson.id)
    ).scalar()
    borrower_id = session.scalar(select(_NOTICE.c.borrower_id).where(_NOTICE.c.id == notice_id))
    if borrower_id is not None:
        wrong_numbers.report(
            session, keys=keys, borrower_id=int(borrower_id), is_new=is_new is not None, now=now
        )


def _looking(by: InstrumentedAttribute[str]) -> Select[Any]:
    """One row always: the face's columns or nothing, and whether the look is on record.

    Built once per kind of code: making the statement costs more than running it.
    """
    seen = exists().where(
        NoticeSeen.asked_digest == bindparam("asked_digest"),
        NoticeSeen.network_digest == bindparam("network_digest"),
        NoticeSeen.way == bindparam("way"),
        NoticeSeen.hour == bindparam("hour"),
    )
    row = select(seen.label("is_seen")).subquery()
    return select(
        row.c.is_seen,
        NoticeFace.notice_id,
        NoticeFace.issued_on,
        NoticeFace.expires_on,
        NoticeFace.status,
        NoticeFace.mobile_tail,
        (NoticeFace.copied_at.is_not(None)).label("is_copied"),
        NoticeFace.networks_allowed,
        _elsewhere(),
    ).select_from(row.outerjoin(NoticeFace, by == bindparam("asked_digest")))


def _elsewhere() -> Any:
    """How many other networks used this notice's code or link by a POST within a day."""
    return (
        select(func.count(distinct(NoticeSeen.network_digest)))
        .where(
            (NoticeSeen.asked_digest == NoticeFace.code_digest)
            | (NoticeSeen.asked_digest == NoticeFace.token_digest),
            or_(*(NoticeSeen.way == way for way in USED)),
            NoticeSeen.hour > bindparam("since"),
            NoticeSeen.network_digest != bindparam("network_digest"),
        )
        .correlate(NoticeFace)
        .scalar_subquery()
    )


_SEEN = Ready(
    upsert(NoticeSeen)
    .values(
        {name: bindparam(name) for name in ("created_at", "asked_digest", "network_digest", "way", "hour")}
    )
    .on_conflict_do_nothing()
    .inline()
)
_BY_CODE, _BY_TOKEN = Ready(_looking(NoticeFace.code_digest)), Ready(_looking(NoticeFace.token_digest))


def _looked(row: tuple[Any, ...], guards: Guards) -> Looked:
    is_seen, notice_id, issued_on, expires_on, status, tail, is_copied, own, elsewhere = row
    if notice_id is None:
        return Looked(None, bool(is_seen))
    allowed = max(guards.networks.most, own)
    copied = bool(is_copied) or elsewhere > allowed
    face = Face(notice_id, issued_on, expires_on, status, tail, copied)
    return Looked(face, bool(is_seen), elsewhere, allowed)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _count(
    session: Session, keys: Keys, network: str, more: dict[Limit, int], real_now: datetime
) -> dict[str, int]:
    """Add 0 or 1 to each limit's count, this network's or everybody's, by one statement; all counts."""
    asked = [(limit, "all" if limit is WRONG_CODES_ALL else network, count) for limit, count in more.items()]
    return counters.add(session, asked, keys=keys, real_now=real_now)


def _raise_alarm(
    session: Session, kind: str, subject: str, count: int, limit: Limit, real_now: datetime
) -> None:
    audit.record(
        session,
        actor=audit.SYSTEM,
        event=f"notices.{kind}_alarm",
        subject_kind="notice" if kind == "copied" else "portal",
        subject_ref=subject,
        now=real_now,
        facts={"count": count, "window_seconds": limit.seconds},
    )
