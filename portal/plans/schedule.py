"""Schedules: splitting an amount over due dates so that the parts sum to it, to the minor unit.

Pure. Rounding is named here once: half-up by default, the residue in the last part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from portal.dates import Frequency, WorkingDays, add_months, due_dates
from portal.money import Money, Rounding, divide
from portal.plans.terms import CoveredLoan, Instalment, LoanBasis, Step, Terms, TermsRequest

#: No list longer than this is ever built; the bank's own limit is far below it.
LONGEST = 600

MONTHLY_KINDS = (Frequency.MONTHLY, Frequency.QUARTERLY)


class Unschedulable(StrEnum):
    """Why a request has no schedule at all; stable codes, worded at the edge."""

    NOTHING_DUE = "nothing_due"
    CHOICE_MISSING = "choice_missing"
    UPFRONT_TOO_LARGE = "upfront_too_large"
    BELOW_ONE_UNIT = "below_one_unit"
    STEP_TOO_LARGE = "step_too_large"
    TOO_MANY = "too_many"
    UNKNOWN_LOAN = "unknown_loan"
    DATE_OUT_OF_REACH = "date_out_of_reach"


class UnableToSchedule(ValueError):
    """A request that no schedule answers. `count` is set for TOO_MANY."""

    def __init__(self, reason: Unschedulable, *, count: int = 0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.count = count


@dataclass(frozen=True, slots=True)
class Portion:
    """One instalment of an interest-bearing schedule: amount = principal + interest."""

    principal: Money
    interest: Money

    @property
    def amount(self) -> Money:
        """What is paid."""
        return self.principal + self.interest


def count_for(total: Money, amount: Money) -> int:
    """How many instalments of `amount` pay `total`, the last one smaller or equal.

    >>> count_for(Money(6_435_387, "CNY"), Money(80_000, "CNY"))
    81
    """
    if amount.minor <= 0:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    return -(-total.minor // amount.minor)


def by_amount(total: Money, amount: Money) -> tuple[Money, ...]:
    """`total` in parts of `amount`, the residue last.

    >>> [part.plain() for part in by_amount(Money(40_726, "CNY"), Money(40_700, "CNY"))]
    ['407.00', '0.26']
    """
    count = count_for(total, amount)
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    return (*(amount for _ in range(count - 1)), total - Money(amount.minor * (count - 1), total.currency))


def by_count(total: Money, count: int, *, rounding: Rounding = Rounding.HALF_UP) -> tuple[Money, ...]:
    """`total` in `count` equal parts rounded to the minor unit, the residue last.

    Where rounding up would leave nothing for the last part, the parts are rounded down instead.

    >>> [part.plain() for part in by_count(Money(490_000, "CNY"), 9)][-2:]
    ['544.44', '544.48']
    """
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    if count < 1 or total.minor < count:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    each = divide(total.minor, count, rounding)
    if each * (count - 1) >= total.minor:
        each = total.minor // count
    part = Money(each, total.currency)
    return (*(part for _ in range(count - 1)), total - Money(each * (count - 1), total.currency))


def stepped(total: Money, count: int, step: Step) -> tuple[Money, ...]:
    """`step.count` parts of `step.amount`, then the rest of `total` over the rest of `count`.

    >>> [p.plain() for p in stepped(Money(6_435_387, "CNY"), 60, Step(12, Money(80_000, "CNY")))][11:13]
    ['800.00', '1140.71']
    """
    rest = total - Money(step.amount.minor * step.count, total.currency)
    if step.count < 1 or step.count >= count or step.amount.minor < 1 or rest.minor <= 0:
        raise UnableToSchedule(Unschedulable.STEP_TOO_LARGE)
    return (*(step.amount for _ in range(step.count)), *by_count(rest, count - step.count))


def annuity(
    principal: Money,
    *,
    annual_rate: Decimal,
    count: int,
    periods_a_year: int = 12,
    rounding: Rounding = Rounding.HALF_UP,
    unit_minor: int = 1,
) -> tuple[Portion, ...]:
    """Equal instalments on a declining balance, each rounded to `unit_minor`; the last one settles.

    The sum of the principal parts is `principal` exactly; interest is rounded once a period.
    5,000 at 12 %, 18 monthly, whole units: 17 x 305.00 + 303.22, interest 488.22.
    """
    top, bottom = _period_rate(annual_rate, periods_a_year)
    level = _level_instalment(principal, top, bottom, count, rounding, unit_minor)
    return tuple(_declining(principal, (level for _ in range(count - 1)), top, bottom, rounding))


def equal_principal(
    principal: Money,
    *,
    annual_rate: Decimal,
    count: int,
    periods_a_year: int = 12,
    rounding: Rounding = Rounding.HALF_UP,
) -> tuple[Portion, ...]:
    """Equal parts of principal with interest on what is left of it, the residue of principal last."""
    top, bottom = _period_rate(annual_rate, periods_a_year)
    left, portions = principal, []
    for part in by_count(principal, count, rounding=rounding):
        portions.append(Portion(part, left.portion(top, bottom, rounding)))
        left = left - part
    return tuple(portions)


def _period_rate(annual_rate: Decimal, periods_a_year: int) -> tuple[int, int]:
    numerator, denominator = annual_rate.as_integer_ratio()
    return numerator, denominator * periods_a_year


def _level_instalment(
    principal: Money, top: int, bottom: int, count: int, rounding: Rounding, unit_minor: int
) -> Money:
    """The annuity instalment, exact until its one rounding: P r (1+r)^n / ((1+r)^n - 1), r = top/bottom."""
    if count < 1 or count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    grown, base = (bottom + top) ** count, bottom**count
    if grown == base:
        numerator, denominator = principal.minor, count
    else:
        numerator, denominator = principal.minor * top * grown, bottom * (grown - base)
    units = divide(numerator, denominator * unit_minor, rounding)
    return Money(units * unit_minor, principal.currency)


def _declining(
    principal: Money, instalments: Iterable[Money], top: int, bottom: int, rounding: Rounding
) -> Iterator[Portion]:
    left = principal
    for amount in instalments:
        interest = left.portion(top, bottom, rounding)
        part = min(amount - interest, left)
        yield Portion(part, interest)
        left = left - part
    yield Portion(left, left.portion(top, bottom, rounding))


def first_pay_day(earliest: date, *, pay_day: int, frequency: Frequency) -> date:
    """The first date on or after `earliest` that is a pay day; `earliest` itself for weekly kinds."""
    if frequency not in MONTHLY_KINDS:
        return earliest
    same_month = add_months(earliest, 0, day=_real_day(pay_day))
    return same_month if same_month >= earliest else add_months(earliest, 1, day=_real_day(pay_day))


def _real_day(pay_day: int) -> int:
    """A day some month has; the policy says whether it was a good choice."""
    return min(max(pay_day, 1), 31)


def working_dates(
    first: date, count: int, frequency: Frequency, *, pay_day: int, working_days: WorkingDays
) -> tuple[date, ...]:
    """`count` strictly increasing due dates; each pay day on which the bank is closed moves to the next open
    day, and the one after it counts from the pay day again, never from the moved date (S2)."""
    dates: list[date] = []
    for nominal in due_dates(first, count, frequency, day=_real_day(pay_day)):
        moved = working_days.next_open(nominal)
        if dates and moved <= dates[-1]:
            moved = working_days.next_open(dates[-1] + timedelta(days=1))
        dates.append(moved)
    return tuple(dates)


def covered_loans(request: TermsRequest, loans: tuple[LoanBasis, ...]) -> tuple[CoveredLoan, ...]:
    """The loans the request takes in, with what is covered and what is asked to be waived of each."""
    known = {loan.loan_ref for loan in loans}
    if request.loan_refs is not None and not known.issuperset(request.loan_refs):
        raise UnableToSchedule(Unschedulable.UNKNOWN_LOAN)
    wanted = known if request.loan_refs is None else set(request.loan_refs)
    chosen = (_cover(request, loan) for loan in loans if loan.loan_ref in wanted)
    return tuple(loan for loan in chosen if loan.covered.minor > 0)


def _cover(request: TermsRequest, loan: LoanBasis) -> CoveredLoan:
    covered = loan.left if request.whole_loan else loan.due_now
    asked = ((component, amount) for component, amount in loan.waivable if component in request.waive)
    waived = tuple(sorted((component, amount) for component, amount in asked if amount.minor > 0))
    parts = loan.left_parts if request.whole_loan else loan.due_parts
    known = tuple(sorted((component, amount) for component, amount in parts if amount.minor))
    return CoveredLoan(loan.loan_id, loan.loan_ref, loan.product_class, covered, waived, known)


def amounts_for(request: TermsRequest, total: Money) -> tuple[Money, ...]:
    """The instalment amounts the request asks for over `total`."""
    if request.count is not None and request.amount is None:
        if request.step is not None:
            return stepped(total, request.count, request.step)
        return by_count(total, request.count)
    if request.amount is not None and request.count is None:
        return by_amount(total, request.amount)
    raise UnableToSchedule(Unschedulable.CHOICE_MISSING)


def terms_for(
    request: TermsRequest,
    loans: tuple[LoanBasis, ...],
    *,
    as_of: date,
    first_earliest: date,
    upfront_due_on: date | None,
    working_days: WorkingDays,
) -> Terms:
    """The exact terms a request comes to on one day's balance; UnableToSchedule when there are none.

    `first_earliest` and `upfront_due_on` are what the bank's rules give where the person chose nothing.
    """
    covered = covered_loans(request, loans)
    if not covered:
        raise UnableToSchedule(Unschedulable.NOTHING_DUE)
    currency = covered[0].covered.currency
    payable = Money.sum((loan.covered - loan.waived_total for loan in covered), currency)
    upfront = request.upfront or Money.zero(currency)
    if payable.minor <= 0:
        raise UnableToSchedule(Unschedulable.NOTHING_DUE)
    if upfront.minor < 0 or upfront >= payable:
        raise UnableToSchedule(Unschedulable.UPFRONT_TOO_LARGE)
    amounts = amounts_for(request, payable - upfront)
    first = first_pay_day(
        request.first_due_on or first_earliest, pay_day=request.pay_day, frequency=request.frequency
    )
    dates = working_dates(
        first, len(amounts), request.frequency, pay_day=request.pay_day, working_days=working_days
    )
    return Terms(
        currency=currency,
        as_of=as_of,
        loans=covered,
        upfront=upfront,
        upfront_due_on=(request.upfront_due_on or upfront_due_on) if upfront else None,
        frequency=request.frequency,
        pay_day=request.pay_day,
        instalments=tuple(
            Instalment(number, due_on, amount)
            for number, (due_on, amount) in enumerate(zip(dates, amounts, strict=True), start=1)
        ),
        freeze_interest=request.freeze_interest,
        freeze_penalty=True,
        whole_loan=request.whole_loan,
    )
