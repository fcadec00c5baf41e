"""A schedule: dated rows of principal, interest and fee, with what is left after each. A frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from portal.money import Money
from portal.schedules.request import ScheduleRequest


class Row(NamedTuple):
    """One instalment; amounts in minor units of the schedule's currency."""

    number: int
    #: the pay day, moved to an open day
    due_on: date
    principal_minor: int
    #: interest to pay, what was carried from before among it
    interest_minor: int
    fee_minor: int
    #: principal left after it
    balance_minor: int
    #: the period's interest where it joined the principal instead of being paid
    capitalised_minor: int
    #: interest that waits, unpaid and without interest, after it
    carried_minor: int
    #: the pay day itself
    pay_day: date

    @property
    def amount_minor(self) -> int:
        """What is paid: principal, interest and fee."""
        return self.principal_minor + self.interest_minor + self.fee_minor


@dataclass(frozen=True, slots=True)
class Schedule:
    """Instalments that pay `principal` and what it costs, exactly: rows.principal + extra = principal +
    capitalised; the last row leaves nothing (S1). The first `settled` rows stand as they were when it last
    changed; `request` has the knobs of the rest."""

    principal: Money
    starts_on: date
    opening_fee: Money
    request: ScheduleRequest
    rows: tuple[Row, ...]
    settled: int = 0
    #: principal paid beside the instalments: (day, amount)
    extra: tuple[tuple[date, Money], ...] = ()

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.principal.currency

    @property
    def count(self) -> int:
        """How many instalments."""
        return len(self.rows)

    @property
    def interest(self) -> Money:
        """All interest that arises: paid with the instalments or joined to the principal."""
        return self._sum(row.interest_minor + row.capitalised_minor for row in self.rows)

    @property
    def capitalised(self) -> Money:
        """The part of the interest that joined the principal."""
        return self._sum(row.capitalised_minor for row in self.rows)

    @property
    def fees(self) -> Money:
        """All fees, the one of the start among them."""
        return self._sum(row.fee_minor for row in self.rows) + self.opening_fee

    @property
    def total(self) -> Money:
        """Everything that is paid: principal, interest and fees."""
        beside = Money.sum((amount for _, amount in self.extra), self.currency)
        return self._sum(row.amount_minor for row in self.rows) + self.opening_fee + beside

    @property
    def amounts(self) -> tuple[Money, ...]:
        """What each instalment comes to."""
        return tuple(Money(row.amount_minor, self.currency) for row in self.rows)

    @property
    def usual(self) -> Money:
        """The ordinary instalment: the one before the last, which may hold a residue."""
        return self.amounts[-2] if self.count > 1 else self.amounts[-1]

    @property
    def payments(self) -> tuple[tuple[date, Money], ...]:
        """Everything paid and when, in order of the days: instalments, extra payments, the fee of the start."""
        opening = ((self.starts_on, self.opening_fee),) if self.opening_fee else ()
        paid = ((row.due_on, Money(row.amount_minor, self.currency)) for row in self.rows if row.amount_minor)
        return tuple(sorted((*opening, *self.extra, *paid), key=lambda payment: payment[0]))

    def _sum(self, minor: Iterable[int]) -> Money:
        return Money(sum(minor), self.currency)
