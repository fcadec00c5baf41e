"""Requests by the thousand, from a seed: every knob turned, most of them payable."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from portal.dates import Frequency
from portal.money import Money, Rounding
from portal.schedules.daycount import DayCount
from portal.schedules.making import make
from portal.schedules.parts import Residue, Step, UnableToSchedule, Unschedulable
from portal.schedules.request import Grace, GraceInterest, Method, ScheduleRequest
from portal.schedules.schedule import Schedule

CURRENCIES = ("CNY", "CNY", "USD", "JPY", "KWD")
GRACES = (Grace.PRINCIPAL, Grace.INTEREST, Grace.BOTH)


def request_of(draw: random.Random) -> ScheduleRequest:
    """One request of any kind."""
    currency = draw.choice(CURRENCIES)
    principal = Money(draw.randrange(20_000, 10 ** draw.randrange(5, 11)), currency)
    count = draw.randrange(1, 31)
    method = draw.choice((Method.EQUAL_INSTALMENTS, Method.EQUAL_INSTALMENTS, *Method))
    knobs: dict[str, Any] = {
        "principal": principal,
        "starts_on": date(2024, 1, 1) + timedelta(days=draw.randrange(3_000)),
        "method": method,
        "frequency": draw.choice(tuple(Frequency)),
        "residue": draw.choice((Residue.LAST, Residue.LAST, Residue.LAST, *Residue)),
        "rounding": draw.choice(tuple(Rounding)),
        "unit_minor": draw.choice((1, 1, 1, 100)),
        "pay_day": draw.choice((None, draw.randrange(1, 32))),
        "annual_rate": Decimal(0) if method is Method.INTEREST_FREE else _rate(draw),
        "fee": draw.choice((None, Money(draw.randrange(500), currency))),
        "day_count": draw.choice((None, None, None, None, *DayCount)),
    }
    if draw.randrange(4) == 0 and count > 2:
        knobs |= {
            "grace": draw.choice(GRACES),
            "grace_count": draw.randrange(1, count - 1),
            "grace_interest": draw.choice(tuple(GraceInterest)),
        }
    if method is Method.STEPPED:
        count += 2
        step = Money(max(principal.minor // (3 * count), 1), currency)
        knobs["steps"] = (Step(1 + draw.randrange(max(count - knobs.get("grace_count", 0) - 2, 1)), step),)
    by_amount = draw.randrange(5) == 0
    knobs |= {"amount": _amount(draw, principal, count)} if by_amount else {"count": count}
    return ScheduleRequest(**knobs)


def _rate(draw: random.Random) -> Decimal:
    return Decimal(draw.randrange(0, 3_600)).scaleb(-4)


def _amount(draw: random.Random, principal: Money, count: int) -> Money:
    """Something that pays the principal in about `count` instalments and its interest too."""
    return Money(principal.minor * draw.randrange(10, 30) // (10 * count) + 1, principal.currency)


def answer_to(request: ScheduleRequest) -> Schedule | Unschedulable:
    """The schedule, or why there is none."""
    try:
        return make(request)
    except UnableToSchedule as unable:
        return unable.reason
