"""A payment's process is killed at each of twelve points (P1 to P12): nothing acknowledged is lost, nothing happens
twice, and the same call again gives the first answer.

The process that dies is a fork of this one. What strikes it down hangs on the outside of the product: on the
database's events, the gateways and the web application; the product itself knows of no crash point.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from portal import tasks
from portal.accounts.operations import self_check
from portal.dates import Clock
from portal.db import Database
from portal.demo.stripe_sandbox import Sandbox
from portal.gateways.sms import DemoPhoneText
from portal.installation import Portal
from portal.keys import Keys
from portal.messages.models import Message
from portal.payments.models import Payment, ProviderEvent
from portal.settings import Settings
from tests import people
from tests.conftest import StandingClock
from tests.payments.telling import Truth, lin, truth
from tests.soak.events import Told, intent, signature

pytestmark = pytest.mark.slow

SECRET = "whsec_portal_test"
MINOR = 30_000
#: What stands after the kill: payments, events, payments that are credited.
POINTS = {
    "attempt_row_written": (1, 0, 0),
    "provider_has_answered": (1, 0, 0),
    "session_id_stored": (1, 0, 0),
    "redirect_on_its_way": (1, 0, 0),
    "event_has_come": (1, 0, 0),
    "signature_checked": (1, 0, 0),
    "event_row_inserted": (1, 0, 0),
    "ledger_line_inserted": (1, 0, 0),
    "event_committed": (1, 1, 1),
    "2xx_on_its_way": (1, 1, 1),
    "receipt_taken": (1, 1, 1),
    "receipt_sent": (1, 1, 1),
}
#: The statements whose commit, or whose execution, is the point; the address whose answer is.
COMMITS = {
    "attempt_row_written": "INSERT INTO payment ",
    "session_id_stored": "UPDATE payment ",
    "event_committed": "INSERT INTO provider_event ",
    "receipt_taken": "UPDATE message ",
}
INSERTS = {
    "event_row_inserted": "INSERT INTO provider_event ",
    "ledger_line_inserted": "INSERT INTO ledger_line ",
}
ANSWERS = {"redirect_on_its_way": "/my/pay/start", "2xx_on_its_way": "/callbacks/stripe"}
#: Statements of the writing connections after which the process dies too: some, and nearly all on a soak.
STATEMENTS = range(2, 61) if os.environ.get("PORTAL_TEST_PROFILE") == "soak" else (8, 27)
#: A receipt of which nobody can say whether it was sent is not sent again (P8): what it says, texts on the phone.
RECEIPTS = {"receipt_taken": ("unknown", 0), "receipt_sent": ("unknown", 1)}


class Scene:
    """Lin, her portal over one database, a payment provider, and the whole way of one payment."""

    def __init__(self, app: Flask, borrower_id: int, sandbox: Sandbox) -> None:
        self.app, self.sandbox = app, sandbox
        self.client = app.test_client()
        self.csrf = people.sign_in(self.client, borrower_id)

    def pay(self) -> None:
        """Begin (or begin again), be told of the money, send the receipt."""
        begun = self.client.post(
            "/my/pay/start",
            data={
                "csrf_token": self.csrf,
                "form_key": "key-1",
                "amount": "300.00",
                "loan": "L-LIN-1",
                "currency": "CNY",
            },
        )
        assert begun.status_code == 303
        body = intent(Told(self.reference, MINOR), "succeeded").body
        at = int(self.portal.clock.real_now().timestamp())
        told = self.client.post(
            "/callbacks/stripe", data=body, headers={"Stripe-Signature": signature(body, SECRET, at=at)}
        )
        assert told.status_code == 200
        tasks.deliver(self.portal)

    @property
    def portal(self) -> Portal:
        """The portal, as the application holds it now."""
        found: Portal = self.app.extensions["portal"]
        return found

    @property
    def reference(self) -> str:
        """The only payment's."""
        with self.portal.db.read() as connection:
            return str(connection.scalar(select(Payment.reference)))

    def counts(self) -> tuple[int, int, int]:
        """Payments, events, and payments that are credited."""
        with self.portal.db.read() as connection:
            assert self_check(connection) == []
            payments = connection.scalar(select(func.count()).select_from(Payment)) or 0
            events = connection.scalar(select(func.count()).select_from(ProviderEvent)) or 0
        return payments, events, truth(self.portal.db, self.reference).lines

    def receipts(self) -> tuple[str, int]:
        """What became of the receipt, and how many texts the phone has."""
        with self.portal.db.read() as connection:
            state = connection.scalar(select(Message.state))
            return str(state), connection.scalar(select(func.count()).select_from(DemoPhoneText)) or 0

    def die_at(self, point: str) -> None:
        """Go the way in a process of its own that is struck down at `point`."""
        self.portal.db.dispose()
        child = os.fork()
        if child == 0:  # pragma: no cover - the process dies
            try:
                _arm(point, self.app)
                self.pay()
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"{point} was never reached"
        assert os.WTERMSIG(status) == signal.SIGKILL


