"""The outbox: what must be said is queued once, claimed by one worker, and handed over at most once.

A claim is a lease. A worker that dies with one leaves a message nobody can vouch for: it is marked
unknown and never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, or_, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.borrowers.models import Borrower
from portal.contacts.log import Rules
from portal.contacts.models import Hold
from portal.contacts.queries import is_in_force
from portal.db import upsert
from portal.keys import Keys
from portal.messages.contacting import OUTCOMES, Sent, log_contact, weigh
from portal.messages.lifecycle import LIFECYCLE, Action, State
from portal.messages.models import Message
from portal.messages.texts import KINDS, text_for

LEASE_SECONDS = 120
#: How long nothing is sent to a number that the bank's file has changed.
NEW_NUMBER_RESTS = timedelta(hours=24)
#: How often a provider that was certainly not reached is tried, and the pause, doubled each time.
MOST_ATTEMPTS = 5
RETRY_SECONDS = 30


class LeaseLost(Exception):
    """The outcome of a claim that is no longer this worker's."""


@dataclass(frozen=True)
class Claimed:
    """A message in the hands of one worker. `attempt` fences it against a claim of another time."""

    id: int
    attempt: int
    owner: str
    kind: str
    phone: str
    text: str
    dedupe_key: str
    demonstration: bool


def queue(
    session: Session,
    *,
    keys: Keys,
    borrower_id: int,
    kind: str,
    params: Mapping[str, str],
    dedupe_key: str,
    asked_for: bool,
    real_now: datetime,
    expires_at: datetime | None = None,
    demonstration: bool = False,
) -> bool:
    """Queue one text to the borrower's number on file, in the borrower's language.

    The same `dedupe_key` again changes nothing and answers False. Raises KeyError for an unknown kind
    or a missing parameter, LookupError for an unknown borrower.
    """
    if kind not in KINDS:
        raise KeyError(kind)
    person = session.execute(
        select(Borrower.language, Borrower.phone_sealed, Borrower.phone_digest).where(
            Borrower.id == borrower_id
        )
    ).one_or_none()
    if person is None:
        raise LookupError(f"no borrower {borrower_id}")
    phone = keys.unseal("borrower.phone", person.phone_sealed)
    queued = session.execute(
        upsert(Message)
        .values(
            created_at=real_now,
            dedupe_key=dedupe_key,
            borrower_id=borrower_id,
            kind=kind,
            language=person.language,
            phone_sealed=keys.seal("message.phone", phone),
            phone_digest=person.phone_digest,
            text_sealed=keys.seal("message.text", text_for(kind, person.language, params)),
            state=LIFECYCLE.initial,
            expires_at=expires_at,
            asked_for=asked_for,
            attempts=0,
            demonstration=demonstration,
        )
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
        .returning(Message.id)
    ).scalar()
    return queued is not None


def claim(
    session: Session,
    *,
    keys: Keys,
    owner: str,
    real_now: datetime,
    now: datetime,
    rules: Rules,
    limit: int = 20,
) -> tuple[Claimed, ...]:
    """Take up to `limit` messages that may go now, those just asked for first, under a lease.

    Each is measured by the rule on contacts at this very moment, `now` on the bank's clock, together with
    what is on its way; what may not go yet is put back with the instant of its next look. Rows that another
    worker looks at are skipped on PostgreSQL; on SQLite there is one writer.
    """
    quiet = not rules.pack.contact_hours.allow(now.astimezone(rules.zone).time())
    while True:
        candidates = session.execute(
            select(Message.id, Message.borrower_id, Message.kind, Message.phone_digest, Message.asked_for)
            .where(Message.state == State.QUEUED, *_may_go(real_now=real_now, now=now, quiet=quiet))
            .order_by(Message.asked_for.desc(), Message.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=Message)
        ).all()
        weighed = weigh(session, candidates, rules=rules, now=now)
        for message_id, until in weighed.later:
            session.execute(
                update(Message)
                .where(Message.id == message_id)
                .values(not_before=until)
                .execution_options(synchronize_session=False)
            )
        if weighed.now or not candidates:
            return _claimed(session, weighed.now, keys=keys, owner=owner, real_now=real_now)


def _claimed(
    session: Session, ids: Sequence[int], *, keys: Keys, owner: str, real_now: datetime
) -> tuple[Claimed, ...]:
    rows = session.execute(
        update(Message)
        .where(Message.id.in_(ids), Message.state == State.QUEUED)
        .values(
            state=LIFECYCLE.after(State.QUEUED, Action.CLAIM),
            lease_owner=owner,
            lease_until=real_now + timedelta(seconds=LEASE_SECONDS),
            attempts=Message.attempts + 1,
        )
        .returning(
            Message.id,
            Message.attempts,
            Message.kind,
            Message.phone_sealed,
            Message.text_sealed,
            Message.dedupe_key,
            Message.demonstration,
            Message.asked_for,
        )
        .execution_options(synchronize_session=False)
    ).all()
    return tuple(
        Claimed(
            id=row.id,
            attempt=row.attempts,
            owner=owner,
            kind=row.kind,
            phone=keys.unseal("message.phone", row.phone_sealed),
            text=keys.unseal("message.text", row.text_sealed),
            dedupe_key=row.dedupe_key,
            demonstration=row.demonstration,
        )
        for row in sorted(rows, key=lambda row: (not row.asked_for, row.id))
    )


