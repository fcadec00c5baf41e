"""The end of the mobile that a notice went to: compared with what was typed, never told."""

from __future__ import annotations

import hmac
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, LargeBinary, column, select, table
from sqlalchemy.orm import Session

from portal.access import counters
from portal.access.limits import TAIL_WRONG
from portal.keys import Keys

#: Of the person behind a notice nothing is read but what is compared.
_NOTICE = table("notice", column("id"), column("borrower_id"))
_PERSON = table("borrower", column("id"), column("phone_tail_sealed", LargeBinary))


class Tail(StrEnum):
    """What came of the end of a mobile that was given with a code."""

    FITS = "fits"
    WRONG = "wrong"
    #: wrong too often, by whomever: this notice's is compared no more for the rest of the month
    OFTEN = "often"


def try_tail(
    session: Session, keys: Keys, notice_id: int, typed: str, *, asked_digest: str, real_now: datetime
) -> Tail:
    """Compare what was typed with the end of the mobile that the notice went to; counted before it is compared,
    and taken off again when it fits. A notice that there is not (0) is counted by what was asked."""
    key = f"notice:{notice_id}" if notice_id else asked_digest
    tries = counters.count_towards(session, keys=keys, limit=TAIL_WRONG, key=key, real_now=real_now)
    fits = ends_like(session, keys, notice_id, typed) and tries <= TAIL_WRONG.most
    counters.give_back(
        session, keys=keys, limit=TAIL_WRONG, key=key, real_now=real_now, count=1 if fits else 0
    )
    if fits:
        return Tail.FITS
    return Tail.OFTEN if tries > TAIL_WRONG.most else Tail.WRONG


def ends_like(connection: Connection | Session, keys: Keys, notice_id: int, typed: str) -> bool:
    """Whether `typed` is the last four digits of the mobile that the notice went to. The same work for a
    notice that there is not."""
    sealed = connection.scalar(
        select(_PERSON.c.phone_tail_sealed)
        .join(_NOTICE, _NOTICE.c.borrower_id == _PERSON.c.id)
        .where(_NOTICE.c.id == notice_id)
    )
    on_file = keys.unseal("borrower.phone_tail", sealed) if sealed else "\0"
    return hmac.compare_digest(on_file.encode(), typed.encode())
