"""How often somebody may begin a payment: our form is no place to test stolen cards (AC41)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from portal.access.counters import count_towards
from portal.access.limits import PAY_ATTEMPTS
from portal.keys import Keys


class TooManyTries(Exception):
    """More payments were begun in the last minutes than a person begins; nothing was begun."""


def count_attempt(session: Session, *, keys: Keys, who: Sequence[str], real_now: datetime) -> None:
    """Count a new attempt for each of `who` (a session, a person, a link). Raises TooManyTries, and the
    caller's unit takes the attempt back."""
    for key in who:
        if (
            count_towards(session, keys=keys, limit=PAY_ATTEMPTS, key=key, real_now=real_now)
            > PAY_ATTEMPTS.most
        ):
            raise TooManyTries(key.partition(":")[0])
