"""The end of the mobile that a notice went to: compared with what was typed, never told."""

from __future__ import annotations

import hmac

from sqlalchemy import Connection, LargeBinary, column, select, table
from sqlalchemy.orm import Session

from portal.keys import Keys

#: Of the person behind a notice nothing is read but what is compared.
_NOTICE = table("notice", column("id"), column("borrower_id"))
_PERSON = table("borrower", column("id"), column("phone_tail_sealed", LargeBinary))


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
