"""The log of contacts: written down once each, measured against the rule, and a breach worked.

Everything that was recorded is measured, whoever recorded it. A contact that comes late is put where it
belongs, and what followed it is measured again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.contacts import ground
from portal.contacts.lifecycle import LIFECYCLE, BreachAction, BreachState
from portal.contacts.models import Contact, ContactBreach, ContactWish
from portal.contacts.news import News, Wanted, tell
from portal.contacts.rule import Block, Ground, against_at
from portal.contacts.rule import Contact as InQuestion
from portal.db import upsert
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys

#: The shortest hours a borrower may leave the bank; who wants less asks for no calls at all.
SHORTEST_HOURS = timedelta(hours=2)
NOTE_SIZE = 1000


@dataclass(frozen=True)
class Rules:
    """What contacts are measured by: the pack, and the zone of the borrowers' wall clocks."""

    pack: Jurisdiction
    zone: ZoneInfo

    @classmethod
    def of(cls, pack: Jurisdiction, zone: str) -> Rules:
        """The rules of a pack in a named zone."""
        return cls(pack, ZoneInfo(zone))


@dataclass(frozen=True, kw_only=True)
class Happened:
    """A contact to write down. `number` is clear and is kept as a keyed digest and a sealed tail only; of one that is
    known from an earlier contact `known` has both. See models.Contact for the codes."""

    borrower_id: int
    source: str
    source_ref: str
    channel: str
    at: datetime
    outcome: str
    number: str = ""
    known: tuple[str, str] = ("", "")
    direction: str = "out"
    party: str = "debtor"
    agency_id: int | None = None
    officer_ref: str = ""
    notice_id: int | None = None
    asked_for: bool = False
    pressing: bool = True


class CannotWork(Exception):
    """A breach that cannot be worked this way. `reason`: ``note`` (missing or too long), ``gone`` (somebody
    was faster, or there is no such breach)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadHours(ValueError):
    """Preferred hours that are not inside those of the law, or too short to reach anybody in."""


def record_contact(
    session: Session, *, keys: Keys, happened: Happened, rules: Rules, now: datetime, actor: Actor
) -> int | None:
    """Write one contact down and measure it; its row's id, None when it (its `source_ref`) is there already."""
    digest, tail = happened.known
    if happened.number:
        digest, tail = keys.digest("phone", happened.number), happened.number[-4:]
    contact_id = session.execute(
        upsert(Contact)
        .values(
            created_at=now,
            **{name: getattr(happened, name) for name in _COLUMNS},
            number_digest=digest,
            tail_sealed=keys.seal("contact.tail", tail) if tail else None,
            content_digest="",
        )
        .on_conflict_do_nothing(index_elements=["source_ref"])
        .returning(Contact.id)
    ).scalar()
    if contact_id is None:
        return None
    audit.record(
        session,
        actor=actor,
        event="contacts.recorded",
        subject_kind="borrower",
        subject_ref=happened.borrower_id,
        now=now,
        facts={"contact": contact_id, "channel": happened.channel, "outcome": happened.outcome},
    )
    measure(session, [happened.borrower_id], since=happened.at, rules=rules, now=now)
    return contact_id


_COLUMNS = (
    "borrower_id",
    "source",
    "source_ref",
    "channel",
    "direction",
    "party",
    "at",
    "outcome",
    "agency_id",
    "officer_ref",
    "notice_id",
    "asked_for",
    "pressing",
)


def measure(
    session: Session, borrower_ids: Collection[int], *, since: datetime, rules: Rules, now: datetime
) -> int:
    """Measure the contacts of these borrowers from `since` on; how many breaches were new."""
    grounds = ground.read(session, borrower_ids, since=since - ground.reach(rules.pack))
    rows = [
        {
            "created_at": now,
            "contact_id": contact_id,
            "borrower_id": borrower_id,
            "kind": block.reason,
            "detail": block.detail,
            "source": block.source[:200],
            "over": block.over,
            "state": LIFECYCLE.initial,
            "worked_by": "",
        }
        for borrower_id in borrower_ids
        for contact_id, block in breaches(grounds, borrower_id, since=since, rules=rules)
    ]
    found = 0
    for start in range(0, len(rows), 500):
        statement = (
            upsert(ContactBreach)
            .values(rows[start : start + 500])
            .on_conflict_do_nothing(index_elements=["contact_id", "kind"])
            .returning(ContactBreach.id)
        )
        found += len(session.execute(statement).all())
    return found


