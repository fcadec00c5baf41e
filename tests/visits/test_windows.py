"""Windows keep the law's hours and days of notice, and what is offered is free."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dates import WorkingDays
from portal.jurisdictions import pack
from portal.visits.windows import OFFERED_DAYS, Window, earliest_day, free_windows, is_lawful, rule_of

CN = rule_of(pack("cn"), WorkingDays("CN").is_holiday, "Asia/Shanghai")
GB = rule_of(pack("gb"), WorkingDays("GB").is_holiday, "Europe/London")
days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
starts = st.integers(1_767_225_600, 1_830_297_600).map(lambda second: datetime.fromtimestamp(second, UTC))
windows = st.builds(
    lambda at, minutes: Window(at, at + timedelta(minutes=minutes)), starts, st.integers(1, 600)
)
rules = st.sampled_from([CN, GB])


@given(rules, days, windows)
def test_no_lawful_window_touches_the_night_or_comes_too_soon(rule, asked_on, window) -> None:  # type: ignore[no-untyped-def]
    minute = timedelta(minutes=1)
    if is_lawful(window, rule, asked_on=asked_on):
        at = window.starts_at
        while at < window.ends_at:
            assert rule.hours.opens <= rule.local(at).time() < rule.hours.closes
            at += minute
        assert rule.local(window.starts_at).date() > asked_on


@given(rules, days, st.lists(windows, max_size=12), st.integers(20, 120))
def test_what_is_offered_is_lawful_free_and_in_order(rule, asked_on, busy, minutes) -> None:  # type: ignore[no-untyped-def]
    offered = free_windows(rule, asked_on=asked_on, duration=timedelta(minutes=minutes), busy=busy)

    assert offered == tuple(sorted(offered))
    assert len({rule.local(window.starts_at).date() for window in offered}) == OFFERED_DAYS
    for window in offered:
        assert is_lawful(window, rule, asked_on=asked_on)
        assert not any(window.meets(other) for other in busy)


@given(days)
def test_between_the_asking_and_a_visit_in_britain_lie_seven_days_that_count(asked_on: date) -> None:
    first = earliest_day(asked_on, GB)
    between = [asked_on + timedelta(days=n) for n in range(1, (first - asked_on).days)]

    assert sum(not GB.is_left_out(day) for day in between) == 7
    assert not GB.is_left_out(between[-1])


def test_over_christmas_the_notice_takes_longer() -> None:
    # 22 Dec 2026 is a Tuesday; 25, 26 (28 in lieu) and 27, a Sunday, and 1 January do not count
    assert earliest_day(date(2026, 12, 22), GB) == date(2027, 1, 5)


@pytest.mark.parametrize(
    ("rule", "start", "end", "allowed"),
    [
        (CN, time(8), time(9), True),
        (CN, time(7, 59), time(9), False),
        (CN, time(21), time(22), True),
        (CN, time(21, 1), time(22, 1), False),
        (GB, time(6), time(7), True),
        (GB, time(5, 59), time(7), False),
        (GB, time(20), time(21), True),
        (GB, time(20), time(21, 1), False),
    ],
)
def test_the_hours_to_the_minute(rule, start: time, end: time, allowed: bool) -> None:  # type: ignore[no-untyped-def]
    day, zone = date(2026, 12, 14), rule.local(datetime(2026, 12, 14, tzinfo=UTC)).tzinfo
    window = Window(datetime.combine(day, start, zone), datetime.combine(day, end, zone))

    assert is_lawful(window, rule, asked_on=date(2026, 11, 20)) is allowed
