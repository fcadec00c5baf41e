"""How far a plan has come: what is paid, overdue or next, a row per instalment, a square per month. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby

from portal.dates import add_months
from portal.money import Money
from portal.plans.revisions import ChangeView
from portal.plans.terms import Terms
from portal.schedules.days import MONTHLY_KINDS
from portal.schedules.extra import ExtraChoice

#: Rows shown around the next instalment unless all are asked for.
SHOWN_BEFORE, SHOWN_AFTER = 2, 4


class Status(StrEnum):
    """What stands beside an instalment today; computed, never stored."""

    PAID = "paid"
    LATE = "late"
    GRACE = "grace"
    NEXT = "next"
    AHEAD = "ahead"


#: Which status a month with several payments shows: the one that needs looking at first.
_FIRST_SEEN = (Status.LATE, Status.GRACE, Status.NEXT, Status.AHEAD, Status.PAID)


@dataclass(frozen=True, slots=True)
class InstalmentView:
    """One instalment of a plan: number 0 is the upfront payment."""

    number: int
    due_on: date
    amount: Money
    paid: Money
    #: the day the last of it was counted, where all of it is paid
    paid_at: datetime | None

    @property
    def left(self) -> Money:
        """What is still to pay of it."""
        return self.amount - self.paid

    @property
    def is_paid(self) -> bool:
        """Whether nothing is left of it."""
        return not self.left

    def is_overdue(self, today: date, grace_days: int) -> bool:
        """Whether it is unpaid after its day and the days of grace."""
        return not self.is_paid and today > self.due_on + timedelta(days=grace_days)

    def is_in_grace(self, today: date, grace_days: int) -> bool:
        """Whether its day has passed and the days of grace have not."""
        return not self.is_paid and self.due_on < today <= self.due_on + timedelta(days=grace_days)


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan and how far it has come."""

    plan_id: int
    reference: str
    borrower_id: int
    proposal_id: int
    state: str
    currency: str
    made_at: datetime
    ended_at: datetime | None
    terms: Terms
    terms_hash: str
    instalments: tuple[InstalmentView, ...]
    loan_ids: tuple[int, ...]
    loans: tuple[str, ...]
    #: what more than an instalment goes to, as chosen the last time
    extra_choice: ExtraChoice = ExtraChoice.NEXT
    #: what was changed since it was made, oldest first; `instalments` are as the last one left them
    changes: tuple[ChangeView, ...] = ()

    @property
    def pay_day(self) -> int:
        """The day of the month that instalments to come fall due on."""
        return self.changes[-1].revision.pay_day if self.changes else self.terms.pay_day

    def pay_day_of(self, number: int) -> int:
        """The day of the month one instalment falls due on: a change leaves those before it alone."""
        day = self.terms.pay_day
        for change in self.changes:
            if number >= change.revision.first_moved:
                day = change.revision.pay_day
        return day

    @property
    def schedule_hash(self) -> str:
        """The digest of the schedule in force: of the last change, else of the agreed terms."""
        return self.changes[-1].revision.digest() if self.changes else self.terms_hash

    @property
    def total(self) -> Money:
        """What is to be paid in all."""
        return Money.sum((part.amount for part in self.instalments), self.currency)

    @property
    def paid(self) -> Money:
        """What was counted so far."""
        return Money.sum((part.paid for part in self.instalments), self.currency)

    @property
    def left(self) -> Money:
        """What is still to pay."""
        return self.total - self.paid

    @property
    def next_instalment(self) -> InstalmentView | None:
        """The first instalment that is not paid in full."""
        return next((part for part in self.instalments if not part.is_paid), None)

    @property
    def last_open(self) -> InstalmentView:
        """The last instalment with something left to pay; the last of all once everything is paid."""
        left = [part for part in self.instalments if not part.is_paid]
        return left[-1] if left else self.instalments[-1]

    def overdue(self, today: date, grace_days: int) -> tuple[InstalmentView, ...]:
        """The instalments unpaid after their days of grace."""
        return tuple(part for part in self.instalments if part.is_overdue(today, grace_days))

    def is_at_risk(self, today: date, grace_days: int) -> bool:
        """Whether two instalments in a row are overdue: the borrower is asked before anything is broken."""
        return len(self.overdue(today, grace_days)) >= 2


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """One instalment today. `moved_from` is the pay day it was moved from, the bank being closed then."""

    number: int
    due_on: date
    amount: Money
    left: Money
    status: Status
    is_last: bool
    moved_from: date | None
    #: all of it is paid before its day
    is_early: bool = False

    @property
    def is_part_paid(self) -> bool:
        """Whether some of it is paid and some is not."""
        return bool(self.left) and self.left != self.amount


