"""How a door gets at the running portal, and what of it follows from the settings."""

from __future__ import annotations

from datetime import date
from typing import cast

from flask import current_app

from portal.access.limits import Guards, guards_of
from portal.dates import Clock, WorkingDays
from portal.installation import Portal as Portal
from portal.settings import Settings

#: The national calendar of each jurisdiction pack.
COUNTRIES = {"cn": "CN", "gb": "GB", "us": "US"}


def portal() -> Portal:
    """The portal of the current application."""
    return cast(Portal, current_app.extensions["portal"])


def guards() -> Guards:
    """The limits that the bank draws for the public checks."""
    return guards_of(portal().settings.bank.checks)


def clock_of(settings: Settings) -> Clock:
    """The clock these settings ask for."""
    return Clock(settings.bank.zone, settings.demo_bank_start, settings.demo_real_start)


def working_days_of(settings: Settings) -> WorkingDays:
    """The national calendar with the bank's own closed and open days."""
    bank = settings.bank
    overrides = {date.fromisoformat(day): False for day in bank.closed_days}
    overrides |= {date.fromisoformat(day): True for day in bank.open_days}
    return WorkingDays(COUNTRIES[bank.jurisdiction], overrides)
