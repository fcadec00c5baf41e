"""Telling the borrower that there is something to read: a reference, and no word of what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from portal.keys import Keys
from portal.messages.operations import queue

#: The kind of message (messages/texts.py).
NEWS = "news"


@dataclass(frozen=True)
class Teller:
    """How this portal writes to people: under which host, and whether it is the demonstration."""

    host: str
    demonstration: bool
    real_now: datetime


def tell(
    session: Session, *, keys: Keys, teller: Teller, borrower_id: int, reference: str, about: str
) -> bool:
    """Queue the text once for each thing it is `about`; False when it was queued before."""
    return queue(
        session,
        keys=keys,
        borrower_id=borrower_id,
        kind=NEWS,
        params={"host": teller.host, "reference": reference},
        dedupe_key=f"{NEWS}:{about}",
        asked_for=False,
        real_now=teller.real_now,
        demonstration=teller.demonstration,
    )
