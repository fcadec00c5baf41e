"""Security counters: raised by one upsert whose answer is compared, on both databases.

They are rows of the same database as everything else: where it cannot be reached nothing is let
through.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Integer, bindparam, delete, select, update
from sqlalchemy.orm import Session

from portal.access.limits import TAIL_WRONG, Limit
from portal.access.models import Counter
from portal.db import UtcDateTime, upsert
from portal.keys import Keys
from portal.ready import Ready


def raise_counter(
    session: Session, *, keys: Keys, scope: str, key: str, window_seconds: int, real_now: datetime
) -> int:
    """Count one more of `scope` for `key` and return the count of the present window.

    Windows are fixed and start at multiples of `window_seconds`. The row stays locked until the
    caller's unit ends, so two raisers never see the same count.
    """
    return _add(session, keys, [(scope, key, window_start(real_now, window_seconds), 1)])[scope]


def add(
    session: Session, more: Sequence[tuple[Limit, str, int]], *, keys: Keys, real_now: datetime
) -> dict[str, int]:
    """Add to the counts of several limits, each for its key, by one statement; all counts by scope.

    Adding nought costs what adding one costs, and tells the count. The rows stay locked as with
    `raise_counter`; callers name the limits in the same order, so that none waits for another in turn.
    """
    rows = [(limit.scope, key, window_start(real_now, limit.seconds), count) for limit, key, count in more]
    return _add(session, keys, rows)


def _add(session: Session, keys: Keys, rows: Sequence[tuple[str, str, datetime, int]]) -> dict[str, int]:
    given: dict[str, object] = {}
    for place, (scope, key, start, count) in enumerate(rows):
        given[f"scope_{place}"] = scope
        given[f"key_{place}"] = keys.digest("counter", key)
        given[f"start_{place}"] = start
        given[f"count_{place}"] = count
    return dict(_adding(len(rows)).rows(session, given))


@functools.cache
def _adding(how_many: int) -> Ready:
    """The upsert of so many counts, written once: making it costs ten times what running it does."""
    rows = [
        {
            "scope": bindparam(f"scope_{place}"),
            "key_digest": bindparam(f"key_{place}"),
            "window_start": bindparam(f"start_{place}", type_=UtcDateTime),
            "count": bindparam(f"count_{place}", type_=Integer),
        }
        for place in range(how_many)
    ]
    statement = upsert(Counter).values(rows)
    return Ready(
        statement.on_conflict_do_update(
            index_elements=[Counter.scope, Counter.key_digest, Counter.window_start],
            set_={"count": Counter.count + statement.excluded.count},
        ).returning(Counter.scope, Counter.count)
    )


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


def give_back(
    session: Session, *, keys: Keys, limit: Limit, key: str, real_now: datetime, count: int = 1
) -> None:
    """Take one off again: the attempt was right and is no sign of guessing. With a `count` of 0 the same statement
    changes nothing."""
    session.execute(
        update(Counter)
        .where(
            Counter.scope == limit.scope,
            Counter.key_digest == keys.digest("counter", key),
            Counter.window_start == window_start(real_now, limit.seconds),
            Counter.count > 0,
        )
        .values(count=Counter.count - count)
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
    """Delete counts of windows that ended more than a day ago; of the one limit that counts for a month, when
    that is over."""
    month = timedelta(seconds=TAIL_WRONG.seconds)
    old = (Counter.window_start < real_now - timedelta(days=2)) & (Counter.scope != TAIL_WRONG.scope)
    session.execute(
        delete(Counter)
        .where(old | (Counter.window_start < real_now - month - timedelta(days=1)))
        .execution_options(synchronize_session=False)
    )
