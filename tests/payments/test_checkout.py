"""Asking the provider about an attempt that it says it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest
from flask import Flask
from sqlalchemy import select

from portal.db import Database
from portal.gateways.stripe import ProviderRefused
from portal.keys import Keys
from portal.payments import checkout, queries
from portal.payments.models import Payment
from tests import people
from tests.conftest import StandingClock
from tests.payments.test_receipts import begin


class Unknowing:
    """A provider that knows no checkout."""

    def fetch(self, session_id: str) -> NoReturn:
        raise ProviderRefused("resource_missing")


@pytest.mark.parametrize(("minutes", "state"), [(1, "created"), (61, "cancelled")])
def test_a_clear_no_closes_an_attempt_only_when_its_time_is_over(
    sqlite_app: Flask,
    sqlite_database: Database,
    keys: Keys,
    clock: StandingClock,
    minutes: int,
    state: str,
) -> None:
    portal = replace(sqlite_app.extensions["portal"], stripe=Unknowing())
    borrower_id = sqlite_database.write(lambda session: people.lin(session, keys))
    reference = begin(sqlite_database, borrower_id).reference
    with sqlite_database.read() as connection:
        attempt = queries.attempt_for(connection, borrower_id, reference)
    assert attempt is not None
    clock.advance(minutes=minutes)

    checkout.ask(portal, attempt)

    with sqlite_database.read() as connection:
        assert connection.scalar(select(Payment.state)) == state
