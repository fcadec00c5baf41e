"""What the public may be told of a notice, and that somebody looked: no model with a person in it.

A face answers by keyed digest. It holds neither a name nor an amount nor a product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    exists,
    select,
    table,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from portal import audit
from portal.access import counters
from portal.access.limits import WRONG_CODES_ALL, WRONG_CODES_NETWORK
from portal.access.models import Counter
from portal.contacts.operations import place_hold
from portal.db import Base, BigId, Row, upsert
from portal.keys import Keys
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


class NoticeSeen(Row):
    """A code or link was looked up: which one, from which network (digest), in which hour. Changes no
    verdict by itself. Unique per (code, network, hour), so that a prefetch storm stays one row."""

    __tablename__ = "notice_seen"
    #: the code or token digest that was asked about
    asked_digest: Mapped[str] = mapped_column(String(64))
    network_digest: Mapped[str] = mapped_column(String(64))
    #: "link" (GET) or "code" (POST)
    way: Mapped[str] = mapped_column(String(8))
    hour: Mapped[datetime]
    __table_args__ = (UniqueConstraint("asked_digest", "network_digest", "way", "hour"),)


class WrongPerson(Row):
    """*This is not me*: a report that a number reaches somebody else. Keyed by what was held."""

    __tablename__ = "wrong_person"
    notice_id: Mapped[int] = mapped_column(BigId, unique=True)
    network_digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("ix_wrong_person_created", "created_at"),)


@dataclass(frozen=True)
class Looked:
    """What one look-up found. `is_seen`: this network's look in this hour is already on record."""

    face: Face | None
    is_seen: bool


@dataclass(frozen=True)
class Tried:
    """The outcome of a typed code. `wait_seconds` is above zero when this network must wait first."""

    face: Face | None
    wait_seconds: int = 0


#: How long it is kept that somebody looked: a copied letter shows within weeks, not years.
SEEN_DAYS = 90
#: The person behind a notice, for a hold and nothing else: a number that no page is ever given.
_NOTICE = table("notice", column("id"), column("borrower_id"))


def look_up(
    connection: Connection | Session, asked: Asked, *, network_digest: str, way: str, real_now: datetime
) -> Looked:
    """The face behind a code or link, and whether this look is on record; one statement."""
    given = {
        "asked_digest": asked.digest,
        "network_digest": network_digest,
        "way": way,
        "hour": _hour(real_now),
    }
    ready = _BY_TOKEN if asked.kind == "token" else _BY_CODE
    if isinstance(connection, Session):
        connection = connection.connection()
    return _looked(ready.rows(connection, given)[0])


def record_seen(session: Session, asked: Asked, *, network_digest: str, way: str, real_now: datetime) -> None:
    """Put one look on record; the same network's in the same hour is the same row."""
    session.execute(
        upsert(NoticeSeen)
        .values(
            created_at=real_now,
            asked_digest=asked.digest,
            network_digest=network_digest,
            way=way,
            hour=_hour(real_now),
        )
        .on_conflict_do_nothing()
    )


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
) -> Tried:
    """Look a typed code up, count it when it is wrong, and put the look on record. `is_wrong` says it of
    more than a code, a whole text for instance.

    Three statements whether the code is right, wrong or a slip. A network that was wrong too often
    gets no answer until its window ends; too many wrong ones from everywhere raise an alarm, once a
    window, and still let honest checks through.
    """
    network_digest = keys.digest("network", network)
    looked = look_up(session, asked, network_digest=network_digest, way="code", real_now=real_now)
    wrong = int(is_wrong(looked.face) if is_wrong else asked.can_be_ours and looked.face is None)
    here, everywhere = _count(session, keys, network, wrong, real_now)
    if wrong and everywhere == WRONG_CODES_ALL.most:
        _raise_alarm(session, everywhere, real_now)
    if here - wrong >= WRONG_CODES_NETWORK.most:
        return Tried(None, wait_seconds=counters.seconds_left(WRONG_CODES_NETWORK, real_now))
    record_seen(session, asked, network_digest=network_digest, way="code", real_now=real_now)
    return Tried(looked.face)


def report_wrong_person(session: Session, face: Face, *, keys: Keys, network: str, now: datetime) -> None:
    """*This is not me*: keep the report and stop messages to that number until the bank has answered.

    Repeating it changes nothing.
    """
    session.execute(
        upsert(WrongPerson)
        .values(created_at=now, notice_id=face.notice_id, network_digest=keys.digest("network", network))
        .on_conflict_do_nothing()
    )
    borrower_id = session.scalar(select(_NOTICE.c.borrower_id).where(_NOTICE.c.id == face.notice_id))
    if borrower_id is not None:
        place_hold(
            session,
            borrower_id=int(borrower_id),
            kind="pause",
            reason="wrong_number",
            source=f"notice:{face.notice_id}",
            now=now,
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
    ).select_from(row.outerjoin(NoticeFace, by == bindparam("asked_digest")))


_BY_CODE, _BY_TOKEN = Ready(_looking(NoticeFace.code_digest)), Ready(_looking(NoticeFace.token_digest))


def _looked(row: tuple[Any, ...]) -> Looked:
    is_seen, notice_id, *facts = row
    return Looked(None if notice_id is None else Face(notice_id, *facts), bool(is_seen))


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _count(session: Session, keys: Keys, network: str, wrong: int, real_now: datetime) -> tuple[int, int]:
    """Add `wrong` (0 or 1) to this network's count and to everybody's, by one statement; both counts."""
    rows = [
        {
            "scope": limit.scope,
            "key_digest": keys.digest("counter", key),
            "window_start": counters.window_start(real_now, limit.seconds),
            "count": wrong,
        }
        for limit, key in ((WRONG_CODES_NETWORK, network), (WRONG_CODES_ALL, "all"))
    ]
    statement = upsert(Counter).values(rows)
    raised = session.execute(
        statement.on_conflict_do_update(
            index_elements=["scope", "key_digest", "window_start"],
            set_={"count": Counter.count + statement.excluded.count},
        ).returning(Counter.scope, Counter.count)
    )
    counts = {scope: count for scope, count in raised}
    return counts[WRONG_CODES_NETWORK.scope], counts[WRONG_CODES_ALL.scope]


def _raise_alarm(session: Session, count: int, real_now: datetime) -> None:
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="notices.wrong_codes_alarm",
        subject_kind="portal",
        subject_ref="check",
        now=real_now,
        facts={"count": count, "window_seconds": WRONG_CODES_ALL.seconds},
    )
