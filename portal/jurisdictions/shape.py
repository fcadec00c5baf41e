"""The shape of a jurisdiction pack: every number and order stands beside the source it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A value and where it is written. `checked` is False for what only secondary sources report."""

    value: T
    source: str
    checked: bool = True


@dataclass(frozen=True)
class ContactHours:
    """Local times between which the bank may call or visit of its own accord, `opens` included."""

    opens: time
    closes: time
    source: str
    checked: bool = True

    def allow(self, local: time) -> bool:
        """Whether `local` lies inside the hours."""
        return self.opens <= local < self.closes


@dataclass(frozen=True)
class ContactLimit:
    """At most `most` contacts of one sort within `days` calendar days, the day itself among them.

    `counts`: ``spoken`` (the debtor was spoken to), ``missed`` (nobody was) or ``every``.
    """

    #: a stable code, worded on pages
    code: str
    channel: str
    counts: str
    most: int
    days: int
    source: str
    #: counted for each number on its own
    per_number: bool = False
    #: once the limit is reached any further contact breaks it, not only one that counts itself
    bars_every: bool = False
    checked: bool = True


@dataclass(frozen=True)
class ThirdParties:
    """Somebody else may be asked for the debtor only where the debtor was tried `attempts` times within
    `days` days and spoken to not once; whoever refuses is never asked again."""

    attempts: int
    days: int
    source: str
    checked: bool = True


@dataclass(frozen=True)
class HelpNumber:
    """Free help anybody may call. `purpose`: ``complaints``, ``fraud``, ``debt_advice``."""

    number: str
    purpose: str
    source: str


@dataclass(frozen=True)
class AllocationRule:
    """The order in which a payment on one product class meets the components, for a span of days overdue."""

    product_class: str
    from_days: int
    #: the last day of the span; None for no end
    to_days: int | None
    #: all five components, the first to be met first; "principal" is the part that is due
    components: tuple[str, ...]
    #: a stable code, worded beside each payment
    code: str
    source: str
    checked: bool = True

    def covers(self, product_class: str, days_overdue: int) -> bool:
        """Whether the rule is the one for that class and that many days overdue."""
        within = self.to_days is None or days_overdue <= self.to_days
        return self.product_class == product_class and self.from_days <= days_overdue and within


@dataclass(frozen=True)
class AgreementContents:
    """The items an agreement of one product class must hold, as stable codes in their legal order."""

    product_class: str
    items: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Jurisdiction:
    """What one place prescribes. Nothing here decides; features read it."""

    code: str
    currency: str
    #: offered to people, the default first
    languages: tuple[str, ...]
    contact_hours: ContactHours
    contact_limits: tuple[ContactLimit, ...]
    third_parties: ThirdParties
    allocation: tuple[AllocationRule, ...]
    agreements: Mapping[str, AgreementContents]
    #: which of several debts a payment meets first, where the debtor designated none
    several_debts: Fact[tuple[str, ...]]
    max_plan_years: Fact[int]
    limitation_years: Fact[int] | None
    #: yearly, as a fraction; charges above it are flagged on the desk
    charge_ceiling: Fact[Decimal] | None
    document_retention_days: Fact[int]
    record_retention_years: Fact[int]
    visit_notice_days: Fact[int] | None
    stop_on_agreement: Fact[bool]
    complaint_days: tuple[Fact[int], ...]
    help_numbers: tuple[HelpNumber, ...]
    #: ways to pay, the first offered first
    payment_methods: tuple[str, ...]
    #: what of the conduct of whoever contacts somebody is prescribed, as one reference
    conduct: Fact[str]
    #: what objecting to a figure does: ``mark`` (marked and checked at once) or ``stop`` (contacts about it rest)
    figure_dispute: Fact[str]
    prescribed_pauses_days: Fact[int] | None = None
    #: more days for a complaint, where a second person agrees
    complaint_extension_days: Fact[int] | None = None

    def allocation_order(self, product_class: str, days_overdue: int) -> AllocationRule:
        """The one rule for a product class and its days overdue: `components` in the order a payment
        meets them, with `code` and `source` (LookupError when there is none)."""
        for rule in self.allocation:
            if rule.covers(product_class, days_overdue):
                return rule
        raise LookupError(f"{self.code}: no allocation rule for {product_class} at {days_overdue} days")

    def agreement_contents(self, product_class: str) -> AgreementContents:
        """What an agreement of that product class must hold."""
        return self.agreements[product_class]
