"""Which windows a visit may lie in: the law's hours, its days of notice, and what the officers still have free.

Pure. Hours are those of the bank's wall clock; a window lies wholly within them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.jurisdictions.shape import ContactHours, Jurisdiction

#: Where the law asks for no days of notice, a moved visit is still not on the day it was moved.
LEAST_DAYS = 1
#: Windows begin at these full hours, where the law's hours have them.
STARTS = (9, 11, 14, 16, 19)
#: So many days with a free window are offered.
OFFERED_DAYS = 7
#: No further ahead than this is looked.
_FURTHEST = 60


@dataclass(frozen=True, order=True)
class Window:
    """From `starts_at` until `ends_at`."""

    starts_at: datetime
    ends_at: datetime

    def meets(self, other: Window) -> bool:
        """Whether the two have a moment in common."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True)
class Rule:
    """What the place prescribes. `is_left_out` says which days do not count as notice."""

    hours: ContactHours
    notice_days: int | None
    is_left_out: Callable[[date], bool]
    zone: str

    def local(self, instant: datetime) -> datetime:
        """`instant` on the wall clock there."""
        return instant.astimezone(ZoneInfo(self.zone))


def rule_of(pack: Jurisdiction, is_left_out: Callable[[date], bool], zone: str) -> Rule:
    """The rule of a jurisdiction pack; `is_left_out` is `WorkingDays.is_holiday`."""
    days = pack.visit_notice_days.value if pack.visit_notice_days else None
    return Rule(pack.contact_hours, days, is_left_out, zone)


def earliest_day(asked_on: date, rule: Rule) -> date:
    """The first day a visit asked for or announced on `asked_on` may be made.

    *Clear* days: neither the day of asking nor that of the visit counts, nor what the rule leaves out.
    """
    if rule.notice_days is None:
        return asked_on + timedelta(days=LEAST_DAYS)
    day, clear = asked_on, 0
    while clear < rule.notice_days:
        day += timedelta(days=1)
        clear += not rule.is_left_out(day)
    return day + timedelta(days=1)


def is_lawful(window: Window, rule: Rule, *, asked_on: date) -> bool:
    """Whether the law's hours and days of notice allow a visit in `window`."""
    start, end = rule.local(window.starts_at), rule.local(window.ends_at)
    within = (
        start.date() == end.date() and rule.hours.opens <= start.time() and end.time() <= rule.hours.closes
    )
    return window.starts_at < window.ends_at and within and start.date() >= earliest_day(asked_on, rule)


def free_windows(
    rule: Rule, *, asked_on: date, duration: timedelta, busy: Iterable[Window]
) -> tuple[Window, ...]:
    """What may be chosen: lawful windows of `duration` in which no visit in `busy` is made, in order.

    `busy` holds the other visits of everybody who would come.
    """
    taken, found, days = tuple(busy), [], 0
    first = earliest_day(asked_on, rule)
    for ahead in range(_FURTHEST):
        day = first + timedelta(days=ahead)
        free = [
            window
            for window in _of_day(day, duration, rule.zone)
            if is_lawful(window, rule, asked_on=asked_on) and not any(window.meets(other) for other in taken)
        ]
        found += free
        days += bool(free)
        if days == OFFERED_DAYS:
            break
    return tuple(found)


def _of_day(day: date, duration: timedelta, zone: str) -> list[Window]:
    starts = (datetime.combine(day, time(hour), ZoneInfo(zone)) for hour in STARTS)
    return [Window(start, start + duration) for start in starts]
