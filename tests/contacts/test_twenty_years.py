"""Twenty years of generated plans: whatever the rule lets through keeps hours, limits, holds and wishes.

What was let through is looked at again by a plain reader of its own, which shares no code with the rule.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.contacts.rule import Past, Rest, Wishes, decide
from portal.jurisdictions import pack

#: pack -> zone, first and last hour, and the limits as (outcomes, days, most)
PLACES = {
    "cn": ("Asia/Shanghai", 8, 22),
    "us": ("America/New_York", 8, 21),
    "gb": ("Europe/London", 6, 21),
}
YEARS = 20
#: Borrowers: one in the normal run, so many in the soak.
BORROWERS = 100 if os.environ.get("PORTAL_TEST_PROFILE") == "soak" else 1
START = date(2026, 1, 1)
SPOKEN, MISSED = "answered", "no_answer"
WISHES = (
    Wishes(),
    Wishes(frozenset({"call"})),
    Wishes(frozenset({"sms"})),
    Wishes(opens=time(10), closes=time(17)),
)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_goes_outside_hours_limits_holds_and_wishes(place: str) -> None:
    tried = 0
    for number in range(BORROWERS):
        chance = random.Random(f"{place} {number}")
        went, holds, wishes = [], _holds(chance, place), _wishes(chance)
        for at, channel in _plans(chance, place):
            tried += 1
            one = _go(went, at, channel, place, holds, wishes(at), chance)
            if one is not None:
                went.append(one)
        assert went
        assert list(_faults(went, place, holds, wishes)) == []
    assert tried > BORROWERS * YEARS * 365


def _plans(chance: random.Random, place: str) -> Iterator[tuple[datetime, str]]:
    """Attempts at any hour, more on some days, a storm of them now and then."""
    zone = ZoneInfo(PLACES[place][0])
    for day in range(YEARS * 365):
        count = 25 if chance.random() < 0.01 else chance.choice((0, 1, 1, 2, 4))
        minutes = sorted(chance.randrange(1440) for _ in range(count))
        for minute in minutes:
            moment = datetime.combine(START + timedelta(days=day), time(minute // 60, minute % 60), zone)
            yield moment, chance.choice(("call", "call", "sms", "visit"))


def _holds(chance: random.Random, place: str) -> list[Rest]:
    zone = ZoneInfo(PLACES[place][0])
    days = sorted(chance.randrange(YEARS * 365) for _ in range(30))
    starts = [datetime.combine(START + timedelta(days=day), time(11, 7), zone) for day in days]
    return [Rest("proposal_open", at, at + timedelta(days=chance.randrange(1, 40))) for at in starts]


def _wishes(chance: random.Random):  # type: ignore[no-untyped-def]
    by_year = [chance.choice(WISHES) for _ in range(YEARS + 2)]
    return lambda at: by_year[at.year - START.year]


def _go(
    went: list[Past],
    at: datetime,
    channel: str,
    place: str,
    holds: list[Rest],
    wishes: Wishes,
    chance: random.Random,
) -> Past | None:
    """Make the contact where the rule lets it through, at the earliest instant where that is today."""
    recent = [past for past in went[-60:] if past.at > at - timedelta(days=9)]
    near = [hold for hold in holds if hold.until and hold.until > at]

    def ask(when: datetime):  # type: ignore[no-untyped-def]
        return decide(
            recent, at_local=when, channel=channel, number="a", pack=pack(place), holds=near, wishes=wishes
        )

    answer = ask(at)
    if not answer.allowed and answer.earliest and answer.earliest.date() == at.date():
        at, answer = answer.earliest, ask(answer.earliest)
    if not answer.allowed:
        return None
    outcome = chance.choice((SPOKEN, MISSED)) if channel == "call" else "delivered"
    return Past(channel, at, outcome, "a")


def _faults(went: list[Past], place: str, holds: list[Rest], wishes) -> Iterator[str]:  # type: ignore[no-untyped-def]
    _, first, last = PLACES[place]
    for past in went:
        at = past.at
        wished = wishes(at)
        if not first <= at.hour < last:
            yield f"{past}: outside the hours"
        if past.channel in wished.without:
            yield f"{past}: not wished"
        if wished.opens and not 10 <= at.hour < 17:
            yield f"{past}: outside the hours wished for"
        if any(hold.since <= at < hold.until for hold in holds if hold.until):
            yield f"{past}: while contacts rest"
    yield from _over(went, place)


def _over(went: list[Past], place: str) -> Iterator[str]:
    """Counted by day, in the plainest way."""
    spoken = Counter(past.at.date() for past in went if past.outcome == SPOKEN)
    missed = Counter(past.at.date() for past in went if past.outcome == MISSED)
    texts = Counter(past.at.date() for past in went if past.channel == "sms")
    most = {"cn": (3, 6), "us": (1, 7), "gb": (1, 3)}[place]
    for name, days, limit in (("spoken", spoken, most[0]), ("missed", missed, most[1]), ("texts", texts, 3)):
        yield from (f"{name} {day}: {count}" for day, count in days.items() if count > limit)
    if place == "us":
        calls = spoken + missed
        for day in list(calls):
            week = [day - timedelta(days=back) for back in range(7)]
            if sum(calls.get(one, 0) for one in week) > 7:
                yield f"calls in the week to {day}"
        ordered = [past for past in went if past.channel == "call"]
        for before, after in itertools.pairwise(ordered):
            if before.outcome == SPOKEN and (after.at.date() - before.at.date()).days < 7:
                yield f"{after}: within a week of a conversation"
