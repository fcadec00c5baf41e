"""Codes that may have been copied, and networks with a list of codes, as the desk sees them. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, distinct, func, or_, select
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.copies.operations import BEFORE
from portal.keys import Keys
from portal.notices.alarms import CodeAnswer, NetworkAlarm
from portal.notices.faces import USED, NoticeFace, NoticeSeen
from portal.notices.lifecycle import NetworkState
from portal.notices.models import Notice

#: Codes that one page shows of a network.
SHOWN = 100


@dataclass(frozen=True)
class CopiedRow:
    """A notice whose code may have been copied. `networks`: from how many it was used, as long as looks are kept."""

    notice_id: int
    notice_ref: str
    channel: str
    customer_ref: str
    name: str
    issued_at: datetime
    expires_on: date
    status: str
    copied_at: datetime
    networks: int


@dataclass(frozen=True)
class Answered:
    """An answer of the desk."""

    action: str
    note: str
    staff_ref: str
    at: datetime


@dataclass(frozen=True)
class CopiedDetail:
    """One notice with the answers there were, and on how many networks it was used each day."""

    row: CopiedRow
    by_day: tuple[tuple[date, int], ...]
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class NetworkRow:
    """A network that checked many codes. `name`: the beginning of its keyed digest, to tell it from others."""

    network_id: int
    name: str
    state: str
    version: int
    alarms: int
    codes: int
    since: datetime
    last_at: datetime
    quiet_until: datetime | None


@dataclass(frozen=True)
class AskedCode:
    """A notice of ours that a network asked about."""

    notice_ref: str
    customer_ref: str
    channel: str
    at: datetime
    is_copied: bool
    #: answered only with the end of the mobile, which was not given
    unanswered: bool


@dataclass(frozen=True)
class NetworkDetail:
    """One network, what it asked about, and the answers there were."""

    row: NetworkRow
    asked: tuple[AskedCode, ...]
    answers: tuple[Answered, ...]


def copied_rows(connection: Connection | Session, keys: Keys, *, limit: int = 100) -> tuple[CopiedRow, ...]:
    """The notices that wait for an answer, the longest first."""
    rows = connection.execute(_copied().order_by(NoticeFace.copied_at, NoticeFace.notice_id).limit(limit))
    return tuple(_copied_view(row, keys) for row in rows)


def copied_count(connection: Connection | Session) -> int:
    """How many wait for an answer."""
    waiting = select(func.count()).select_from(NoticeFace).where(NoticeFace.copied_at.is_not(None))
    return connection.scalar(waiting) or 0


def copied_detail(connection: Connection | Session, keys: Keys, notice_id: int) -> CopiedDetail | None:
    """One notice that waits; None when it does not, or no longer."""
    row = connection.execute(_copied().where(NoticeFace.notice_id == notice_id)).one_or_none()
    if row is None:
        return None
    seen = connection.execute(
        select(NoticeSeen.hour, NoticeSeen.network_digest)
        .join(NoticeFace, _of_face())
        .where(NoticeFace.notice_id == notice_id, NoticeSeen.way.in_(USED))
    )
    days: dict[date, set[str]] = {}
    for hour, network in seen:
        days.setdefault(hour.date(), set()).add(network)
    by_day = tuple((day, len(days[day])) for day in sorted(days, reverse=True)[:14])
    return CopiedDetail(_copied_view(row, keys), by_day, _answers(connection, keys, "notice", notice_id))


def network_rows(
    connection: Connection | Session, *, answered: bool, limit: int = 100
) -> tuple[NetworkRow, ...]:
    """The networks that wait for an answer, the longest first; or those answered, the latest first."""
    statement = _networks().limit(limit)
    if answered:
        statement = statement.where(NetworkAlarm.state != NetworkState.OPEN).order_by(
            NetworkAlarm.last_at.desc(), NetworkAlarm.id
        )
    else:
        statement = statement.where(NetworkAlarm.state == NetworkState.OPEN).order_by(
            NetworkAlarm.since, NetworkAlarm.id
        )
    return tuple(_network_view(row) for row in connection.execute(statement))


def network_count(connection: Connection | Session) -> int:
    """How many wait for an answer."""
    waiting = select(func.count()).select_from(NetworkAlarm).where(NetworkAlarm.state == NetworkState.OPEN)
    return connection.scalar(waiting) or 0


def network_detail(connection: Connection | Session, keys: Keys, network_id: int) -> NetworkDetail | None:
    """One network with the notices it asked about."""
    row = connection.execute(_networks().where(NetworkAlarm.id == network_id)).one_or_none()
    if row is None:
        return None
    asked = connection.execute(
        select(
            Notice.notice_ref,
            Borrower.customer_ref,
            Notice.channel,
            func.min(NoticeSeen.created_at).label("at"),
            NoticeFace.copied_at,
            func.max(NoticeSeen.way).label("last"),
            func.min(NoticeSeen.way).label("first"),
        )
        .select_from(NoticeSeen)
        .join(NoticeFace, _of_face())
        .join(Notice, Notice.id == NoticeFace.notice_id)
        .join(Borrower, Borrower.id == Notice.borrower_id)
        .where(NoticeSeen.network_digest == row.network_digest, NoticeSeen.way != "link")
        .where(NoticeSeen.hour > row.since - BEFORE)
        .group_by(Notice.notice_ref, Borrower.customer_ref, Notice.channel, NoticeFace.copied_at)
        .order_by(func.min(NoticeSeen.created_at), Notice.notice_ref)
        .limit(SHOWN)
    )
    found = tuple(
        AskedCode(one[0], one[1], one[2], one.at, one.copied_at is not None, one.first == one.last == "asked")
        for one in asked
    )
    return NetworkDetail(_network_view(row), found, _answers(connection, keys, "network", network_id))


def _of_face() -> Any:
    return or_(
        NoticeSeen.asked_digest == NoticeFace.code_digest, NoticeSeen.asked_digest == NoticeFace.token_digest
    )


def _copied() -> Select[Any]:
    networks = (
        select(func.count(distinct(NoticeSeen.network_digest)))
        .where(_of_face(), NoticeSeen.way.in_(USED))
        .correlate(NoticeFace)
        .scalar_subquery()
    )
    return (
        select(
            NoticeFace.notice_id,
            Notice.notice_ref,
            Notice.channel,
            Borrower.customer_ref,
            Borrower.name_sealed,
            Notice.issued_at,
            NoticeFace.expires_on,
            NoticeFace.status,
            NoticeFace.copied_at,
            networks.label("networks"),
        )
        .join(Notice, Notice.id == NoticeFace.notice_id)
        .join(Borrower, Borrower.id == Notice.borrower_id)
        .where(NoticeFace.copied_at.is_not(None))
    )


def _copied_view(row: Any, keys: Keys) -> CopiedRow:
    facts = dict(row._mapping)
    facts["name"] = keys.unseal("borrower.name", facts.pop("name_sealed"))
    return CopiedRow(**facts)


def _networks() -> Select[Any]:
    codes = (
        select(func.count(distinct(NoticeFace.notice_id)))
        .select_from(NoticeSeen)
        .join(NoticeFace, _of_face())
        .where(NoticeSeen.network_digest == NetworkAlarm.network_digest, NoticeSeen.way != "link")
        .correlate(NetworkAlarm)
        .scalar_subquery()
    )
    return select(NetworkAlarm.__table__, codes.label("codes"))


def _network_view(row: Any) -> NetworkRow:
    return NetworkRow(
        network_id=row.id,
        name=row.network_digest[:8],
        state=row.state,
        version=row.version,
        alarms=row.alarms,
        codes=row.codes,
        since=row.since,
        last_at=row.last_at,
        quiet_until=row.quiet_until,
    )


def _answers(
    connection: Connection | Session, keys: Keys, subject: str, subject_id: int
) -> tuple[Answered, ...]:
    rows = connection.execute(
        select(CodeAnswer.action, CodeAnswer.note_sealed, CodeAnswer.staff_ref, CodeAnswer.created_at)
        .where(CodeAnswer.subject == subject, CodeAnswer.subject_id == subject_id)
        .order_by(CodeAnswer.id.desc())
    )
    return tuple(
        Answered(action, keys.unseal("notice.note", note), ref, at) for action, note, ref, at in rows
    )
