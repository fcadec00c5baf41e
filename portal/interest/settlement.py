"""The settlement figure: what pays one loan off completely on a chosen day within the next month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from portal.accounts.balance import COMPONENTS
from portal.interest.accrual import EstimateLine, LoanLedger, Stop, estimate_lines, ledger_for, stopped
from portal.interest.engine import BEARING, Accrual, ComponentAccrual
from portal.interest.payoff import Payoff, payoff
from portal.money import Money, divide

#: The furthest day ahead for which a figure is given.
DAYS_AHEAD = 30
#: The components in the order a person reads them.
PARTS = tuple(reversed(COMPONENTS))


@dataclass(frozen=True, slots=True)
class SettlementPart:
    """One component: what the ledger holds of it, what has accrued to the day, and both together."""

    component: str
    left: Money
    accrued: Money

    @property
    def amount(self) -> Money:
        """What of this component has to be paid."""
        return self.left + self.accrued


@dataclass(frozen=True, slots=True)
class SettlementPeriod:
    """What accrues between two posting days, rate by rate; rounded as it will be posted."""

    since: date
    until: date
    lines: tuple[EstimateLine, ...]


@dataclass(frozen=True, slots=True)
class DayLine:
    """What one day more adds at one rate: `balance` x rate / year_days; the amounts sum to `per_day`."""

    component: str
    rate: Decimal
    year_days: int
    balance: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Settlement:
    """What pays a loan off on `on`. The parts and the fee sum to `total`; less `overpaid` it is `to_pay`.

    `as_of` is the day to which the bank's books go, `is_estimate` says that interest was added that the
    bank has not posted. `per_day` is what one day more adds, rounded for reading; `per_day_exact` is not.
    """

    loan_id: int
    loan_ref: str
    product_class: str
    currency: str
    as_of: date
    on: date
    since: date
    parts: tuple[SettlementPart, ...]
    periods: tuple[SettlementPeriod, ...]
    accrued: Money
    fee: Money
    fee_rate: Decimal
    overpaid: Money
    total: Money
    to_pay: Money
    per_day: Money
    per_day_exact: Fraction
    day_lines: tuple[DayLine, ...]
    is_estimate: bool

    @property
    def shown(self) -> tuple[SettlementPart, ...]:
        """The components of which anything has to be paid."""
        return tuple(part for part in self.parts if part.amount)


def latest_day(as_of: date, today: date) -> date:
    """The furthest day a settlement is given for; nobody settles before `earliest_day`."""
    return earliest_day(as_of, today) + timedelta(days=DAYS_AHEAD)


def earliest_day(as_of: date, today: date) -> date:
    """The first day a settlement is given for: today, or the day to which the bank's books go."""
    return max(as_of, today)


def settlement_for(
    connection: Connection,
    borrower_id: int,
    loan_ref: str,
    *,
    on: date,
    stop: Stop | None = None,
    fee_rate: Decimal = Decimal(0),
) -> Settlement | None:
    """What pays the borrower's own loan off on `on`; None for somebody else's loan and for a day to which
    the bank's books already go past. Three statements. The caller keeps `on` within `latest_day`.

    `stop` is what an agreed plan stops accruing, `fee_rate` the bank's fee for paying early (a fraction of
    the principal not yet due).
    """
    ledger = ledger_for(connection, borrower_id, loan_ref)
    if ledger is None or on < ledger.as_of:
        return None
    return settle(ledger, on=on, stop=stop, fee_rate=fee_rate)


def settle(
    ledger: LoanLedger, *, on: date, stop: Stop | None = None, fee_rate: Decimal = Decimal(0)
) -> Settlement:
    """The settlement figure of a loan with its lines. Pure; raises as `payoff`."""
    terms = ledger.terms if stop is None else stopped(ledger.terms, stop)
    since = ledger.last_posted(on)
    found = payoff(terms, (one.line for one in ledger.entries), since=since, on=on, fee_rate=fee_rate)

    def money(minor: int) -> Money:
        return Money(minor, ledger.currency)

    return Settlement(
        loan_id=ledger.loan_id,
        loan_ref=ledger.loan_ref,
        product_class=ledger.product_class,
        currency=ledger.currency,
        as_of=ledger.as_of,
        on=on,
        since=since,
        parts=tuple(
            SettlementPart(name, money(found.left[name]), money(found.accrued.get(name, 0))) for name in PARTS
        ),
        periods=tuple(_period(ledger, one) for one in found.accruals),
        accrued=money(sum(found.accrued.values())),
        fee=money(found.fee),
        fee_rate=fee_rate,
        overpaid=money(found.figures.suspense),
        total=money(found.total),
        to_pay=money(found.to_pay),
        per_day=money(_rounded(found)),
        per_day_exact=found.per_day,
        day_lines=tuple(_day_lines(found, ledger.currency)),
        is_estimate=found.is_estimate,
    )


def _period(ledger: LoanLedger, accrual: Accrual) -> SettlementPeriod:
    return SettlementPeriod(accrual.since, accrual.until, tuple(estimate_lines(ledger, accrual)))


def _day_lines(found: Payoff, currency: str) -> Iterator[DayLine]:
    """Rounded for reading so that they sum to the day's rounded interest (largest remainders)."""
    parts = [
        (name, part)
        for name in BEARING
        for part in found.next_day[name].parts
        if part.rate and part.minor_days
    ]
    whole = ComponentAccrual(tuple(part for _, part in parts), found.per_day, _rounded(found))
    for (name, part), minor in zip(parts, whole.shares(), strict=True):
        yield DayLine(
            name, part.rate, part.year_days, Money(part.minor_days, currency), Money(minor, currency)
        )


def _rounded(found: Payoff) -> int:
    return divide(found.per_day.numerator, found.per_day.denominator)
