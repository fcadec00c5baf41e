"""Deliveries of signed events to three servers over one database, one of them struck down and started again:
nothing is credited twice, nothing that was answered with 2xx is lost (P1, P7, M9, M10)."""

from __future__ import annotations

import http.client
import queue
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select

from app import create_app
from portal import settings as portal_settings
from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LedgerLine
from portal.accounts.operations import rebalance, self_check
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.payments import checkout
from portal.payments.models import Payment, ProviderEvent, UnplacedMoney
from portal.schema import metadata
from tests import people
from tests.conftest import MASTER, PEPPER
from tests.soak.events import Delivery, Told, signature, storm
from tests.soak.servers import SECRET, Servers, environment, serving
from tests.waiting import wait_until

LOANS = 40
SERVERS = 3
CLIENTS = 8
#: Seconds after which a run that does not get on has failed.
PATIENCE = 3600
#: Deliveries of one payment on average: five events, 2.2 copies each.
PER_PAYMENT = 11
#: Of so many payments one is known here only after its events have begun to come.
LATE = 7
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
AMOUNT = sum(LedgerLine.__table__.c[f"{name}_minor"] for name in (*COMPONENTS, "suspense"))


@dataclass
class Told2xx:
    """What the client saw."""

    answered: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    lost_connections: int = 0
    deliveries: int = 0


@dataclass(frozen=True)
class Figures:
    """What a run did: how many deliveries came to how many events and credits, and how fast."""

    deliveries: int
    repeated: int
    events: int
    credits: int
    not_2xx: int
    lost_connections: int
    seconds: float

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.deliveries:,} deliveries ({self.repeated:,} copies, {self.lost_connections} lost with a server, "
            f"{self.not_2xx} refused and told again) in {self.seconds:.0f} s, {self.deliveries / self.seconds:.0f}/s: "
            f"{self.events:,} events, {self.credits:,} payments credited once"
        )


