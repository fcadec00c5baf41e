"""A schedule as pages draw it: rows with what is left after each, and a calendar of years and months.

Pure. `grid_time.html` draws the calendar; the table beside it prints the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from portal.dates import add_months
from portal.money import Money
from portal.plans.terms import Instalment, Terms
from portal.schedules.days import MONTHLY_KINDS

#: Rows a table shows before the last one, unless all are asked for.
FIRST_ROWS = 5


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One payment of a plan and what is left to pay after it. `moved_from` is the pay day it was moved
    from because the bank is closed then; nothing where it fell on its day."""

    number: int
    due_on: date
    amount: Money
    left_after: Money
    moved_from: date | None


@dataclass(frozen=True, slots=True)
class Shortened:
    """The first rows, the row that stands for those left out, and the last one."""

    first: tuple[ScheduleRow, ...]
    hidden: tuple[ScheduleRow, ...]
    last: tuple[ScheduleRow, ...]


@dataclass(frozen=True, slots=True)
class MonthCell:
    """A month with `count` payments. `kind`: "first", "ahead", "past" the limit, "paid" or "late"."""

    month: int
    kind: str
    count: int


def rows_of(terms: Terms) -> Iterator[ScheduleRow]:
    """Every payment in order, the upfront one as number 0; the last leaves nothing."""
    left = terms.payable
    for part in terms.payments:
        left = left - part.amount
        yield ScheduleRow(part.number, part.due_on, part.amount, left, _moved_from(part, terms))


def _moved_from(part: Instalment, terms: Terms) -> date | None:
    """The pay day a monthly instalment was moved from: at most some days before the date it got."""
    if part.number == 0 or terms.frequency not in MONTHLY_KINDS:
        return None
    same_month = add_months(part.due_on, 0, day=terms.pay_day)
    nominal = same_month if same_month <= part.due_on else add_months(part.due_on, -1, day=terms.pay_day)
    return None if nominal == part.due_on else nominal


def shortened(rows: Iterable[ScheduleRow], *, show_all: bool) -> Shortened:
    """The rows a table shows: all of them, or the first few and the last."""
    every = tuple(rows)
    if show_all or len(every) <= FIRST_ROWS + 2:
        return Shortened(every, (), ())
    return Shortened(every[:FIRST_ROWS], every[FIRST_ROWS:-1], every[-1:])


def calendar_of(
    instalments: Iterable[Instalment], kind_of: Callable[[Instalment], str]
) -> list[tuple[int, list[MonthCell]]]:
    """Years with their months that have a payment; a month shows the kind of its first payment."""
    years: list[tuple[int, list[MonthCell]]] = []
    for year, of_year in groupby(instalments, key=lambda part: part.due_on.year):
        cells = []
        for month, of_month in groupby(of_year, key=lambda part: part.due_on.month):
            parts = list(of_month)
            cells.append(MonthCell(month, kind_of(parts[0]), len(parts)))
        years.append((year, cells))
    return years


def past_limit(terms: Terms, *, most: int, last_possible: date) -> Callable[[Instalment], str]:
    """The kind of each instalment of a proposal: the first, those within the bank's limits, those past."""

    def kind(part: Instalment) -> str:
        if part.number > most or part.due_on > last_possible:
            return "past"
        return "first" if part.number == terms.first.number else "ahead"

    return kind
