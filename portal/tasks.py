"""What runs in the background, each thing with its own pace; the list is at the end.

`run_due` does what is due once and can be called by any scheduler; `work` is the embedded worker. It
runs two lanes side by side, so that a photo being rendered keeps no one-time code waiting.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from portal import audit
from portal.access import challenges, counters
from portal.accounts import operations as accounts
from portal.contacts import operations as contacts
from portal.contacts.log import Rules
from portal.documents import checking as documents
from portal.documents import retention
from portal.documents.kinds import DEFAULT_LIMITS
from portal.gateways.sms import SmsNotSent, SmsRefused
from portal.installation import Portal
from portal.jurisdictions import pack
from portal.messages import operations as messages
from portal.messages.lifecycle import Action
from portal.messages.operations import Claimed
from portal.messages.queries import anything_queued
from portal.messages.texts import signed
from portal.notices import faces
from portal.outgoing import proof
from portal.outgoing.station import Station
from portal.payments import checkout as payments
from portal.plans import answers as plans
from portal.plans.queries import cases_not_closed_before
from portal.reconciliation import operations as reconciling
from portal.transfers import matching as transfers
from portal.transfers import returning
from portal.visits import operations as visits

log = structlog.get_logger()

#: Seconds between two looks at what is due.
PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class Task:
    """Work to be done every `seconds`; what may take long goes into the slow lane."""

    name: str
    seconds: float
    run: Callable[[Portal], object]
    slow: bool = False


def deliver(portal: Portal, *, owner: str | None = None, limit: int = 20) -> int:
    """Hand over up to `limit` messages that may go now; how many were claimed.

    Claimed in one transaction, sent in none, each outcome written in one of its own.
    """
    with portal.db.read() as connection:
        if not anything_queued(connection):
            return 0
    now, name = portal.clock.now(), owner or f"worker-{secrets.token_hex(8)}"
    rules = rules_of(portal)
    claims = portal.db.write(
        lambda session: messages.claim(
            session,
            keys=portal.keys,
            owner=name,
            real_now=portal.clock.real_now(),
            now=now,
            rules=rules,
            limit=limit,
        )
    )
    for claimed in claims:
        _hand_over(portal, claimed)
    return len(claims)


def _hand_over(portal: Portal, claimed: Claimed) -> None:
    """One text to the gateway; whatever else goes wrong there, it is not known to have been sent."""
    reference, action = None, Action.HAND_OVER
    text = signed(claimed.text, portal.settings.bank.sms_signature)
    try:
        reference = portal.sms.send(claimed.phone, text, claimed.dedupe_key, claimed.demonstration)
    except SmsRefused:
        action = Action.REFUSE
    except SmsNotSent:
        action = Action.PUT_BACK
    except Exception as error:  # SmsUnknown and anything unforeseen: never sent twice
        log.error("sms_outcome_unknown", message=claimed.id, kind=type(error).__name__)
        action = Action.LOSE
    try:
        portal.db.write(
            lambda session: messages.finish(
                session,
                claimed,
                action,
                keys=portal.keys,
                rules=rules_of(portal),
                real_now=portal.clock.real_now(),
                now=portal.clock.now(),
                provider_ref=reference,
            )
        )
    except messages.LeaseLost:
        log.error("sms_lease_lost", message=claimed.id, action=action)


def sweep(portal: Portal) -> None:
    """Expire what is worthless and give up on claims whose worker died."""
    portal.db.write(
        lambda session: messages.sweep(
            session,
            keys=portal.keys,
            rules=rules_of(portal),
            real_now=portal.clock.real_now(),
            now=portal.clock.now(),
        )
    )


def rules_of(portal: Portal) -> Rules:
    """What contacts are measured by."""
    return Rules.of(pack(portal.settings.bank.jurisdiction), portal.settings.bank.zone)


def end_holds(portal: Portal) -> None:
    """Lift the holds whose end has come, and plan again the visits they paused."""
    now = portal.clock.now()

    def unit(session: Session) -> None:
        for borrower_id, reason in contacts.lift_ended(session, now=now):
            visits.resume_visits(
                session,
                borrower_id=borrower_id,
                reason=reason,
                actor=audit.SYSTEM,
                now=now,
            )

    portal.db.write(unit)


def seal_record(portal: Portal) -> int:
    """Number and chain the record's new entries."""
    return portal.db.write(lambda session: audit.seal(session, keys=portal.keys))


def seal_stragglers(portal: Portal) -> int:
    """Seal what committed so late that `seal_record` had gone past it."""
    return portal.db.write(lambda session: audit.seal(session, keys=portal.keys, look_back=None))


