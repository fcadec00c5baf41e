"""What the borrower may do about a visit: move it, refuse it, ask for another place, ask for no visits.

Each is one conditional change of a row with its record; the officer's page and the desk read the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts.news import News, tell
from portal.contacts.queries import holds_in_force
from portal.contacts.rule import WRONG_NUMBER
from portal.db import upsert
from portal.keys import Keys
from portal.states import NotAllowed
from portal.visits.lifecycle import LIFECYCLE, Action, State
from portal.visits.models import NoVisits, Officer, Visit
from portal.visits.windows import Rule, Window, free_windows

#: `off_reason` of what the borrower wants, for one visit and for all.
BY_BORROWER = "borrower"
NO_VISITS = "no_visits"
#: A place is a line or two.
LONGEST_PLACE = 200


class NoSuchVisit(Exception):
    """The borrower has no such visit."""


class NotFree(Exception):
    """The window is not, or no longer, one that may be chosen."""


class NoPlace(Exception):
    """No place was written, or one that is too long."""


def windows_for(
    connection: Connection | Session,
    borrower_id: int,
    visit_ref: str,
    *,
    rule: Rule,
    asked_on: date,
    now: datetime,
) -> tuple[Window, ...]:
    """The windows this visit may be moved to, as long as it has now. Raises NoSuchVisit."""
    visit = _own(connection, borrower_id, visit_ref)
    officers = [ref for ref in (visit.lead_officer_id, visit.second_officer_id) if ref is not None]
    busy = connection.execute(
        select(Visit.starts_at, Visit.ends_at).where(
            or_(Visit.lead_officer_id.in_(officers), Visit.second_officer_id.in_(officers)),
            Visit.state == State.PLANNED,
            Visit.ends_at > now,
            Visit.id != visit.id,
        )
    )
    taken = [Window(*row) for row in busy]
    own = Window(visit.starts_at, visit.ends_at)
    return free_windows(rule, asked_on=asked_on, duration=own.ends_at - own.starts_at, busy=[*taken, own])


def move(
    session: Session,
    *,
    borrower_id: int,
    visit_ref: str,
    starts_at: datetime,
    rule: Rule,
    asked_on: date,
    now: datetime,
) -> Window:
    """Move the visit to the offered window that begins at `starts_at`.

    Whoever else moves a visit of the same officers waits, so that no two choose one window. Raises
    NoSuchVisit, NotFree, NotAllowed.
    """
    visit = _own(session, borrower_id, visit_ref)
    _hold_officers(session, visit.lead_officer_id, visit.second_officer_id)
    offered = windows_for(session, borrower_id, visit_ref, rule=rule, asked_on=asked_on, now=now)
    chosen = next((window for window in offered if window.starts_at == starts_at), None)
    if chosen is None:
        raise NotFree(visit_ref)
    values = {
        "starts_at": chosen.starts_at,
        "ends_at": chosen.ends_at,
        "moved_from": func.coalesce(Visit.moved_from, visit.starts_at),
    }
    facts = {"from": visit.starts_at.isoformat(), "to": chosen.starts_at.isoformat()}
    _change(session, Action.MOVE, borrower_id, visit_ref, values=values, facts=facts, now=now)
    window = (chosen.starts_at, chosen.ends_at)
    tell(session, borrower_id=borrower_id, news=News.VISIT_MOVED, now=now, visit_ref=visit_ref, window=window)
    return chosen


def refuse(session: Session, *, borrower_id: int, visit_ref: str, now: datetime) -> None:
    """The borrower does not want this visit. Raises NoSuchVisit, NotAllowed."""
    _own(session, borrower_id, visit_ref)
    values = {"off_reason": BY_BORROWER}
    _change(session, Action.REFUSE, borrower_id, visit_ref, values=values, facts={}, now=now)
    tell(session, borrower_id=borrower_id, news=News.VISIT_REFUSED, now=now, visit_ref=visit_ref)


def ask_place(
    session: Session, *, keys: Keys, borrower_id: int, visit_ref: str, place: str, now: datetime
) -> None:
    """The borrower wants to meet at `place`; nobody comes until the bank has answered. Raises NoSuchVisit,
    NoPlace, NotAllowed."""
    _own(session, borrower_id, visit_ref)
    wanted = " ".join(place.split())
    if not 0 < len(wanted) <= LONGEST_PLACE:
        raise NoPlace(visit_ref)
    values = {"place_asked_sealed": keys.seal("visit.address", wanted), "off_reason": BY_BORROWER}
    _change(session, Action.ASK_PLACE, borrower_id, visit_ref, values=values, facts={}, now=now)
    tell(session, borrower_id=borrower_id, news=News.VISIT_PLACE_ASKED, now=now, visit_ref=visit_ref)


def agree_place(session: Session, *, visit_ref: str, actor: Actor, now: datetime) -> None:
    """The bank agrees to the place asked for: the visit is planned again, there. Not after its hour, and not
    while contacts rest. Raises NoSuchVisit, NotAllowed."""
    visit = session.execute(select(Visit.borrower_id).where(Visit.visit_ref == visit_ref)).one_or_none()
    if visit is None:
        raise NoSuchVisit(visit_ref)
    if any(hold.reason != WRONG_NUMBER for hold in holds_in_force(session, visit.borrower_id, now=now)):
        raise NotAllowed(LIFECYCLE.name, State.PLACE_ASKED, Action.AGREE_PLACE)
    values = {"address_sealed": Visit.place_asked_sealed, "off_reason": None}
    _change(
        session,
        Action.AGREE_PLACE,
        visit.borrower_id,
        visit_ref,
        values=values,
        facts={},
        now=now,
        actor=actor,
    )


def decline_place(session: Session, *, visit_ref: str, actor: Actor, now: datetime) -> None:
    """The bank cannot come there: the visit is called off. Raises NoSuchVisit, NotAllowed."""
    visit = session.execute(
        select(Visit.borrower_id, Visit.state).where(Visit.visit_ref == visit_ref)
    ).one_or_none()
    if visit is None:
        raise NoSuchVisit(visit_ref)
    if visit.state != State.PLACE_ASKED:
        raise NotAllowed(LIFECYCLE.name, visit.state, Action.CANCEL)
    values = {"off_reason": "bank"}
    _change(
        session, Action.CANCEL, visit.borrower_id, visit_ref, values=values, facts={}, now=now, actor=actor
    )


def ask_no_visits(session: Session, *, borrower_id: int, now: datetime) -> int:
    """No visits any more, of this borrower's own wish: every visit still to come is refused; how many were.

    Asking again changes nothing.
    """
    placed = session.execute(
        upsert(NoVisits)
        .values(borrower_id=borrower_id, created_at=now)
        .on_conflict_do_nothing()
        .returning(NoVisits.id)
    ).scalar()
    if placed is not None:
        _record(session, _borrower(borrower_id), "visits.none_wanted", "borrower", borrower_id, now, {})
        tell(session, borrower_id=borrower_id, news=News.NO_VISITS, now=now)
    return refuse_unwanted(session, now=now, borrower_id=borrower_id)


def lift_no_visits(session: Session, *, borrower_id: int, now: datetime) -> bool:
    """Visits may be announced again; whether they had been unwanted."""
    lifted = session.execute(
        update(NoVisits)
        .where(NoVisits.borrower_id == borrower_id, NoVisits.lifted_at.is_(None))
        .values(lifted_at=now)
        .returning(NoVisits.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if lifted is not None:
        _record(session, _borrower(borrower_id), "visits.wanted_again", "borrower", borrower_id, now, {})
        tell(session, borrower_id=borrower_id, news=News.VISITS_AGAIN, now=now)
    return lifted is not None


def refuse_unwanted(session: Session, *, now: datetime, borrower_id: int | None = None) -> int:
    """Refuse what is announced to people who want no visits: to this one, or (after an intake) to all."""
    wishes = select(NoVisits.borrower_id).where(NoVisits.lifted_at.is_(None))
    if borrower_id is not None:
        wishes = wishes.where(NoVisits.borrower_id == borrower_id)
    refused = session.execute(
        update(Visit)
        .where(Visit.borrower_id.in_(wishes), Visit.state.in_(LIFECYCLE.sources(Action.REFUSE)))
        .where(Visit.ends_at > now)
        .values(state=State.REFUSED, off_reason=NO_VISITS)
        .returning(Visit.visit_ref, Visit.borrower_id)
        .execution_options(synchronize_session="fetch")
    ).all()
    for row in refused:
        facts = {"borrower": row.borrower_id, "reason": NO_VISITS}
        _record(session, _borrower(row.borrower_id), "visits.refuse", "visit", row.visit_ref, now, facts)
        tell(
            session,
            borrower_id=row.borrower_id,
            news=News.VISIT_REFUSED,
            now=now,
            visit_ref=row.visit_ref,
        )
    return len(refused)


def wants_none(connection: Connection | Session, borrower_id: int) -> bool:
    """Whether the borrower asked for no visits."""
    found = select(NoVisits.id).where(NoVisits.borrower_id == borrower_id, NoVisits.lifted_at.is_(None))
    return connection.scalar(found) is not None


def _own(connection: Connection | Session, borrower_id: int, visit_ref: str) -> Any:
    row = connection.execute(
        select(
            Visit.id, Visit.starts_at, Visit.ends_at, Visit.lead_officer_id, Visit.second_officer_id
        ).where(Visit.borrower_id == borrower_id, Visit.visit_ref == visit_ref)
    ).one_or_none()
    if row is None:
        raise NoSuchVisit(visit_ref)
    return row


def _hold_officers(session: Session, *officer_ids: int | None) -> None:
    """Lock the rows of who would come, in one order for everybody."""
    wanted = [officer_id for officer_id in officer_ids if officer_id is not None]
    session.execute(
        select(Officer.id).where(Officer.id.in_(wanted)).order_by(Officer.id).with_for_update()
    ).all()


def _change(
    session: Session,
    action: Action,
    borrower_id: int,
    visit_ref: str,
    *,
    values: Mapping[str, Any],
    facts: Mapping[str, Any],
    now: datetime,
    actor: Actor | None = None,
) -> None:
    """One conditional change of a visit that still lies ahead. Raises NotAllowed."""
    changed = session.execute(
        update(Visit)
        .where(Visit.borrower_id == borrower_id, Visit.visit_ref == visit_ref, Visit.ends_at > now)
        .where(Visit.state.in_(LIFECYCLE.sources(action)))
        .values(state=LIFECYCLE.target(action), **values)
        .returning(Visit.id)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    if changed is None:
        raise NotAllowed(LIFECYCLE.name, "", action)
    told = {"borrower": borrower_id, **facts}
    _record(session, actor or _borrower(borrower_id), f"visits.{action}", "visit", visit_ref, now, told)


def _borrower(borrower_id: int) -> Actor:
    return Actor("borrower", str(borrower_id))


def _record(
    session: Session,
    actor: Actor,
    event: str,
    kind: str,
    ref: str | int,
    now: datetime,
    facts: Mapping[str, Any],
) -> None:
    audit.record(session, actor=actor, event=event, subject_kind=kind, subject_ref=ref, now=now, facts=facts)
