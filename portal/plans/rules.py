"""The shape of the bank's rules for plans: its policy, the ground a request stands on, and findings.

Pure. policy.py holds the rules themselves and suggests plans that meet them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from portal.dates import Frequency, WorkingDays, add_months
from portal.hardship.affordability import Budget
from portal.jurisdictions import pack
from portal.money import Money, rate
from portal.plans.forming import terms_for
from portal.plans.terms import LoanBasis, Terms, TermsRequest
from portal.schedules.days import first_pay_day
from portal.schedules.parts import LONGEST, UnableToSchedule, Unschedulable
from portal.settings import Bank

#: Dates a person may type are looked at within a year of what a plan could reach.
REACH = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Policy:
    """One bank's rules for plans. Amounts are of the bank's currency."""

    max_instalments: int
    max_years: int
    frequencies: tuple[Frequency, ...]
    first_after_working_days: int
    first_within_days: int
    first_after_upfront_from_days: int
    first_after_upfront_to_days: int
    minimum_instalment: Money
    share_percent: int
    automatic_approval: bool
    automatic_max_months: int
    automatic_max_amount: Money
    second_person_above: Money
    decision_working_days: int
    offer_lapses_days: int
    pause_after_refusal_days: int
    grace_days: int
    #: a fraction of the principal not yet due, for paying before its day
    early_repayment_fee: Decimal
    #: what a borrower may change of a plan in force without asking: how often in one plan, and by how many days
    #: the next instalment may be later with another pay day
    skips: int
    pay_day_changes: int
    pay_day_moves_days: int
    zone: str

    @classmethod
    def of(cls, bank: Bank) -> Policy:
        """The policy of `bank`: its own figures, the design's defaults elsewhere, never beyond the law."""
        given: Mapping[str, Any] = bank.policy

        def money(name: str, default: str) -> Money:
            return Money.from_file(str(given.get(name, default)), bank.currency)

        def whole(name: str, default: int) -> int:
            return int(given.get(name, default))

        return cls(
            max_instalments=min(whole("max_instalments", 60), LONGEST),
            max_years=min(whole("max_years", 5), pack(bank.jurisdiction).max_plan_years.value),
            frequencies=tuple(Frequency(name) for name in given.get("frequencies", tuple(Frequency))),
            first_after_working_days=whole("first_after_working_days", 6),
            first_within_days=whole("first_within_days", 40),
            first_after_upfront_from_days=whole("first_after_upfront_from_days", 30),
            first_after_upfront_to_days=whole("first_after_upfront_to_days", 60),
            minimum_instalment=money("minimum_instalment", "100.00"),
            share_percent=whole("share_percent", 50),
            automatic_approval=bool(given.get("automatic_approval", False)),
            automatic_max_months=whole("automatic_max_months", 12),
            automatic_max_amount=money("automatic_max_amount", "20000.00"),
            second_person_above=money("second_person_above", "200000.00"),
            decision_working_days=whole("decision_working_days", 5),
            offer_lapses_days=whole("offer_lapses_days", 14),
            pause_after_refusal_days=whole("pause_after_refusal_days", 14),
            grace_days=whole("grace_days", 3),
            early_repayment_fee=rate(str(given.get("early_repayment_fee", "0%"))),
            skips=whole("skips_a_plan", 2),
            pay_day_changes=whole("pay_day_changes_a_plan", 2),
            pay_day_moves_days=whole("pay_day_moves_days", 31),
            zone=bank.zone,
        )

    def day_of(self, instant: datetime) -> date:
        """The bank's calendar day of an instant."""
        return instant.astimezone(ZoneInfo(self.zone)).date()

    def end_of_day_after(self, now: datetime, days: int) -> datetime:
        """The end of the bank's calendar day `days` days after `now`: 25 November + 14 ends 9 December."""
        local = now.astimezone(ZoneInfo(self.zone))
        end = datetime.combine(local.date() + timedelta(days=days + 1), time(0), local.tzinfo)
        return end.astimezone(UTC)


