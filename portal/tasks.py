"""What runs in the background: the outbox, leases that ran out, holds that end, the sealing of the record.

`run_due` does what is due once and can be called by any scheduler; `work` is the loop of the embedded
worker. A feature adds its own work with `EVERY.append(Task(...))`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from portal import audit
from portal.contacts import operations as contacts
from portal.dates import Clock
from portal.db import Database
from portal.gateways.sms import SmsGateway, SmsNotSent, SmsRefused
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.messages import operations as messages
from portal.messages.lifecycle import Action
from portal.messages.operations import Claimed
from portal.messages.queries import anything_queued
from portal.messages.texts import signed
from portal.settings import Settings
from portal.visits import operations as visits

log = structlog.get_logger()

#: Seconds between two looks at what is due.
PAUSE_SECONDS = 0.25


class Parts(Protocol):
    """What the background work needs of a running portal."""

    @property
    def settings(self) -> Settings: ...
    @property
    def db(self) -> Database: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def sms(self) -> SmsGateway: ...


@dataclass(frozen=True)
class Task:
    """Work to be done every `seconds`."""

    name: str
    seconds: float
    run: Callable[[Parts], object]


def deliver(parts: Parts, *, owner: str | None = None, limit: int = 20) -> int:
    """Hand over up to `limit` messages that may go now; how many were claimed.

    Claimed in one transaction, sent in none, each outcome written in one of its own.
    """
    with parts.db.read() as connection:
        if not anything_queued(connection):
            return 0
    now, name = parts.clock.now(), owner or f"worker-{secrets.token_hex(8)}"
    hours = pack(parts.settings.bank.jurisdiction).contact_hours
    quiet = not hours.allow(parts.clock.local(now).time())
    claims = parts.db.write(
        lambda session: messages.claim(
            session,
            keys=parts.keys,
            owner=name,
            real_now=parts.clock.real_now(),
            now=now,
            quiet=quiet,
            limit=limit,
        )
    )
    for claimed in claims:
        _hand_over(parts, claimed)
    return len(claims)


def _hand_over(parts: Parts, claimed: Claimed) -> None:
    """One text to the gateway; whatever else goes wrong there, it is not known to have been sent."""
    reference, action = None, Action.HAND_OVER
    text = signed(claimed.text, parts.settings.bank.sms_signature)
    try:
        reference = parts.sms.send(claimed.phone, text, claimed.dedupe_key, claimed.demonstration)
    except SmsRefused:
        action = Action.REFUSE
    except SmsNotSent:
        action = Action.PUT_BACK
    except Exception as error:  # SmsUnknown and anything unforeseen: never sent twice
        log.error("sms_outcome_unknown", message=claimed.id, kind=type(error).__name__)
        action = Action.LOSE
    try:
        parts.db.write(
            lambda session: messages.finish(
                session, claimed, action, real_now=parts.clock.real_now(), provider_ref=reference
            )
        )
    except messages.LeaseLost:
        log.error("sms_lease_lost", message=claimed.id, action=action)


def sweep(parts: Parts) -> None:
    """Expire what is worthless and give up on claims whose worker died."""
    parts.db.write(lambda session: messages.sweep(session, real_now=parts.clock.real_now()))


def end_holds(parts: Parts) -> None:
    """Lift the holds whose end has come, and plan again the visits they paused."""
    now = parts.clock.now()

    def unit(session: Session) -> None:
        for borrower_id, reason in contacts.lift_ended(session, now=now):
            visits.resume_visits(
                session,
                borrower_id=borrower_id,
                reason=reason,
                actor=audit.SYSTEM,
                now=now,
            )

    parts.db.write(unit)


def seal_record(parts: Parts) -> int:
    """Number and chain the record's new entries."""
    return parts.db.write(lambda session: audit.seal(session, keys=parts.keys))


EVERY: list[Task] = [
    Task("deliver_messages", 0.25, deliver),
    Task("sweep_messages", 15, sweep),
    Task("end_holds", 30, end_holds),
    Task("seal_record", 1, seal_record),
]


def run_due(parts: Parts, last_run: MutableMapping[str, datetime]) -> int:
    """Run every task that is due by the real clock, and note when; how many ran.

    A task that fails is logged with its name and comes again at its next turn; the others go on.
    """
    count = 0
    for task in EVERY:
        real_now = parts.clock.real_now()
        last = last_run.get(task.name)
        if last is not None and (real_now - last).total_seconds() < task.seconds:
            continue
        last_run[task.name] = real_now
        count += 1
        try:
            task.run(parts)
        except Exception as error:
            log.error("task_failed", task=task.name, kind=type(error).__name__, exc_info=error)
    return count


def work(parts: Parts, stop: threading.Event) -> None:
    """The embedded worker: look at what is due until `stop` is set."""
    last_run: dict[str, datetime] = {}
    while not stop.wait(PAUSE_SECONDS):
        run_due(parts, last_run)
