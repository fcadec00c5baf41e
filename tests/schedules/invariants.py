"""What holds for every schedule, whatever was asked for: S1, S2, S4 and M16, read off the rows alone."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from itertools import pairwise

from portal.money import Rounding
from portal.schedules.days import MONTHLY_KINDS
from portal.schedules.parts import Residue
from portal.schedules.request import Grace, Method, ScheduleRequest
from portal.schedules.schedule import Schedule


def faults(schedule: Schedule, *, changed: bool = False) -> list[str]:
    """Every invariant the schedule breaks; empty when it holds them all. A changed one keeps amounts that its
    request alone would not give."""
    found = [*_sums(schedule), *_balances(schedule), *_dates(schedule)]
    return found if changed else [*found, *_equal(schedule)]


def _sums(schedule: Schedule) -> Iterator[str]:
    """S1: to the minor unit, for every exponent."""
    rows = schedule.rows
    beside = sum(amount.minor for _, amount in schedule.extra)
    if sum(row.principal_minor for row in rows) + beside != (
        schedule.principal.minor + sum(row.capitalised_minor for row in rows)
    ):
        yield "S1: the parts of principal are not the principal"
    if schedule.total != schedule.principal + schedule.interest + schedule.fees:
        yield "S1: the instalments are not principal, interest and fees"
    if any(min(row[2:8]) < 0 for row in rows):
        yield "M3: an amount below nought"


def _balances(schedule: Schedule) -> Iterator[str]:
    balance, before = schedule.principal.minor, schedule.starts_on
    for row in schedule.rows:
        balance += row.capitalised_minor - row.principal_minor
        balance -= sum(amount.minor for day, amount in schedule.extra if before <= day < row.due_on)
        before = row.due_on
        if row.balance_minor != balance:
            yield f"the balance after {row.number} does not follow"
    if schedule.rows[-1].balance_minor or schedule.rows[-1].carried_minor:
        yield "something is left after the last"


def _dates(schedule: Schedule) -> Iterator[str]:
    """S2: strictly increasing; the month end where the month lacks the day, and back."""
    request = schedule.request
    days = [schedule.starts_on, *(row.due_on for row in schedule.rows)]
    if any(a >= b for a, b in pairwise(days)):
        yield "S2: the due days do not rise"
    if request.frequency in MONTHLY_KINDS and not schedule.settled:
        day = request.pay_day or (request.first_due_on or request.starts_on).day
        for row in schedule.rows:
            last = calendar.monthrange(row.pay_day.year, row.pay_day.month)[1]
            if row.pay_day.day != min(day, last):
                yield f"S2: pay day {row.pay_day} is not day {day}"
    if request.working_days is None and any(row.due_on != row.pay_day for row in schedule.rows):
        yield "a day moved without a calendar"


def _equal(schedule: Schedule) -> Iterator[str]:
    """S4: of equal instalments all but the one with the residue are equal."""
    request = schedule.request
    if request.method is Method.STEPPED or request.carried or schedule.settled:
        return
    rows = schedule.rows[request.grace_count :]
    if request.method is Method.EQUAL_PRINCIPAL:
        equal = [row.principal_minor for row in rows]
    elif request.grace in (Grace.BOTH, Grace.INTEREST) and request.annual_rate:
        return  # carried interest has a residue of its own
    else:
        equal = [row.amount_minor - row.fee_minor for row in rows]
    yield from _residue(request, equal)


def _residue(request: ScheduleRequest, equal: list[int]) -> Iterator[str]:
    free = not request.annual_rate or request.method is Method.EQUAL_PRINCIPAL
    if request.residue is Residue.LAST and len(set(equal[:-1])) > 1:
        yield "S4: more than the last instalment differs"
    if request.residue is Residue.FIRST and free and len(set(equal[1:])) > 1:
        yield "S4: more than the first instalment differs"
    if request.residue is Residue.FIRST and len(set(equal[1:-1])) > 1 and len(set(equal[:-1])) > 1:
        yield "S4: one between the first and the last differs"
    if request.residue is Residue.SPREAD and free and max(equal) - min(equal) >= 2 * request.unit_minor:
        yield "M16: two shares differ by more than a unit"
    if request.unit_minor > 1 and request.amount is None:
        odd = [amount for amount in equal if amount % request.unit_minor]
        if len(odd) > (1 if free or request.residue is not Residue.FIRST else 2):
            yield "more than the residue's instalment is not in whole units"


def within_rounding(exact_top: int, exact_bottom: int, found: int, rounding: Rounding) -> bool:
    """M16: whether a rounded number is as near as its mode promises."""
    off = found * exact_bottom - exact_top
    if rounding is Rounding.FLOOR:
        return -exact_bottom < off <= 0
    return 2 * abs(off) <= exact_bottom