def _arm(point: str, app: Flask) -> None:
    """Hang the blow on the place that `point` names."""
    portal = app.extensions["portal"]
    gateway, wrapped = portal.stripe, app.wsgi_app
    if point in COMMITS:
        _die_after_commit_of(portal.db, COMMITS[point])
    elif point.startswith("statement "):
        event.listen(portal.db.writer, "after_cursor_execute", _die_on_number(int(point.split()[1])))
    elif point in INSERTS:
        event.listen(portal.db.writer, "after_cursor_execute", _die_on(INSERTS[point]))
    elif point == "provider_has_answered":
        gateway.create_checkout = _then_die(gateway.create_checkout)
    elif point == "event_has_come":
        gateway.verify_event = _die
    elif point == "signature_checked":
        gateway.verify_event = _then_die(gateway.verify_event)
    elif point == "receipt_sent":
        app.extensions["portal"] = replace(portal, sms=Sending(portal.sms))
    else:
        path = ANSWERS[point]
        app.wsgi_app = lambda environ, begin: (  # type: ignore[method-assign]
            (_then_die(wrapped) if environ["PATH_INFO"] == path else wrapped)(environ, begin)
        )


def _die(*args: object, **named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _then_die(call: Callable[..., Any]) -> Callable[..., None]:
    def both(*args: Any, **named: Any) -> None:
        call(*args, **named)
        _die()

    return both


def _die_on(statement: str) -> Callable[..., None]:
    def listener(connection: object, cursor: object, text: str, *rest: object) -> None:
        if text.startswith(statement):
            _die()

    return listener


def _die_on_number(number: int) -> Callable[..., None]:
    left = itertools.count(number, -1)
    return lambda *rest: None if next(left) > 1 else _die()


def _die_after_commit_of(database: Database, statement: str) -> None:
    def arm(connection: object, cursor: object, text: str, *rest: object) -> None:
        if text.startswith(statement):
            event.listen(Session, "after_commit", _die)

    event.listen(database.writer, "after_cursor_execute", arm)


class Sending:
    """A gateway whose last text is its last."""

    def __init__(self, sms: Any) -> None:
        self.sms = sms

    def send(self, *args: Any) -> None:
        self.sms.send(*args)
        _die()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The provider, in this process: it lives on when the portal dies."""
    made = Sandbox(webhook_url="http://127.0.0.1:9/", secret=SECRET)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def clock() -> StandingClock:
    """The provider lives on real time, and so does this scene until a test moves on."""
    return StandingClock(Clock("UTC").real_now())


@pytest.fixture
def scene(
    settings: Settings, database: Database, keys: Keys, clock: StandingClock, sandbox: Sandbox
) -> Scene:
    """Lin's, on each database."""
    from app import create_app

    changes = {"stripe_api_base": sandbox.origin, "stripe_checkout_origin": sandbox.origin}
    app = create_app(replace(settings, **changes), clock=clock, db=database)
    return Scene(app, lin(database, keys), sandbox)


@pytest.mark.parametrize("point", POINTS)
def test_a_payment_survives_the_death_of_its_process(scene: Scene, clock: StandingClock, point: str) -> None:
    scene.die_at(point)

    assert scene.counts() == POINTS[point]
    _again(scene, clock)
    assert scene.receipts() == RECEIPTS.get(point, ("sent", 1))


@pytest.mark.parametrize("number", STATEMENTS)
def test_a_payment_survives_a_death_after_any_statement(
    scene: Scene, clock: StandingClock, number: int
) -> None:
    scene.die_at(f"statement {number}")

    _again(scene, clock)
    assert scene.receipts() in (("sent", 1), *RECEIPTS.values())


def _again(scene: Scene, clock: StandingClock) -> None:
    """The same calls once more, with the same keys: one payment, one checkout, one credit, one receipt."""
    clock.advance(seconds=150)  # the dead worker's claim on the receipt runs out
    tasks.sweep(scene.portal)
    scene.pay()
    assert truth(scene.portal.db, scene.reference) == Truth("posted", 1, MINOR, 0, 1, [])
    assert scene.counts() == (1, 1, 1)
    checkouts, _ = scene.sandbox.book.listed("checkout.session")
    assert len(checkouts) == 1
