"""100,000 generated schedules: each sums to the minor unit, and equals an independent formula where one exists.

The formulas are written here a second time, in another arithmetic: fractions and decimals of sixty digits instead of
whole numbers divided once.
"""

from __future__ import annotations

import os
import random
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import pytest

from portal.money import Rounding
from portal.schedules.days import PERIODS_A_YEAR
from portal.schedules.parts import Residue, Unschedulable
from portal.schedules.request import Grace, Method, ScheduleRequest
from portal.schedules.schedule import Schedule
from tests.schedules.invariants import faults
from tests.schedules.made import answer_to, request_of

#: How many each of the ten runs makes, by profile.
EACH = {"quick": 300, "soak": 100_000}.get(os.environ.get("PORTAL_TEST_PROFILE", ""), 10_000)
SIXTY = Context(prec=60)
MODES = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.FLOOR: ROUND_FLOOR,
}


def whole(value: Fraction, rounding: Rounding) -> int:
    """A fraction as a whole number, by way of a decimal."""
    quotient = SIXTY.divide(Decimal(value.numerator), Decimal(value.denominator))
    return int(quotient.to_integral_value(MODES[rounding]))


def annuity_formula(request: ScheduleRequest, count: int) -> list[tuple[int, int]] | None:
    """P r / (1 - (1 + r)^-n) and a declining balance; None where its last instalment is not above nought."""
    rate = Fraction(request.annual_rate) / PERIODS_A_YEAR[request.frequency]
    left = request.principal.minor
    exact = left * rate / (1 - (1 + rate) ** -count) if rate else Fraction(left, count)
    level = whole(exact / request.unit_minor, request.rounding) * request.unit_minor
    found = []
    for number in range(count):
        interest = whole(left * rate, request.rounding)
        part = left if number == count - 1 else level - interest
        found.append((part, interest))
        left -= part
        if part < 0 or left < 0 or (left == 0 and number < count - 1):
            return None
    return found


def declining_formula(request: ScheduleRequest, count: int) -> list[tuple[int, int]] | None:
    """After k of n equal parts p, P - k p bears interest; None where the last part is not above nought."""
    rate = Fraction(request.annual_rate) / PERIODS_A_YEAR[request.frequency]
    whole_sum = request.principal.minor
    part = whole(Fraction(whole_sum, count * request.unit_minor), request.rounding) * request.unit_minor
    last = whole_sum - part * (count - 1)
    if part <= 0 or last <= 0:
        return None
    shares = [part] * (count - 1) + [last]
    return [(share, whole((whole_sum - part * k) * rate, request.rounding)) for k, share in enumerate(shares)]


def has_formula(request: ScheduleRequest) -> bool:
    """Whether a closed form says every row: by the period's rate, no grace, no steps, the residue last."""
    return (
        request.day_count is None
        and request.grace is Grace.NONE
        and request.residue is Residue.LAST
        and request.count is not None
        and request.method is not Method.STEPPED
    )


def disagreements(schedule: Schedule) -> list[str]:
    """Where a schedule differs from the formula of its kind."""
    request, rows = schedule.request, schedule.rows
    if not has_formula(request):
        return []
    falling = request.method is Method.EQUAL_PRINCIPAL
    expected = (declining_formula if falling else annuity_formula)(request, len(rows))
    if expected is not None and [(row.principal_minor, row.interest_minor) for row in rows] != expected:
        return ["the formula says otherwise"]
    if falling and request.principal.minor % (len(rows) * request.unit_minor) == 0:
        rate = Fraction(request.annual_rate) / PERIODS_A_YEAR[request.frequency]
        if abs(schedule.interest.minor - rate * request.principal.minor * (len(rows) + 1) / 2) > len(rows):
            return ["the sum of the interest is not r P (n + 1) / 2"]
    return []


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_sum_to_the_cent_and_match_the_formula(seed: int) -> None:
    draw = random.Random(seed)
    made = refused = compared = 0
    while made < EACH:
        request = request_of(draw)
        schedule = answer_to(request)
        if isinstance(schedule, Unschedulable):
            refused += 1
            continue
        made += 1
        compared += has_formula(request)
        assert [*faults(schedule), *disagreements(schedule)] == [], request

    assert refused < made / 4, "the generator hardly asks for what can be had"
    assert compared > made / 10


def test_the_same_request_gives_the_same_schedule() -> None:
    first, second = random.Random(7), random.Random(7)

    for _ in range(200):
        assert answer_to(request_of(first)) == answer_to(request_of(second))