def breaches(
    grounds: ground.Grounds, borrower_id: int, *, since: datetime, rules: Rules
) -> Iterator[tuple[int, Block]]:
    """What the contacts of one borrower broke, each against what had happened before it."""
    before: list[Any] = []
    for one in grounds.contacts.get(borrower_id, ()):
        at = one.past.at.astimezone(rules.zone)
        if one.by_bank and one.past.at >= since:
            rests = Ground(
                rules.pack, before, grounds.holds.get(borrower_id, ()), grounds.wishes_at(borrower_id, at)
            )
            past = one.past
            asked = InQuestion(past.channel, past.number, one.pressing, past.to_third, past.outcome)
            for block in against_at(rests, asked, at):
                yield one.contact_id, block
        if one.counts:
            before.append(one.past)


def work_breach(
    session: Session,
    *,
    keys: Keys,
    breach_id: int,
    action: BreachAction,
    note: str,
    staff_ref: str,
    now: datetime,
) -> None:
    """Write down what was done about a breach. Raises CannotWork; one conditional UPDATE decides."""
    text = note.strip()
    if not text or len(text) > NOTE_SIZE:
        raise CannotWork("note")
    done = session.execute(
        update(ContactBreach)
        .where(ContactBreach.id == breach_id, ContactBreach.state.in_(LIFECYCLE.sources(action)))
        .values(
            state=LIFECYCLE.target(action),
            note_sealed=keys.seal("contact.note", text),
            worked_by=staff_ref,
            worked_at=now,
        )
        .returning(ContactBreach.contact_id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if done is None:
        raise CannotWork("gone")
    audit.record(
        session,
        actor=Actor("staff", staff_ref),
        event=f"contacts.breach_{action}",
        subject_kind="contact",
        subject_ref=done,
        now=now,
        facts={"breach": breach_id},
    )


@dataclass(frozen=True)
class Wish:
    """How a borrower wants to be contacted; both hours or none."""

    no_calls: bool = False
    no_messages: bool = False
    no_visits: bool = False
    opens: time | None = None
    closes: time | None = None


def wish(session: Session, *, borrower_id: int, wish: Wish, pack: Jurisdiction, now: datetime) -> None:
    """Keep a borrower's wishes from now on. Raises BadHours."""
    _check_hours(wish, pack)
    session.add(
        ContactWish(
            created_at=now,
            borrower_id=borrower_id,
            no_calls=wish.no_calls,
            no_messages=wish.no_messages,
            no_visits=wish.no_visits,
            opens_minute=_minute(wish.opens),
            closes_minute=_minute(wish.closes),
        )
    )
    session.flush()
    wanted = Wanted(
        calls=not wish.no_calls,
        messages=not wish.no_messages,
        visits=not wish.no_visits,
        opens=wish.opens,
        closes=wish.closes,
    )
    tell(session, borrower_id=borrower_id, news=News.CONTACT, now=now, wanted=wanted)
    without = [name for name in ("no_calls", "no_messages", "no_visits") if getattr(wish, name)]
    audit.record(
        session,
        actor=Actor("borrower", str(borrower_id)),
        event="contacts.wished",
        subject_kind="borrower",
        subject_ref=borrower_id,
        now=now,
        facts={"without": without, "hours": wish.opens is not None},
    )


def _minute(of: time | None) -> int | None:
    return None if of is None else of.hour * 60 + of.minute


def _check_hours(wish: Wish, pack: Jurisdiction) -> None:
    if wish.opens is None and wish.closes is None:
        return
    hours = pack.contact_hours
    if wish.opens is None or wish.closes is None:
        raise BadHours
    length = timedelta(
        hours=wish.closes.hour - wish.opens.hour, minutes=wish.closes.minute - wish.opens.minute
    )
    if not (hours.opens <= wish.opens and wish.closes <= hours.closes and length >= SHORTEST_HOURS):
        raise BadHours


__all__ = [
    "BreachState",
    "CannotWork",
    "Happened",
    "Rules",
    "Wish",
    "measure",
    "record_contact",
    "wish",
    "work_breach",
]
