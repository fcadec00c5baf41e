"""How far the bank's contacts with the borrower of a case have got, and whether a next one may be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from portal.contacts import ground, log_queries
from portal.contacts.log_queries import ContactView
from portal.contacts.rule import MayContact
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.plans.standing import NextStep, ladder_of, next_step_of, standing_for

#: Contacts shown beside a case.
SHOWN = 8


@dataclass(frozen=True)
class Reached:
    """The newest contacts and how many there are, the next step of the ladder, and a call at this moment."""

    contacts: tuple[ContactView, ...]
    total: int
    next: NextStep | None
    call: MayContact


def reached(
    connection: Connection,
    keys: Keys,
    borrower_id: int,
    *,
    now: datetime,
    local: Callable[[datetime], datetime],
    pack: Jurisdiction,
) -> Reached:
    """The contacts of one borrower; `local` reads an instant on the bank's wall clock."""
    standing = standing_for(connection, borrower_id, now=now)
    ladder = ladder_of(standing, now=now, local=local)
    return Reached(
        contacts=log_queries.contacts_for(connection, keys, borrower_id, limit=SHOWN),
        total=log_queries.contact_count(connection, borrower_id),
        next=next_step_of(ladder, standing, now=now, local=local, pack=pack),
        call=ground.may_contact(connection, borrower_id, channel="call", at=local(now), pack=pack),
    )
