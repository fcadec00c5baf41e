"""What a schedule is asked for: one frozen request in which every choice is a named knob with a default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from portal.dates import Frequency, WorkingDays
from portal.money import CurrencyMismatch, Money, Rounding
from portal.schedules.daycount import DayCount
from portal.schedules.days import Move
from portal.schedules.parts import Residue, Step


class Method(StrEnum):
    """What is equal from one instalment to the next."""

    #: principal and interest together: the annuity
    EQUAL_INSTALMENTS = "equal_instalments"
    #: the principal; the interest on what is left comes on top and falls
    EQUAL_PRINCIPAL = "equal_principal"
    #: everything: there is no interest
    INTEREST_FREE = "interest_free"
    #: the amounts of `steps` first, equal instalments over the rest
    STEPPED = "stepped"


class Grace(StrEnum):
    """What is not paid in the first `grace_count` instalments."""

    NONE = "none"
    #: only the interest is paid
    PRINCIPAL = "principal"
    #: only equal parts of principal are paid
    INTEREST = "interest"
    #: nothing is paid
    BOTH = "both"


class GraceInterest(StrEnum):
    """Where interest goes that arises in grace and is not paid."""

    #: it joins the principal and bears interest
    CAPITALISED = "capitalised"
    #: it waits beside the principal, bears none, and is paid after the grace
    CARRIED = "carried"


class Keep(StrEnum):
    """What stays when a running schedule changes: how many instalments, or what each comes to."""

    COUNT = "count"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """Everything a schedule follows from. Exactly one of `count` and `amount` is given; amounts of `principal`'s
    currency; rates are yearly fractions. ValueError for a knob that means nothing, CurrencyMismatch."""

    principal: Money
    #: interest begins; no instalment falls on it
    starts_on: date
    #: how many instalments, those in grace among them
    count: int | None = None
    #: one instalment; one part of principal where `method` is equal_principal. The count follows
    amount: Money | None = None
    method: Method = Method.EQUAL_INSTALMENTS
    annual_rate: Decimal = Decimal(0)
    steps: tuple[Step, ...] = ()

    frequency: Frequency = Frequency.MONTHLY
    #: the first pay day, before it is moved; default one period after the start. Monthly kinds take its month
    first_due_on: date | None = None
    #: 1 to 31, for monthly kinds; default the day of `first_due_on`, else of the start
    pay_day: int | None = None
    move: Move = Move.NEXT
    #: the bank's calendar; without one no day moves
    working_days: WorkingDays | None = None

    #: by actual days; None: every period bears the same part of the yearly rate
    day_count: DayCount | None = None
    #: by actual days: interest runs to the day moved to (True) or to the pay day
    adjusted: bool = True
    #: by the period's rate: how many periods the first instalment spans
    first_periods: int = 1

    grace: Grace = Grace.NONE
    grace_count: int = 0
    grace_interest: GraceInterest = GraceInterest.CAPITALISED
    #: interest not paid from before the start; bears none
    carried: Money | None = None

    residue: Residue = Residue.LAST
    rounding: Rounding = Rounding.HALF_UP
    #: instalments (parts of principal for equal_principal) are whole multiples of it, all but the residue's
    unit_minor: int = 1
    #: so is each period's interest
    interest_unit_minor: int = 1

    #: with every instalment; with the first one; on the day of the start
    fee: Money | None = None
    first_fee: Money | None = None
    opening_fee: Money | None = None

    @property
    def day(self) -> int:
        """The pay day of monthly kinds, chosen or following from the first day."""
        return self.pay_day or (self.first_due_on or self.starts_on).day

    def __post_init__(self) -> None:
        if (self.count is None) == (self.amount is None):
            raise ValueError("either a count or an amount is chosen")
        if not self.annual_rate.is_finite() or self.annual_rate < 0:
            raise ValueError("a rate is not below nought")
        if self.method is Method.INTEREST_FREE and self.annual_rate:
            raise ValueError("an interest-free schedule has no rate")
        if bool(self.steps) != (self.method is Method.STEPPED):
            raise ValueError("steps belong to the stepped method")
        if self.pay_day is not None and not 1 <= self.pay_day <= 31:
            raise ValueError("a pay day is 1 to 31")
        if min(self.unit_minor, self.interest_unit_minor, self.first_periods) < 1:
            raise ValueError("units and periods are at least one")
        if self.grace_count < 0 or (self.grace is Grace.NONE) != (self.grace_count == 0):
            raise ValueError("a grace has its count")
        self._refuse_amounts()

    def _refuse_amounts(self) -> None:
        for amount in (self.amount, self.carried, self.fee, self.first_fee, self.opening_fee):
            if amount is not None and amount.currency != self.principal.currency:
                raise CurrencyMismatch(f"{amount.currency} and {self.principal.currency}")
            if amount is not None and amount.minor < 0:
                raise ValueError("amounts are not below nought")
