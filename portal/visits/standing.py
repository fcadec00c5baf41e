"""How a visit stands at one instant, and what is said of somebody who claims to make it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from portal.visits.lifecycle import State


class Standing(StrEnum):
    """What is said of a visit. Only the first two speak for whoever rings."""

    TODAY = "today"
    ANNOUNCED = "announced"
    OFF = "off"
    OVER = "over"
    #: the visitor has left, the card has run out, or the agency's contract has
    NOT_VALID = "not_valid"


class Claim(StrEnum):
    """The answer on a staff number at the door. Only RIGHT says that somebody may be let speak."""

    RIGHT = "right"
    #: not a number announced for this notice; the same whether anybody of ours has it or nobody
    OTHER = "other"
    LEFT = "left"
    CARD_EXPIRED = "card_expired"
    AGENCY_ENDED = "agency_ended"
    NOT_TODAY = "not_today"
    OFF = "off"
    #: the notice announces no visit
    NO_VISIT = "no_visit"


@dataclass(frozen=True)
class Hours:
    """When a visit is announced for and what became of it."""

    state: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Card:
    """What is known of somebody announced: in service, the card's last day, the agency's days."""

    in_service: bool
    card_valid_until: date
    agency_from: date
    agency_until: date
    agency_in_service: bool

    def fault(self, day: date) -> Claim | None:
        """Why this person may not visit on `day`; None when they may."""
        if not self.in_service:
            return Claim.LEFT
        if not (self.agency_in_service and self.agency_from <= day <= self.agency_until):
            return Claim.AGENCY_ENDED
        return Claim.CARD_EXPIRED if self.card_valid_until < day else None


def standing_of(hours: Hours, lead: Card, *, now: datetime, today: date, day: date) -> Standing:
    """How a visit stands; `today` and `day` (the visit's) are days in the bank's zone. A lead officer who
    may not visit on that day, or may not any more, makes the visit invalid."""
    if hours.state == State.DONE:
        return Standing.OVER
    if hours.state != State.PLANNED:
        return Standing.OFF
    if hours.ends_at <= now:
        return Standing.OVER
    if lead.fault(day) or lead.fault(today):
        return Standing.NOT_VALID
    return Standing.TODAY if day == today else Standing.ANNOUNCED


def claim_of(
    hours: Hours | None, card: Card | None, *, now: datetime, today: date, day: date | None
) -> Claim:
    """What is said of a staff number given with a live notice code. `hours` is the visit of that notice,
    `card` the announced person with that number; None where there is none."""
    if hours is None or day is None:
        return Claim.NO_VISIT
    if card is None:
        return Claim.OTHER
    if hours.state != State.PLANNED:
        return Claim.OFF
    fault = card.fault(today)
    if fault:
        return fault
    return Claim.RIGHT if day == today and now < hours.ends_at else Claim.NOT_TODAY