class Severity(StrEnum):
    """What a finding means for the proposal."""

    FINE = "fine"
    #: shown to both sides, asks nothing
    NOTE = "note"
    #: the borrower is asked to say how it will work
    NEEDS_COMMENT = "needs_comment"
    #: two people decide
    NEEDS_SECOND = "needs_second"
    #: cannot be sent like this
    BLOCKS = "blocks"


Figure = Money | int | date | str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer: the plan's own figure and the span the rule allows (None: open on that side)."""

    code: str
    severity: Severity
    plan: Figure | None = None
    low: Figure | None = None
    high: Figure | None = None
    #: by how much the limit is passed, where a number says something
    excess: Figure | None = None

    @property
    def ok(self) -> bool:
        """Whether the rule is met."""
        return self.severity is Severity.FINE

    @property
    def blocks(self) -> bool:
        """Whether the proposal cannot be sent like this."""
        return self.severity is Severity.BLOCKS

    @property
    def is_below(self) -> bool:
        """Whether the plan's figure lies under the span; only meaningful when the rule is not met."""
        return self.low is not None and self.plan is not None and self.plan < self.low  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Means:
    """What the borrower stated of a month, and the ordinary instalments that go on beside a plan."""

    budget: Budget
    ordinary: Money


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything a request is measured against on one day."""

    loans: tuple[LoanBasis, ...]
    as_of: date
    today: date
    working_days: WorkingDays
    policy: Policy
    means: Means | None = None

    def first_window(self, request: TermsRequest) -> tuple[date, date]:
        """The first and the last day the first instalment may fall on.

        Where the span holds no pay day, the first pay day after it counts as within.
        """
        policy = self.policy
        if request.upfront:
            paid = request.upfront_due_on or self.upfront_due_on
            earliest = paid + timedelta(days=policy.first_after_upfront_from_days)
            latest = paid + timedelta(days=policy.first_after_upfront_to_days)
        else:
            earliest = self.working_days.add(self.today, policy.first_after_working_days)
            latest = self.today + timedelta(days=policy.first_within_days)
        possible = first_pay_day(earliest, pay_day=request.pay_day, frequency=request.frequency)
        return earliest, self.working_days.next_open(max(latest, possible))

    @property
    def upfront_due_on(self) -> date:
        """When an upfront payment falls due where nobody chose a day."""
        return self.working_days.add(self.today, self.policy.first_after_working_days)

    @property
    def last_possible(self) -> date:
        """The last day a plan may run to."""
        return add_months(self.today, 12 * self.policy.max_years)

    def terms(self, request: TermsRequest) -> Terms:
        """The exact terms of a request; UnableToSchedule when there are none."""
        for chosen in (request.first_due_on, request.upfront_due_on):
            if chosen is not None and not self.today - REACH <= chosen <= self.last_possible + REACH:
                raise UnableToSchedule(Unschedulable.DATE_OUT_OF_REACH)
        return terms_for(
            request,
            self.loans,
            as_of=self.as_of,
            first_earliest=self.first_window(request)[0],
            upfront_due_on=self.upfront_due_on,
            working_days=self.working_days,
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """A request measured: its terms where it has any, and every finding."""

    request: TermsRequest
    terms: Terms | None
    findings: tuple[Finding, ...]

    @property
    def passes(self) -> bool:
        """Whether it can be sent (a comment may still be asked for)."""
        return self.terms is not None and not any(finding.blocks for finding in self.findings)

    @property
    def needs_comment(self) -> bool:
        """Whether the borrower is asked to say how it will work."""
        return any(finding.severity is Severity.NEEDS_COMMENT for finding in self.findings)

    @property
    def needs_second(self) -> bool:
        """Whether two people decide on it."""
        return any(finding.severity is Severity.NEEDS_SECOND for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Offer:
    """Terms that pass, ready to be chosen; `request` leads to them again."""

    request: TermsRequest
    terms: Terms
    share_percent: int | None
