"""A pass: what an address carries after a notice's code and the mobile's end were right. Nothing is stored.

It names the notice and its own end, sealed, so that it can be neither read nor made outside; whether the
notice is still genuine is asked of its row each time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.keys import Keys, Unsealable
from portal.signing import encoding

#: From the code to the door and a little longer.
LIFE = timedelta(hours=3)
_PURPOSE = "visit.pass"


def new_pass(keys: Keys, notice_id: int, *, real_now: datetime) -> str:
    """A pass for the visit of one notice, good for LIFE."""
    sealed = keys.seal(_PURPOSE, f"{notice_id} {int((real_now + LIFE).timestamp())}")
    return encoding.encode(sealed)


def notice_of(keys: Keys, given: str, *, real_now: datetime) -> int | None:
    """The notice a pass is for; None for one that is not ours or has run out."""
    try:
        notice_id, ends = keys.unseal(_PURPOSE, encoding.decode(given)).split(" ")
    except (ValueError, Unsealable):
        return None
    return int(notice_id) if int(ends) > real_now.timestamp() else None
