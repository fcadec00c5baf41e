"""Texts as contacts: measured by the rule when they are about to go, written into the log when they went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from portal import audit
from portal.borrowers.models import Borrower
from portal.contacts import ground
from portal.contacts.log import Happened, Rules, record_contact
from portal.contacts.rule import Past
from portal.keys import Keys
from portal.messages.lifecycle import Action, State
from portal.messages.models import Message

#: A text that may not go is looked at again after so long: a hold may be lifted, a wish taken back.
LOOK_AGAIN = timedelta(minutes=15)
#: What a claim's end means for the contact that it was; what certainly did not go was none.
OUTCOMES: Mapping[Action, str] = {Action.HAND_OVER: "delivered", Action.LOSE: "unknown"}
#: Reminders press; all other kinds answer what the borrower did.
PRESSING = "notice"


@dataclass(frozen=True)
class Weighed:
    """Which texts may go now, and when each other one is looked at again."""

    now: tuple[int, ...]
    later: tuple[tuple[int, datetime], ...]


@dataclass(frozen=True)
class Sent:
    """A text that went, or may have gone."""

    message_id: int
    borrower_id: int | None
    kind: str
    phone: str
    dedupe_key: str
    asked_for: bool


def weigh(
    session: Session, candidates: Sequence[Row[*tuple[Any, ...]]], *, rules: Rules, now: datetime
) -> Weighed:
    """Measure the reminders among the candidates, each with those let through before it."""
    at = now.astimezone(rules.zone)
    people: list[int] = sorted({row.borrower_id for row in candidates if _presses(row)})
    if not people:
        return Weighed(tuple(row.id for row in candidates), ())
    # two workers do not weigh one person's reminders at once; others may refer to the row meanwhile
    session.execute(
        select(Borrower.id)
        .where(Borrower.id.in_(people))
        .order_by(Borrower.id)
        .with_for_update(key_share=True)
    ).all()
    grounds = ground.read(session, people, since=at - ground.reach(rules.pack))
    under_way = _under_way(session, people, at)
    may: list[int] = []
    later: list[tuple[int, datetime]] = []
    for row in candidates:
        if not _presses(row):
            may.append(row.id)
            continue
        answer = ground.answer(
            grounds,
            row.borrower_id,
            channel="sms",
            number=row.phone_digest,
            at=at,
            pack=rules.pack,
            besides=tuple(under_way[row.borrower_id]),
        )
        if answer.allowed:
            may.append(row.id)
            under_way[row.borrower_id].append(Past("sms", at, "unknown", row.phone_digest))
        else:
            again = now + LOOK_AGAIN
            later.append((row.id, min(answer.earliest or again, again)))
    return Weighed(tuple(may), tuple(later))


def _presses(row: Row[*tuple[Any, ...]]) -> bool:
    return row.kind == PRESSING and not row.asked_for and row.borrower_id is not None


def _under_way(session: Session, people: Collection[int], at: datetime) -> dict[int, list[Past]]:
    """Reminders that another claim is handing over."""
    rows = session.execute(
        select(Message.borrower_id, Message.phone_digest).where(
            Message.borrower_id.in_(people),
            Message.state == State.SENDING,
            Message.kind == PRESSING,
            Message.asked_for.is_(False),
        )
    )
    found: dict[int, list[Past]] = defaultdict(list)
    for borrower_id, digest in rows:
        if borrower_id is not None:
            found[borrower_id].append(Past("sms", at, "unknown", digest))
    return found


def log_contact(
    session: Session, *, keys: Keys, rules: Rules, sent: Sent, outcome: str, now: datetime
) -> None:
    """Write the contact that a text was into the log."""
    if sent.borrower_id is None:
        return
    notice = sent.dedupe_key.removeprefix("notice:").partition(":")[0] if sent.kind == PRESSING else ""
    record_contact(
        session,
        keys=keys,
        happened=Happened(
            borrower_id=sent.borrower_id,
            source="portal",
            source_ref=f"message:{sent.message_id}",
            channel="sms",
            at=now,
            outcome=outcome,
            number=sent.phone,
            notice_id=int(notice) if notice.isdigit() else None,
            asked_for=sent.asked_for,
            pressing=sent.kind == PRESSING,
        ),
        rules=rules,
        now=now,
        actor=audit.SYSTEM,
    )
