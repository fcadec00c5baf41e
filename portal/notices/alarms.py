"""What the watch over codes has found and the desk answers: networks with a list of our codes, and codes that
were replaced. No model with a person in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, String, UniqueConstraint, case, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.access.limits import Guards
from portal.db import Row, append_only, upsert
from portal.notices.lifecycle import NETWORKS, NetworkAction, NetworkState


class NetworkAlarm(Row):
    """One network that checked more of our codes within an hour than a household has."""

    __tablename__ = "network_alarm"
    network_digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: "open", "shared", "stolen"
    state: Mapped[str] = mapped_column(String(8))
    #: raised by each answer and each opening: who answers names what he saw
    version: Mapped[int]
    #: how many hours of it there were
    alarms: Mapped[int]
    #: of the alarm that waits for an answer
    since: Mapped[datetime]
    last_at: Mapped[datetime]
    #: known as shared by many: until then it opens nothing
    quiet_until: Mapped[datetime | None]
    __table_args__ = (Index("ix_network_alarm_queue", "state", "since"),)


class CodeAnswer(Row):
    """What somebody at the desk answered, and why: on a copied code ("clear", "reissue") or on a network
    ("share", "distrust"). Append-only."""

    __tablename__ = "code_answer"
    #: "notice" or "network", and its number; `seen` is what was answered: the copied code's instant, the version
    subject: Mapped[str] = mapped_column(String(8))
    subject_id: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(8))
    staff_ref: Mapped[str] = mapped_column(String(32))
    note_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("subject", "subject_id", "seen"),)


append_only(CodeAnswer.__table__)  # type: ignore[arg-type]


class RetiredCode(Row):
    """A code that was replaced by another of the same notice. Its face goes on under this row's number with a
    minus, as withdrawn: whoever still has it is told so."""

    __tablename__ = "retired_code"
    notice_id: Mapped[int] = mapped_column(BigInteger, index=True)


append_only(RetiredCode.__table__)  # type: ignore[arg-type]


def face_of_retired(retired_id: int) -> int:
    """The number under which a retired code's face goes on."""
    return -retired_id


def notice_of(session: Session, face_id: int) -> int:
    """The notice behind a face: its own number, but for a code that was replaced."""
    if face_id > 0:
        return face_id
    found = session.scalar(select(RetiredCode.notice_id).where(RetiredCode.id == -face_id))
    return found or face_id


def raise_network(session: Session, *, network_digest: str, guards: Guards, now: datetime) -> None:
    """Put a network before the desk, once while it waits; one that is known as shared keeps quiet for a while."""
    waits = NetworkAlarm.state == NetworkState.OPEN
    quiet = (NetworkAlarm.state == NetworkState.SHARED) & (NetworkAlarm.quiet_until > now)
    stays = waits | quiet
    session.execute(
        upsert(NetworkAlarm)
        .values(
            created_at=now,
            network_digest=network_digest,
            state=NETWORKS.initial,
            version=1,
            alarms=1,
            since=now,
            last_at=now,
        )
        .on_conflict_do_update(
            index_elements=["network_digest"],
            set_={
                "state": case((stays, NetworkAlarm.state), else_=NETWORKS.target(NetworkAction.ALARM)),
                "version": case((stays, NetworkAlarm.version), else_=NetworkAlarm.version + 1),
                "since": case((stays, NetworkAlarm.since), else_=now),
                "alarms": NetworkAlarm.alarms + 1,
                "last_at": now,
            },
        )
    )
