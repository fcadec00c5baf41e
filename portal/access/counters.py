"""Security counters: raised by one upsert whose answer is compared, on both databases.

They are rows of the same database as everything else: where it cannot be reached nothing is let
through.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portal.access.limits import Limit
from portal.access.models import Counter
from portal.db import upsert
from portal.keys import Keys


def raise_counter(
    session: Session, *, keys: Keys, scope: str, key: str, window_seconds: int, real_now: datetime
) -> int:
    """Count one more of `scope` for `key` and return the count of the present window.

    Windows are fixed and start at multiples of `window_seconds`. The row stays locked until the
    caller's unit ends, so two raisers never see the same count.
    """
    statement = upsert(Counter).values(
        scope=scope,
        key_digest=keys.digest("counter", key),
        window_start=window_start(real_now, window_seconds),
        count=1,
    )
    raised = statement.on_conflict_do_update(
        index_elements=[Counter.scope, Counter.key_digest, Counter.window_start],
        set_={"count": Counter.count + 1},
    ).returning(Counter.count)
    return int(session.execute(raised).scalar_one())


def count_towards(session: Session, *, keys: Keys, limit: Limit, key: str, real_now: datetime) -> int:
    """`raise_counter` for a Limit; above `limit.most` the caller refuses."""
    return raise_counter(
        session, keys=keys, scope=limit.scope, key=key, window_seconds=limit.seconds, real_now=real_now
    )


def counted(session: Session, *, keys: Keys, limit: Limit, key: str, real_now: datetime) -> int:
    """The count of the present window, without raising it."""
    found = session.execute(
        select(Counter.count).where(
            Counter.scope == limit.scope,
            Counter.key_digest == keys.digest("counter", key),
            Counter.window_start == window_start(real_now, limit.seconds),
        )
    ).scalar_one_or_none()
    return found or 0


def give_back(session: Session, *, keys: Keys, limit: Limit, key: str, real_now: datetime) -> None:
    """Take one off again: the attempt was right and is no sign of guessing."""
    session.execute(
        update(Counter)
        .where(
            Counter.scope == limit.scope,
            Counter.key_digest == keys.digest("counter", key),
            Counter.window_start == window_start(real_now, limit.seconds),
            Counter.count > 0,
        )
        .values(count=Counter.count - 1)
        .execution_options(synchronize_session=False)
    )


def seconds_left(limit: Limit, real_now: datetime) -> int:
    """Until the present window ends: what a refused caller is told to wait."""
    return limit.seconds - int(real_now.timestamp()) % limit.seconds


def window_start(real_now: datetime, seconds: int) -> datetime:
    """The start of the window an instant lies in."""
    stamp = int(real_now.timestamp())
    return datetime.fromtimestamp(stamp - stamp % seconds, UTC)


def forget_counters(session: Session, *, real_now: datetime) -> None:
    """Delete counts of windows that ended more than a day ago."""
    session.execute(
        delete(Counter)
        .where(Counter.window_start < real_now - timedelta(days=2))
        .execution_options(synchronize_session=False)
    )
