"""How long the bank may take over a complaint, from the jurisdiction's pack. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from portal.jurisdictions import Jurisdiction

SIMPLE, COMPLEX = "simple", "complex"


@dataclass(frozen=True)
class Times:
    """Calendar days from the day it was received, each with where it is written; None: there is no such time."""

    simple: int
    complex: int | None
    extension: int | None
    sources: tuple[str, ...]

    def due_on(self, received_on: date, track: str, *, extended: bool = False) -> date:
        """The last day for the answer.

        >>> Times(15, 30, 30, ()).due_on(date(2026, 11, 20), "complex", extended=True)
        datetime.date(2027, 1, 19)
        """
        days = (self.complex or self.simple) if track == COMPLEX else self.simple
        return received_on + timedelta(days=days + ((self.extension or 0) if extended else 0))


def times_of(pack: Jurisdiction) -> Times:
    """The times that a pack gives."""
    simple, *rest = pack.complaint_days
    more = pack.complaint_extension_days
    sources = (*(fact.source for fact in pack.complaint_days), *((more.source,) if more else ()))
    return Times(simple.value, rest[0].value if rest else None, more.value if more else None, sources)


def days_left(due_on: date, today: date) -> int:
    """Whole days until the last one, below zero when it is over.

    >>> days_left(date(2026, 12, 5), date(2026, 11, 20)), days_left(date(2026, 11, 19), date(2026, 11, 20))
    (15, -1)
    """
    return (due_on - today).days
