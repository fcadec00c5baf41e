"""What a notice is, told to whoever holds its code and knows the end of the mobile it went to: its kind, no more.

Whose it is, what it says and what it is about stay behind the sign-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import String, column, select, table
from sqlalchemy.orm import Session

from portal.access import counters
from portal.access.limits import STANDARD, Guards
from portal.keys import Keys
from portal.notices import faces
from portal.notices.tails import Tail, try_tail
from portal.notices.verification import Asked, Face, Verdict, verdict_on

#: Of the notice itself its kind is read.
_NOTICE = table("notice", column("id"), column("channel", String))


@dataclass(frozen=True)
class More:
    """What is told. `reason`: ``shown``; ``refused`` (these digits and this code do not belong together, or there
    is no such code in force: nobody learns which); ``often`` (asked enough for today). `channel`: the kind."""

    reason: str
    face: Face | None = None
    channel: str = ""
    wait_seconds: int = 0


def ask(
    session: Session,
    asked: Asked,
    tail: str,
    *,
    keys: Keys,
    network: str,
    today: date,
    real_now: datetime,
    guards: Guards = STANDARD,
) -> More:
    """The kind of a notice. Each try is counted for the code, a wrong one for the network too; the same statements
    and the same answer whether there is such a code or not."""
    count = counters.count_towards(
        session, keys=keys, limit=guards.more_asked, key=asked.digest, real_now=real_now
    )
    found = Tail.WRONG

    def is_wrong(face: Face | None) -> bool:
        nonlocal found
        notice_id = face.notice_id if face else 0
        found = try_tail(session, keys, notice_id, tail, asked_digest=asked.digest, real_now=real_now)
        return found is not Tail.FITS

    tried = faces.try_code(
        session,
        asked,
        keys=keys,
        network=network,
        real_now=real_now,
        is_wrong=is_wrong,
        guards=guards,
        tail=tail,
    )
    channel = session.scalar(
        select(_NOTICE.c.channel).where(_NOTICE.c.id == (tried.face.notice_id if tried.face else 0))
    )
    if tried.wait_seconds:
        return More("refused", wait_seconds=tried.wait_seconds)
    if count > guards.more_asked.most or found is Tail.OFTEN:
        return More("often")
    is_live = verdict_on(asked, tried.face, today=today) is Verdict.GENUINE
    if not (found is Tail.FITS and is_live and channel):
        return More("refused")
    return More("shown", tried.face, channel)