def _may_go(*, real_now: datetime, now: datetime, quiet: bool) -> list[ColumnElement[bool]]:
    """A reminder waits for any hold; other news only for the hold on a wrong number. To a number that the
    bank's file has just changed nothing goes, not even what was asked for: it may be a stranger's."""
    held = exists(
        select(Hold.id).where(
            Hold.borrower_id == Message.borrower_id,
            is_in_force(now),
            or_(Message.kind == "notice", Hold.reason == "wrong_number"),
        )
    )
    new_number = exists(
        select(Borrower.id).where(
            Borrower.id == Message.borrower_id, Borrower.phone_changed_at > now - NEW_NUMBER_RESTS
        )
    )
    conditions = [
        ~new_number,
        or_(Message.lease_until.is_(None), Message.lease_until <= real_now),
        or_(Message.expires_at.is_(None), Message.expires_at > real_now),
        or_(Message.not_before.is_(None), Message.not_before <= now),
        or_(Message.asked_for, ~held),
    ]
    return [*conditions, Message.asked_for.is_(True)] if quiet else conditions


def finish(
    session: Session,
    claimed: Claimed,
    action: Action,
    *,
    keys: Keys,
    rules: Rules,
    real_now: datetime,
    now: datetime,
    provider_ref: str | None = None,
) -> State:
    """Write down what became of a claim, and the contact that it was; the state it ends in.

    `action` is HAND_OVER, PUT_BACK (certainly not sent; given up after MOST_ATTEMPTS), REFUSE or LOSE.
    The text is wiped unless it goes back. Raises LeaseLost when the claim is no longer this worker's.
    """
    if action is Action.PUT_BACK and claimed.attempt >= MOST_ATTEMPTS:
        action = Action.REFUSE
    state = LIFECYCLE.after(State.SENDING, action)
    values: dict[str, object] = {"state": state, "lease_owner": None, "lease_until": None}
    if action is Action.PUT_BACK:
        pause = timedelta(seconds=RETRY_SECONDS * 2 ** (claimed.attempt - 1))
        values["lease_until"] = real_now + pause
    else:
        values["text_sealed"] = None
    if action is Action.HAND_OVER:
        values |= {"provider_ref": provider_ref, "sent_at": real_now}
    found = session.execute(
        update(Message)
        .where(
            Message.id == claimed.id,
            Message.state == State.SENDING,
            Message.lease_owner == claimed.owner,
            Message.attempts == claimed.attempt,
        )
        .values(**values)
        .returning(Message.borrower_id, Message.asked_for)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if found is None:
        raise LeaseLost(f"message {claimed.id}")
    if action in OUTCOMES:
        log_contact(
            session,
            keys=keys,
            rules=rules,
            sent=Sent(
                claimed.id,
                found.borrower_id,
                claimed.kind,
                claimed.phone,
                claimed.dedupe_key,
                found.asked_for,
            ),
            outcome=OUTCOMES[action],
            now=now,
        )
    audit.record(
        session,
        actor=audit.SYSTEM,
        event=f"messages.{action}",
        subject_kind="message",
        subject_ref=claimed.id,
        now=real_now,
        facts={"kind": claimed.kind, "attempt": claimed.attempt},
    )
    return state


def sweep(session: Session, *, keys: Keys, rules: Rules, real_now: datetime, now: datetime) -> dict[str, int]:
    """Expire what nobody needs any more, and give up on claims whose lease ran out: they may have gone, and
    count as contacts. Counts by state."""
    expired = _close(session, Action.EXPIRE, State.QUEUED, Message.expires_at <= real_now, real_now=real_now)
    lost = _close(session, Action.LOSE, State.SENDING, Message.lease_until <= real_now, real_now=real_now)
    for row in lost:
        phone = keys.unseal("message.phone", row.phone_sealed)
        sent = Sent(row.id, row.borrower_id, row.kind, phone, row.dedupe_key, row.asked_for)
        log_contact(session, keys=keys, rules=rules, sent=sent, outcome=OUTCOMES[Action.LOSE], now=now)
    return {State.EXPIRED: len(expired), State.UNKNOWN: len(lost)}


def _close(
    session: Session, action: Action, state: State, when: ColumnElement[bool], *, real_now: datetime
) -> Sequence[Row[*tuple[Any, ...]]]:
    closed = session.execute(
        update(Message)
        .where(Message.state == state, when)
        .values(state=LIFECYCLE.after(state, action), text_sealed=None, lease_owner=None, lease_until=None)
        .returning(
            Message.id,
            Message.kind,
            Message.attempts,
            Message.borrower_id,
            Message.phone_sealed,
            Message.dedupe_key,
            Message.asked_for,
        )
        .execution_options(synchronize_session=False)
    ).all()
    for row in closed:
        audit.record(
            session,
            actor=audit.SYSTEM,
            event=f"messages.{action}",
            subject_kind="message",
            subject_ref=row.id,
            now=real_now,
            facts={"kind": row.kind, "attempt": row.attempts},
        )
    return closed