def run(url: str, folder: Path, *, deliveries: int, seed: int) -> Figures:
    """The whole of it; AssertionError when anything is lost, doubled or crooked."""
    environ = environment(url, folder)
    database = Database(url)
    metadata.create_all(database.writer)
    shuffler = random.Random(seed)
    payments = [
        Told(f"S-{number:06}", shuffler.randint(100, 900))
        for number in range(max(2, deliveries // PER_PAYMENT))
    ]
    borrower_id, loans = begin_people(database)
    late = payments[::LATE]
    begin_payments(database, borrower_id, loans, [one for one in payments if one not in set(late)])
    pile = list(storm(payments, deliveries, shuffler))
    seen = Told2xx()
    with serving(environ, SERVERS) as servers:
        begun = time.monotonic()
        _deliver(pile, servers, seen, at_third=lambda: begin_payments(database, borrower_id, loans, late))
        seconds = time.monotonic() - begun
    _sweep(environ, database)
    credits = _check(database, pile, seen)
    database.dispose()
    return Figures(
        deliveries=seen.deliveries,
        repeated=len(pile) - len({one.event_id for one in pile}),
        events=len({one.event_id for one in pile}),
        credits=credits,
        not_2xx=sum(count for status, count in seen.statuses.items() if not 200 <= status < 300),
        lost_connections=seen.lost_connections,
        seconds=seconds,
    )


def begin_people(database: Database) -> tuple[int, list[int]]:
    """A borrower and her large loans."""
    keys = Keys(pepper=PEPPER, master=MASTER)

    def unit(session) -> tuple[int, list[int]]:  # type: ignore[no-untyped-def]
        who = people.borrower(session, keys, customer_ref="C1", name="林", phone="13900000034")
        loans = [
            people.loan(session, borrower_id=who, loan_ref=f"L-{n}", principal_minor=10**9)
            for n in range(LOANS)
        ]
        rebalance(session, loan_ids=loans, as_of=people.BUSINESS_DATE, now=NOW)
        return who, loans

    return database.write(unit)


def begin_payments(database: Database, borrower_id: int, loans: list[int], payments: list[Told]) -> None:
    """Rows as `create_attempt` leaves them; closed at once, because one loan takes one open payment of an amount."""
    rows = [
        {
            "created_at": NOW,
            "reference": told.reference,
            "borrower_id": borrower_id,
            "loan_id": loans[number % len(loans)],
            "target": f"loan:{loans[number % len(loans)]}",
            "amount_minor": told.amount_minor,
            "currency": "CNY",
            "method": "stripe",
            "state": "failed",
            "form_key": told.reference,
            "idempotency_key": f"checkout-{told.reference}",
            "provider_session": told.session_id,
            "offered": {},
            "expires_at": NOW,
            "asked_at": NOW,
        }
        for number, told in enumerate(payments)
    ]
    for start in range(0, len(rows), 1000):
        database.write(
            lambda session, start=start: session.execute(insert(Payment), rows[start : start + 1000])
        )


def _deliver(pile: list[Delivery], servers: Servers, seen: Told2xx, *, at_third: object) -> None:
    """Every delivery until it is answered with 2xx. After a third the missing rows come to be, after two
    thirds one server is struck down and started again."""
    waiting: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
    for one in pile:
        waiting.put(one)
    lock, open_ones, stop = threading.Lock(), [len(pile)], threading.Event()

    def client(number: int) -> None:
        connections: dict[int, http.client.HTTPConnection] = {}
        turn = number
        while not stop.is_set():
            try:
                one = waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            turn += 1
            port = servers.ports[turn % SERVERS]
            status = _post(connections, port, one)
            with lock:
                seen.deliveries += 1
                if status is None:
                    seen.lost_connections += 1
                else:
                    seen.statuses[status] += 1
                if status is not None and 200 <= status < 300:
                    seen.answered.add(one.event_id)
                    open_ones[0] -= 1
                    if not open_ones[0]:
                        stop.set()
                else:
                    waiting.put(one)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: open_ones[0] <= len(pile) * 2 // 3, seconds=PATIENCE, every=0.01)
    at_third()  # type: ignore[operator]
    wait_until(lambda: open_ones[0] <= len(pile) // 3, seconds=PATIENCE, every=0.01)
    servers.strike_down(servers.ports[0])
    servers.start_again(servers.ports[0])
    for thread in threads:
        thread.join()


def _post(connections: dict[int, http.client.HTTPConnection], port: int, one: Delivery) -> int | None:
    """The status, or None when nobody answered: what became of it is not known."""
    connection = connections.get(port)
    if connection is None:
        connection = connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature(one.body, SECRET)}
    try:
        connection.request("POST", "/callbacks/stripe", body=one.body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        connections.pop(port).close()
        return None


def _sweep(environ: dict[str, str], database: Database) -> None:
    """What the background does with events that came before their payment."""
    portal = create_app(portal_settings.load(environ), db=database).extensions["portal"]
    books = checkout.books_of(portal)
    while database.write(lambda session: checkout.apply_waiting(session, books=books)):
        pass


def _check(database: Database, pile: list[Delivery], seen: Told2xx) -> int:
    """Everything that was answered is there, once; every payment is credited once, with its amount."""
    with database.read() as connection:
        stored = dict(connection.execute(select(ProviderEvent.event_id, ProviderEvent.outcome)).all())
        assert seen.answered <= set(stored), "an event that was answered with 2xx is lost"
        assert set(stored) == {one.event_id for one in pile}
        assert "waiting" not in stored.values()
        assert connection.scalar(select(func.count()).select_from(UnplacedMoney)) == 0
        credits = connection.execute(
            select(LedgerLine.payment_id, func.count(), func.sum(-AMOUNT))
            .where(LedgerLine.payment_id.is_not(None))
            .group_by(LedgerLine.payment_id)
        ).all()
        told = {one.reference for one in pile if "succeeded" in one.event_id or "completed" in one.event_id}
        rows = connection.execute(select(Payment.id, Payment.amount_minor, Payment.reference))
        owed = {row.id: row.amount_minor for row in rows if row.reference in told}
        assert all(count == 1 for _, count, _ in credits), "a payment was credited twice"
        assert {payment: int(minor) for payment, _, minor in credits} == owed
        assert connection.scalar(select(func.count()).select_from(Message)) == len(credits)
        assert self_check(connection) == []
    return len(credits)
