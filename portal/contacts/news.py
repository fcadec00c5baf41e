"""Writing down what the bank's core must hear of how a borrower wants to be reached; sent by outgoing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.access.codes import new_reference
from portal.contacts.models import ContactNews


class News(StrEnum):
    """What there is to hear."""

    VISIT_MOVED = "visit_moved"
    VISIT_REFUSED = "visit_refused"
    VISIT_PLACE_ASKED = "visit_place_asked"
    NO_VISITS = "no_visits"
    VISITS_AGAIN = "visits_again"
    #: wishes about calls, messages, visits and hours; the latest counts
    CONTACT = "contact"
    NUMBER_CORRECTED = "number_corrected"
    NUMBER_RIGHT = "number_right"
    NUMBER_BARRED = "number_barred"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which ways a borrower leaves open, and the hours that suit; both or none."""

    calls: bool
    messages: bool
    visits: bool
    opens: time | None = None
    closes: time | None = None


def tell(
    session: Session,
    *,
    borrower_id: int,
    news: News,
    now: datetime,
    visit_ref: str = "",
    window: tuple[datetime, datetime] | None = None,
    wanted: Wanted | None = None,
) -> None:
    """Put one thing before the core, in the transaction that makes it true."""
    session.add(
        ContactNews(
            created_at=now,
            reference=new_reference("W"),
            borrower_id=borrower_id,
            wish=news,
            visit_ref=visit_ref,
            starts_at=window[0] if window else None,
            ends_at=window[1] if window else None,
            calls=wanted.calls if wanted else None,
            messages=wanted.messages if wanted else None,
            visits=wanted.visits if wanted else None,
            opens_minute=_minute(wanted.opens) if wanted else None,
            closes_minute=_minute(wanted.closes) if wanted else None,
        )
    )
    session.flush()


def _minute(of: time | None) -> int | None:
    return None if of is None else of.hour * 60 + of.minute
