"""What waits in the outbox."""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from portal.messages.lifecycle import State
from portal.messages.models import Message


def anything_queued(connection: Connection | Session) -> bool:
    """Whether a worker has reason to claim: spares an idle portal its write transactions."""
    return connection.scalar(select(Message.id).where(Message.state == State.QUEUED).limit(1)) is not None


def counts_by_state(connection: Connection | Session) -> dict[str, int]:
    """How many messages stand where."""
    rows = connection.execute(select(Message.state, func.count()).group_by(Message.state))
    return {state: count for state, count in rows}
