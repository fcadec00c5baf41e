"""Is who stands at the door ours? A staff number, perhaps an agency, and the code on the notice of the visit.

Only a live code gets an answer about a person, five times a day; a name is told of nobody but who is
announced for that notice, today, with a valid card and an agency that acts for us.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.access import counters
from portal.access.codes import is_separator
from portal.access.limits import STANDARD, Guards
from portal.keys import Keys
from portal.notices import faces
from portal.notices.verification import Asked, Verdict, verdict_on
from portal.visits.faces import claim_at_the_door, visit_face, visitors_of
from portal.visits.standing import Claim

LONGEST = 60


class Said(StrEnum):
    """The answer. Only CONFIRMED speaks for the visitor."""

    CONFIRMED = "confirmed"
    #: nobody of ours is announced so: the same for a number that nobody has
    NOT_CONFIRMED = "not_confirmed"
    #: announced, but may visit no more: has left, or the card or the agency's contract has run out
    NOT_VALID = "not_valid"
    #: announced, but not for today, or called off
    NOT_NOW = "not_now"
    #: the code is not one of ours, or holds no longer
    NO_CODE = "no_code"
    #: this code was asked with too often today
    OFTEN = "often"


@dataclass(frozen=True)
class Claimed:
    """What the visitor says, as it was typed, and the code on the notice."""

    staff: str
    agency: str
    asked: Asked


@dataclass(frozen=True)
class Answer:
    """What is said, and of a confirmed visitor the card's words. `wait_seconds`: this network must wait."""

    said: Said
    officer_ref: str = ""
    name: str = ""
    role: str = ""
    agency_name: str = ""
    people: int = 0
    wait_seconds: int = 0
    #: those of faces.Tried
    asks_tail: bool = False
    tail_refused: bool = False


_ANSWERS = {
    Claim.RIGHT: Said.CONFIRMED,
    Claim.LEFT: Said.NOT_VALID,
    Claim.CARD_EXPIRED: Said.NOT_VALID,
    Claim.AGENCY_ENDED: Said.NOT_VALID,
    Claim.NOT_TODAY: Said.NOT_NOW,
    Claim.OFF: Said.NOT_NOW,
    Claim.OTHER: Said.NOT_CONFIRMED,
    Claim.NO_VISIT: Said.NOT_CONFIRMED,
}


def ask(
    session: Session,
    claimed: Claimed,
    *,
    keys: Keys,
    network: str,
    local: Callable[[datetime], datetime],
    now: datetime,
    real_now: datetime,
    guards: Guards = STANDARD,
    tail: str = "",
) -> Answer:
    """The answer; a code that is not ours is counted as a typed one is. `local` is the bank's wall clock."""
    tried = faces.try_code(
        session, claimed.asked, keys=keys, network=network, real_now=real_now, guards=guards, tail=tail
    )
    if tried.wait_seconds or tried.asks_tail:
        return Answer(
            Said.NO_CODE,
            wait_seconds=tried.wait_seconds,
            asks_tail=tried.asks_tail,
            tail_refused=tried.tail_refused,
        )
    is_live = verdict_on(claimed.asked, tried.face, today=local(now).date()) is Verdict.GENUINE
    notice_id = tried.face.notice_id if tried.face and is_live else 0
    # what is no live code counts for nothing: a few rows for all of them, so that invented ones fill no disk
    key = f"notice:{notice_id}" if is_live else f"nobodys:{claimed.asked.digest[:2]}"
    count = counters.count_towards(session, keys=keys, limit=guards.visit_shown, key=key, real_now=real_now)
    answer = _answer(session, claimed, keys, notice_id, local=local, now=now)
    if not is_live:
        return Answer(Said.NO_CODE)
    return answer if count <= guards.visit_shown.most else Answer(Said.OFTEN)


def plain_number(text: str) -> str:
    """A staff number as it is kept: capitals, without spaces and dashes.

    >>> plain_number(" g１0-354 ")
    'G10354'
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).upper()
    return "".join(character for character in plain if not is_separator(character))


def is_agency(typed: str, name: str) -> bool:
    """Whether what was typed is the agency's name or a part of it that says something; nothing typed fits.

    >>> is_agency("", "临港信和资产"), is_agency("信和", "临港信和资产"), is_agency("信达资产", "临港信和资产")
    (True, True, False)
    """
    plain, whole = plain_number(typed), plain_number(name)
    return not plain or plain == whole or (len(plain) >= 2 and plain in whole)


def _answer(
    session: Session,
    claimed: Claimed,
    keys: Keys,
    notice_id: int,
    *,
    local: Callable[[datetime], datetime],
    now: datetime,
) -> Answer:
    staff = plain_number(claimed.staff)
    said = _ANSWERS[claim_at_the_door(session, notice_id, staff, now=now, local=local)]
    face = visit_face(session, notice_id)
    people = visitors_of(session, keys, face.visit_id if face else 0)
    who = next((one for one in people if one.officer_ref == staff), None)
    if said is not Said.CONFIRMED or face is None or who is None:
        return Answer(said)
    if not is_agency(claimed.agency, face.agency_name):
        return Answer(Said.NOT_CONFIRMED)
    return Answer(said, who.officer_ref, who.name, who.role, face.agency_name, face.people)
