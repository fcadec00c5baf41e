"""A machine that does with three loans whatever a bank, a desk, a payer, a provider and a calendar can do, in any
order, and compares the portal with the model after every step."""

from __future__ import annotations

from tests.machines.bank_rules import BankRules
from tests.machines.desk_rules import DeskRules
from tests.machines.payer_rules import PayerRules


class MoneyMachine(BankRules, DeskRules, PayerRules):
    """See the module. A subclass sets the database."""
