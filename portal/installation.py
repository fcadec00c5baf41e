"""What one running portal is made of; made once, by the composition root, and handed down.

The doors, the background work and the operator's commands each take it as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from portal.dates import Clock, WorkingDays
from portal.db import Database
from portal.gateways.sms import SmsGateway
from portal.gateways.storage import Storage
from portal.gateways.stripe import StripeGateway
from portal.keys import Keys
from portal.settings import Settings
from portal.signing import KeyRing, Signer


@dataclass(frozen=True)
class Installation:
    """One bank's settings, database, keys and clock: all that an operator's command needs."""

    settings: Settings
    db: Database
    keys: Keys
    clock: Clock


@dataclass(frozen=True)
class Portal(Installation):
    """An installation that serves: it signs, knows the bank's days, and reaches the outside."""

    signer: Signer
    working_days: WorkingDays
    sms: SmsGateway
    stripe: StripeGateway
    store: Storage

    @property
    def ring(self) -> KeyRing:
        """The public keys: the signer's own and those of the key file."""
        return KeyRing.of(self.settings.bank.host, self.settings.signing_keys, self.signer)
