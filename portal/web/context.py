"""What the doors hold: settings, database, keys, clock and gateways, made once by create_app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, cast

from flask import current_app

from portal.dates import Clock, WorkingDays
from portal.db import Database
from portal.keys import Keys
from portal.settings import Settings
from portal.signing import Signer

if TYPE_CHECKING:
    from portal.gateways.sms import SmsGateway
    from portal.gateways.storage import Storage
    from portal.gateways.stripe import StripeGateway

#: The national calendar of each jurisdiction pack.
COUNTRIES = {"cn": "CN", "gb": "GB", "us": "US"}


@dataclass(frozen=True)
class Portal:
    """One running portal."""

    settings: Settings
    db: Database
    keys: Keys
    signer: Signer
    clock: Clock
    working_days: WorkingDays
    sms: SmsGateway
    stripe: StripeGateway
    store: Storage


def portal() -> Portal:
    """The portal of the current application."""
    return cast(Portal, current_app.extensions["portal"])


def clock_of(settings: Settings) -> Clock:
    """The clock these settings ask for."""
    return Clock(settings.bank.zone, settings.demo_bank_start, settings.demo_real_start)


def working_days_of(settings: Settings) -> WorkingDays:
    """The national calendar with the bank's own closed and open days."""
    bank = settings.bank
    overrides = {date.fromisoformat(day): False for day in bank.closed_days}
    overrides |= {date.fromisoformat(day): True for day in bank.open_days}
    return WorkingDays(COUNTRIES[bank.jurisdiction], overrides)
