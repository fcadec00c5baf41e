"""From a request to its schedule. Pure; whole numbers inside, every rounding where its knob is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, repeat
from typing import NamedTuple

from portal.money import Money
from portal.schedules.declining import (
    Charges,
    Part,
    level_parts,
    paid_down,
    principal_parts,
    settle,
)
from portal.schedules.levelling import odd_first, relevelled, with_carried
from portal.schedules.parts import (
    LONGEST,
    Residue,
    UnableToSchedule,
    Unschedulable,
    by_amount,
    by_count,
)
from portal.schedules.periods import Periods
from portal.schedules.request import Grace, GraceInterest, Keep, Method, ScheduleRequest
from portal.schedules.schedule import Row, Schedule


class _Entry(NamedTuple):
    """A row before it has a date and a balance: what is paid, and the interest that arose."""

    principal: int
    interest: int
    arisen: int
    capitalised: int = 0


@dataclass(frozen=True, slots=True)
class _Left:
    """Where the instalments after the grace begin: the period, the principal and the interest carried to it."""

    period: int
    balance: int
    carried: int


def make(request: ScheduleRequest) -> Schedule:
    """The schedule of a request; the same request always gives the same.

    Amounts in minor units; rounds the level instalment (or the equal part) once to `unit_minor` and each
    period's interest once to `interest_unit_minor`, in the request's mode; the residue lands where the
    request says. Raises UnableToSchedule: nothing_due, below_one_unit, below_interest, step_too_large,
    too_many, grace_too_long, date_order, date_out_of_reach.
    """
    if request.count is not None and not 1 <= request.count <= LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=request.count)
    if request.count is not None and request.grace_count >= request.count:
        raise UnableToSchedule(Unschedulable.GRACE_TOO_LONG)
    return _assembled(request, lambda charges, left: _parts(request, charges, left))


def make_of(request: ScheduleRequest, amounts: Sequence[int], keep: Keep) -> Schedule:
    """The schedule whose instalments after the grace are `amounts` (minor units; parts of principal where the
    method is equal_principal) instead of what the request's count or amount would give.

    Keeping the count, the last one settles whatever is left; keeping the amount, the last but one amount goes
    on until nothing is left, and the last takes no more than there is. Rounds and raises as `make`.
    """
    return _assembled(request, lambda charges, left: _given(request, charges, left, amounts, keep))


def _given(
    request: ScheduleRequest, charges: Charges, left: _Left, amounts: Sequence[int], keep: Keep
) -> list[Part]:
    whole, equal_principal = left, request.method is Method.EQUAL_PRINCIPAL
    if equal_principal:  # carried interest comes on top of their interest, in equal parts
        left = replace(left, carried=0)
    if keep is Keep.COUNT:
        parts = _as_told(request, charges, left, amounts[:-1])
        balance = left.balance - sum(part.principal for part in parts)
        if len(parts) < len(amounts) - 1 or balance <= 0:
            raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
        carried = left.carried - sum(part.carried for part in parts)
        parts.append(settle(balance, charges, left.period + len(parts))._replace(carried=carried))
    else:
        usual = amounts[-2:][0]
        more = repeat(usual, LONGEST + 1 - len(amounts))
        parts = _as_told(request, charges, left, (*amounts[:-1], max(amounts[-1], usual), *more))
    _refuse_too_many(left.period + len(parts))
    return with_carried(parts, whole.carried, request.residue) if equal_principal else parts


def _as_told(request: ScheduleRequest, charges: Charges, left: _Left, amounts: Sequence[int]) -> list[Part]:
    """Instalments, or parts of principal, of these amounts until nothing is left."""
    if request.method is not Method.EQUAL_PRINCIPAL:
        return list(paid_down(left.balance, charges, left.period, amounts, left.carried))
    before = accumulate(amounts, initial=0)
    taken = [min(amount, left.balance - sum_) for amount, sum_ in zip(amounts, before) if sum_ < left.balance]
    return list(principal_parts(left.balance, charges, left.period, taken))


def _assembled(request: ScheduleRequest, parts_of: Callable[[Charges, _Left], Iterable[Part]]) -> Schedule:
    if request.principal.minor <= 0:
        raise UnableToSchedule(Unschedulable.NOTHING_DUE)
    periods = Periods(request)
    charges = Charges(periods.top_of, periods.bottom, request.rounding, request.interest_unit_minor)
    in_grace, left = _grace(request, charges)
    after = (
        _Entry(part.principal, part.interest + part.carried, part.interest)
        for part in parts_of(charges, left)
    )
    rows = tuple(_rows(request, periods, chain(in_grace, after)))
    return Schedule(
        principal=request.principal,
        starts_on=request.starts_on,
        opening_fee=request.opening_fee or Money.zero(request.principal.currency),
        request=request,
        rows=rows,
    )


def _rows(request: ScheduleRequest, periods: Periods, entries: Iterable[_Entry]) -> Iterator[Row]:
    balance = request.principal.minor
    carried = request.carried.minor if request.carried else 0
    fee = request.fee.minor if request.fee else 0
    first_fee = request.first_fee.minor if request.first_fee else 0
    for number, entry in enumerate(entries):
        carried += entry.arisen - entry.interest - entry.capitalised
        balance += entry.capitalised - entry.principal
        pay_day, due_on = periods.days(number)
        yield Row(
            number + 1,
            due_on,
            entry.principal,
            entry.interest,
            fee + (first_fee if number == 0 else 0),
            balance,
            entry.capitalised,
            carried,
            pay_day,
        )


def _grace(request: ScheduleRequest, charges: Charges) -> tuple[list[_Entry], _Left]:
    """The instalments in grace, and what is left after them."""
    balance = request.principal.minor
    carried = request.carried.minor if request.carried else 0
    entries: list[_Entry] = []
    for period in range(request.grace_count):
        interest = charges.on(balance, period)
        principal = _principal_in_grace(request) if request.grace is Grace.INTEREST else 0
        if request.grace is Grace.PRINCIPAL:
            entry = _Entry(principal, interest, interest)
        elif request.grace_interest is GraceInterest.CAPITALISED:
            entry = _Entry(principal, 0, interest, interest)
        else:
            entry = _Entry(principal, 0, interest)
            carried += interest
        balance += entry.capitalised - principal
        entries.append(entry)
    if balance <= 0:
        raise UnableToSchedule(Unschedulable.GRACE_TOO_LONG)
    return entries, _Left(request.grace_count, balance, carried)


def _principal_in_grace(request: ScheduleRequest) -> int:
    if request.amount is not None:
        return request.amount.minor
    parts = by_count(
        request.principal, request.count or 1, rounding=request.rounding, unit_minor=request.unit_minor
    )
    return parts[0].minor


def _parts(request: ScheduleRequest, charges: Charges, left: _Left) -> list[Part]:
    """The instalments after the grace."""
    count = None if request.count is None else request.count - left.period
    if request.method is Method.STEPPED:
        return _stepped(request, charges, left, count)
    if request.method is Method.EQUAL_PRINCIPAL:
        return _equal_principal(request, charges, left, count)
    if count is None:
        return _of_amount(request, charges, left)
    return with_carried(_level(request, charges, left, count), left.carried, request.residue)


def _stepped(request: ScheduleRequest, charges: Charges, left: _Left, count: int | None) -> list[Part]:
    amounts = [step.amount.minor for step in request.steps for _ in range(step.count)]
    if not amounts or (count is not None and len(amounts) >= count):
        raise UnableToSchedule(Unschedulable.STEP_TOO_LARGE)
    parts = list(paid_down(left.balance, charges, left.period, amounts, left.carried))
    balance = left.balance - sum(part.principal for part in parts)
    if balance <= 0 or min(amounts) < 1:
        raise UnableToSchedule(Unschedulable.STEP_TOO_LARGE)
    carried = left.carried - sum(part.carried for part in parts)
    rest = _Left(left.period + len(parts), balance, carried)
    if count is None:
        return [*parts, *_of_amount(request, charges, rest)]
    after = _level(request, charges, rest, count - len(parts))
    return [*parts, *with_carried(after, carried, request.residue)]


def _equal_principal(
    request: ScheduleRequest, charges: Charges, left: _Left, count: int | None
) -> list[Part]:
    balance = Money(left.balance, request.principal.currency)
    if count is not None:
        found = by_count(
            balance, count, rounding=request.rounding, residue=request.residue, unit_minor=request.unit_minor
        )
    else:
        assert request.amount is not None
        found = by_amount(balance, request.amount, residue=request.residue)
    _refuse_too_many(left.period + len(found))
    parts = principal_parts(left.balance, charges, left.period, [part.minor for part in found])
    return with_carried(list(parts), left.carried, request.residue)


def _of_amount(request: ScheduleRequest, charges: Charges, left: _Left) -> list[Part]:
    """Instalments of the chosen amount until nothing is left; the odd one last, first, or evened out."""
    assert request.amount is not None
    amount = request.amount.minor
    if amount < 1:
        raise UnableToSchedule(Unschedulable.BELOW_ONE_UNIT)
    most = LONGEST + 1 - left.period
    parts = list(paid_down(left.balance, charges, left.period, repeat(amount, most), left.carried))
    _refuse_too_many(left.period + len(parts))
    if request.residue is Residue.LAST or left.carried or len(parts) == 1:
        return parts
    if request.residue is Residue.SPREAD:
        return _level(request, charges, left, len(parts))
    return odd_first(left.balance, charges, left.period, amount, len(parts)) or parts


def _refuse_too_many(count: int) -> None:
    if count > LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)


def _level(request: ScheduleRequest, charges: Charges, left: _Left, count: int) -> list[Part]:
    """`count` level instalments with the residue where the request says."""
    if not request.annual_rate:
        whole = Money(left.balance, request.principal.currency)
        found = by_count(
            whole, count, rounding=request.rounding, residue=request.residue, unit_minor=request.unit_minor
        )
        return [Part(part.minor, 0) for part in found]
    if request.residue is Residue.SPREAD:
        return list(
            relevelled(left.balance, charges, left.period, count, request.rounding, request.unit_minor)
        )
    parts = level_parts(
        left.balance, charges, left.period, count, rounding=request.rounding, unit_minor=request.unit_minor
    )
    if request.residue is Residue.LAST or count == 1:
        return parts
    level = parts[0].principal + parts[0].interest
    return odd_first(left.balance, charges, left.period, level, count) or parts
