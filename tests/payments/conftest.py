"""A portal whose payments go to a sandbox that nobody's endpoint hears: what it has to say is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from portal.db import Database
from portal.demo.stripe_sandbox import Sandbox
from portal.demo.stripe_sandbox_book import Behaviour
from portal.installation import Portal
from portal.keys import Keys
from portal.payments import checkout
from portal.payments.operations import Attempt
from portal.settings import Settings
from tests.conftest import StandingClock
from tests.payments.telling import begin, lin

#: The provider tells the endpoint nothing: the portal has to ask.
UNHEARD = Behaviour(lost=True)


@dataclass
class Shop:
    """Lin's payments over the sandbox."""

    app: Flask
    sandbox: Sandbox
    borrower_id: int

    @property
    def portal(self) -> Portal:
        portal: Portal = self.app.extensions["portal"]
        return portal

    def pay(self, minor: int = 30_000, *, method: str = "card", form_key: str = "one") -> Attempt:
        """A payment of Lin's loan, paid on the sandbox's page and read from the provider's list."""
        attempt = begin(self.portal.db, self.borrower_id, minor, form_key=form_key, session_id=None)
        opened = checkout.open_checkout(self.portal, attempt)
        self.sandbox.book.pay(opened.provider_session or "", method, "pay", UNHEARD)
        self.catch_up()
        return opened

    def catch_up(self) -> int:
        """Read what the provider has to say; how many events were new."""
        return checkout.read_events(self.portal)

    def intent(self) -> str:
        """The newest payment at the provider."""
        (found,), _more = self.sandbox.book.listed("payment_intent", limit=1)
        return str(found["id"])


@pytest.fixture
def shop(settings: Settings, sqlite_database: Database, keys: Keys, clock: StandingClock) -> Iterator[Shop]:
    """The portal and the sandbox on the tests' clock."""
    from app import create_app

    sandbox = Sandbox(webhook_url="http://127.0.0.1:9/none", secret="whsec_test")
    sandbox.book.now = lambda: clock.real_now().timestamp()
    sandbox.start()
    changes = {"stripe_api_base": sandbox.origin, "stripe_api_key": "sk_test_x"}
    app = create_app(replace(settings, **changes), clock=clock, db=sqlite_database)
    app.testing = True
    yield Shop(app, sandbox, lin(sqlite_database, keys, language="en"))
    sandbox.stop()
