"""A visit with a minted code, its officers, and the borrower it is announced to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from portal.access.codes import PURPOSES, new_code
from portal.keys import Keys
from portal.notices.faces import NoticeFace
from portal.visits.models import Visit
from tests import people
from tests.conftest import BANK_MORNING
from tests.notices.made import notice

#: 15:00 in Shanghai on the day of BANK_MORNING (09:00)
AFTERNOON = BANK_MORNING + timedelta(hours=6)


@dataclass(frozen=True)
class Announced:
    """What a test needs of one announced visit. Lin's mobile ends in 0034."""

    visit_ref: str
    notice_id: int
    borrower_id: int
    code: str
    tail: str = "0034"


def announced(
    session: Session,
    keys: Keys,
    *,
    borrower_id: int,
    visit_ref: str = "V1",
    officer_id: int | None = None,
    second_id: int | None = None,
    starts_at: datetime = AFTERNOON,
    state: str = "planned",
) -> Announced:
    """An hour's visit by G10354 (or `officer_id`), announced by a visit notice whose code is live."""
    lead = officer_id or people.officer(session, keys)
    code, notice_id = (
        new_code(),
        notice(session, borrower_id=borrower_id, notice_ref=f"N-{visit_ref}", channel="visit"),
    )
    session.add(
        NoticeFace(
            notice_id=notice_id,
            code_digest=keys.digest(PURPOSES["code"], code),
            token_digest=keys.digest(PURPOSES["token"], f"token-{visit_ref}"),
            issued_on=date(2026, 11, 18),
            expires_on=date(2026, 12, 31),
            status="live",
            mobile_tail="34",
        )
    )
    session.add(
        Visit(
            created_at=BANK_MORNING,
            visit_ref=visit_ref,
            notice_id=notice_id,
            borrower_id=borrower_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            address_sealed=keys.seal("visit.address", "临港市海湾路37号22幢"),
            lead_officer_id=lead,
            second_officer_id=second_id,
            purpose="了解情况，协商安排",
            state=state,
            batch_sequence=1,
        )
    )
    session.flush()
    return Announced(visit_ref, notice_id, borrower_id, code)