@dataclass(frozen=True, slots=True)
class MonthCell:
    """A month with payments: what it shows, and whether it holds the upfront or the last one."""

    month: int
    status: Status
    is_upfront: bool
    is_last: bool
    count: int


@dataclass(frozen=True, slots=True)
class Windowed:
    """The rows a table shows: before a gap, in the middle, after a gap; gaps hold what is left out."""

    before: tuple[ProgressRow, ...]
    middle: tuple[ProgressRow, ...]
    after: tuple[ProgressRow, ...]
    last: tuple[ProgressRow, ...]


def rows_of(plan: PlanView, *, today: date, grace_days: int) -> tuple[ProgressRow, ...]:
    """Every instalment with its status on `today`, the upfront payment first."""
    upcoming = plan.next_instalment
    last = plan.last_open.number
    return tuple(
        ProgressRow(
            number=part.number,
            due_on=part.due_on,
            amount=part.amount,
            left=part.left,
            status=_status(part, upcoming, today, grace_days),
            is_last=part.number == last,
            moved_from=_moved_from(part, plan),
            is_early=part.is_paid and part.due_on > today,
        )
        for part in plan.instalments
    )


def _status(part: InstalmentView, upcoming: InstalmentView | None, today: date, grace_days: int) -> Status:
    if part.is_paid:
        return Status.PAID
    if part.is_overdue(today, grace_days):
        return Status.LATE
    if part.is_in_grace(today, grace_days):
        return Status.GRACE
    return Status.NEXT if part == upcoming else Status.AHEAD


def _moved_from(part: InstalmentView, plan: PlanView) -> date | None:
    if part.number == 0 or plan.terms.frequency not in MONTHLY_KINDS:
        return None
    day = plan.pay_day_of(part.number)
    same_month = add_months(part.due_on, 0, day=day)
    nominal = same_month if same_month <= part.due_on else add_months(part.due_on, -1, day=day)
    return None if nominal == part.due_on else nominal


def windowed(rows: tuple[ProgressRow, ...], *, show_all: bool) -> Windowed:
    """All rows, or those around the first that is not paid, with the last one; gaps between them."""
    if show_all or len(rows) <= SHOWN_BEFORE + SHOWN_AFTER + 3:
        return Windowed((), rows, (), ())
    at = next((index for index, row in enumerate(rows) if row.status is not Status.PAID), len(rows) - 1)
    start = max(at - SHOWN_BEFORE, 0)
    end = min(at + SHOWN_AFTER, len(rows) - 1)
    return Windowed(rows[:start], rows[start:end], rows[end:-1], rows[-1:])


def calendar_of(rows: tuple[ProgressRow, ...]) -> list[tuple[int, list[MonthCell]]]:
    """Years with their months that hold a payment."""
    years = []
    for year, of_year in groupby(rows, key=lambda row: row.due_on.year):
        cells = []
        for month, of_month in groupby(of_year, key=lambda row: row.due_on.month):
            parts = list(of_month)
            cells.append(
                MonthCell(
                    month=month,
                    status=min((row.status for row in parts), key=_FIRST_SEEN.index),
                    is_upfront=parts[0].number == 0,
                    is_last=parts[-1].is_last,
                    count=len(parts),
                )
            )
        years.append((year, cells))
    return years