def lapse_offers(portal: Portal) -> int:
    """Record the offers whose day has passed."""
    return portal.db.write(lambda session: plans.lapse_offers(session, now=portal.clock.now()))


def render_documents(portal: Portal) -> int:
    """Render the papers that a busy or broken request left behind."""
    return documents.check_waiting(
        portal.db,
        portal.store,
        portal.keys,
        limits=DEFAULT_LIMITS,
        now=portal.clock.now(),
        real_now=portal.clock.real_now(),
    )


def sweep_documents(portal: Portal) -> int:
    """Delete stored files that no row names."""
    return documents.sweep(portal.db, portal.store)


def shred_documents(portal: Portal) -> int:
    """Shred the papers whose promised days are over; how many stored objects went."""
    now = portal.clock.now()
    before = now - timedelta(days=int(portal.settings.bank.policy["document_retention_days"]))
    keep_for = cases_not_closed_before(before)
    gone = 0
    while objects := portal.db.write(
        lambda session: retention.shred(
            session, keys=portal.keys, sent_before=before, keep_for=keep_for, now=now
        )
    ):
        documents.delete_objects(portal.store, objects)
        gone += len(objects)
    return gone


def forget(portal: Portal) -> None:
    """Delete what protected a moment long past: counts, challenges, and who looked a code up."""

    def unit(session: Session) -> None:
        real_now = portal.clock.real_now()
        counters.forget_counters(session, real_now=real_now)
        challenges.forget_challenges(session, real_now=real_now)
        faces.forget_seen(session, real_now=real_now)

    portal.db.write(unit)


def book_transfers(portal: Portal) -> int:
    """Book the bank transfers that an intake has written down; how many."""
    booked = 0
    with portal.db.read() as connection:
        if not transfers.anything_waiting(connection):
            return 0
    while part := portal.db.write(
        lambda session: transfers.book_waiting(session, books=payments.books_of(portal), limit=100)
    ):
        booked += part
    return booked


def tell_core(portal: Portal) -> None:
    """Collect what the core must hear of, apply its answers, and make the day's batch past the cut-off."""
    Station.of(portal).turn()


def prove_ledger(portal: Portal) -> None:
    """Prove every balance from its entries again, and that core and portal add up to it; a fault is logged
    for the operator, with its sentence."""
    with portal.db.read() as connection:
        faults = accounts.self_check(connection) + proof.faults(connection)
    for fault in faults[:20]:
        log.error("ledger_self_check", fault=fault)


EVERY: list[Task] = [
    Task("deliver_messages", 0.25, deliver),
    Task("seal_record", 1, seal_record),
    Task("sweep_messages", 15, sweep),
    Task("end_holds", 30, end_holds),
    Task("lapse_offers", 30, lapse_offers),
    Task("forget", 3600, forget),
    Task("render_documents", 10, render_documents, slow=True),
    Task("sweep_payments", 30, payments.sweep, slow=True),
    Task("send_money_back", 60, returning.send_confirmed, slow=True),
    Task("reconcile_days", 600, reconciling.run_due, slow=True),
    Task("read_provider_events", 600, payments.read_events, slow=True),
    Task("take_instalments", 300, payments.take_due, slow=True),
    Task("book_transfers", 10, book_transfers, slow=True),
    Task("tell_core", 30, tell_core, slow=True),
    Task("prove_ledger", 600, prove_ledger, slow=True),
    Task("sweep_documents", 3600, sweep_documents, slow=True),
    Task("seal_stragglers", 3600, seal_stragglers, slow=True),
    Task("shred_documents", 3600, shred_documents, slow=True),
]


def run_due(portal: Portal, last_run: MutableMapping[str, datetime], *, slow: bool | None = None) -> int:
    """Run every task of a lane (of both for None) that is due by the real clock; how many ran.

    A task that fails is logged with its name and comes again at its next turn; the others go on.
    """
    count = 0
    for task in EVERY:
        real_now = portal.clock.real_now()
        last = last_run.get(task.name)
        is_due = last is None or (real_now - last).total_seconds() >= task.seconds
        if not is_due or slow not in (None, task.slow):
            continue
        last_run[task.name] = real_now
        count += 1
        try:
            task.run(portal)
        except Exception as error:
            log.error("task_failed", task=task.name, kind=type(error).__name__, exc_info=error)
    return count


def work(portal: Portal, stop: threading.Event) -> None:
    """The embedded worker: look at what is due until `stop` is set, then finish what is under way."""

    def lane(slow: bool) -> None:
        last_run: dict[str, datetime] = {}
        while not stop.wait(PAUSE_SECONDS):
            run_due(portal, last_run, slow=slow)

    other = threading.Thread(target=lane, args=(True,), name="slow-lane")
    other.start()
    lane(False)
    other.join()
