"""What waits in the outbox."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from portal.messages.lifecycle import State
from portal.messages.models import Message


def anything_queued(connection: Connection | Session) -> bool:
    """Whether a worker has reason to claim: spares an idle portal its write transactions."""
    return connection.scalar(select(Message.id).where(Message.state == State.QUEUED).limit(1)) is not None
