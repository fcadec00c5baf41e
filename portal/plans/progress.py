"""How far a plan has come, as its page draws it: a row per instalment and a square per month. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from portal.dates import add_months
from portal.money import Money
from portal.plans.schedule import MONTHLY_KINDS

if TYPE_CHECKING:
    from portal.plans.queries import InstalmentView, PlanView

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
class ProgressRow:
    """One instalment today. `moved_from` is the pay day it was moved from, the bank being closed then."""

    number: int
    due_on: date
    amount: Money
    left: Money
    status: Status
    is_last: bool
    moved_from: date | None

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
    last = plan.instalments[-1].number
    return tuple(
        ProgressRow(
            number=part.number,
            due_on=part.due_on,
            amount=part.amount,
            left=part.left,
            status=_status(part, upcoming, today, grace_days),
            is_last=part.number == last,
            moved_from=_moved_from(part, plan),
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
    same_month = add_months(part.due_on, 0, day=plan.terms.pay_day)
    nominal = same_month if same_month <= part.due_on else add_months(part.due_on, -1, day=plan.terms.pay_day)
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
