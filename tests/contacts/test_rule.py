"""The rule on contacts: hours, limits, holds, wishes, third parties; and that it never loosens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.contacts.rule import Past, Rest, Wishes, decide
from portal.jurisdictions import pack

SHANGHAI, NEW_YORK, LONDON = (
    ZoneInfo(name) for name in ("Asia/Shanghai", "America/New_York", "Europe/London")
)
ZONES = {"cn": SHANGHAI, "us": NEW_YORK, "gb": LONDON}
CN, US, GB = pack("cn"), pack("us"), pack("gb")
MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)


def call(at: datetime, outcome: str = "answered", number: str = "a", **more: bool) -> Past:
    return Past("call", at, outcome, number, **more)


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("07:59", False),
        ("08:00", True),
        ("21:59", True),
        ("22:00", False),
        ("23:30", False),
        ("00:00", False),
    ],
)
def test_hours_in_china(clock: str, allowed: bool) -> None:
    at = datetime.combine(MORNING.date(), time.fromisoformat(clock), SHANGHAI)

    answer = decide((), at_local=at, channel="call", pack=CN)

    assert answer.allowed is allowed
    assert answer.reason == ("" if allowed else "hours")
    expected = at if allowed else at.replace(hour=8, minute=0) + timedelta(days=at.hour >= 22)
    assert answer.earliest == expected


def test_paper_has_no_hours() -> None:
    for channel in ("letter", "lawyer_letter"):
        assert decide((), at_local=MORNING.replace(hour=3), channel=channel, pack=CN).allowed


def test_three_effective_calls_are_a_day_in_china() -> None:
    history = [call(MORNING + timedelta(hours=hour)) for hour in range(3)]

    two = decide(history[:2], at_local=MORNING + timedelta(hours=5), channel="call", pack=CN)
    three = decide(history, at_local=MORNING + timedelta(hours=5), channel="call", pack=CN)

    assert two.allowed
    assert [(one.code, one.used, one.most) for one in two.counted] == [
        ("effective_calls", 2, 3),
        ("unanswered_calls", 0, 6),
    ]
    assert (three.allowed, three.reason) == (False, "effective_calls")
    assert three.earliest == datetime(2026, 11, 21, 8, 0, tzinfo=SHANGHAI)


def test_six_unanswered_calls_are_a_day_and_number_in_china() -> None:
    history = [call(MORNING + n * MINUTE, "no_answer", "a") for n in range(6)]
    at = MORNING + timedelta(hours=2)

    assert decide(history, at_local=at, channel="call", number="a", pack=CN).reason == "unanswered_calls"
    assert decide(history, at_local=at, channel="call", number="b", pack=CN).allowed
    assert not decide(history, at_local=at, channel="call", pack=CN).allowed
    unknown = [replace(one, number="") for one in history]
    assert not decide(unknown, at_local=at, channel="call", number="b", pack=CN).allowed


def test_seven_calls_in_seven_days_and_seven_days_after_a_conversation_in_america() -> None:
    day = datetime(2026, 11, 2, 12, 0, tzinfo=NEW_YORK)
    missed = [call(day + timedelta(days=n), "no_answer") for n in range(7)]
    at = day + timedelta(days=6, hours=3)

    assert decide(missed[:6], at_local=at, channel="call", pack=US).allowed
    full = decide(missed, at_local=at, channel="call", pack=US)
    assert full.reason == "calls_in_days"
    assert full.earliest == datetime(2026, 11, 9, 8, 0, tzinfo=NEW_YORK)
    spoken = decide([call(day)], at_local=at, channel="call", pack=US)
    assert spoken.reason == "after_conversation"
    assert spoken.earliest == datetime(2026, 11, 9, 8, 0, tzinfo=NEW_YORK)


def test_a_hold_stops_what_presses_until_it_ends() -> None:
    end = MORNING.astimezone(UTC) + timedelta(days=14, minutes=3)
    hold = Rest("refusal_cooling", MORNING - timedelta(days=1), end)

    answer = decide((), at_local=MORNING, channel="visit", pack=CN, holds=[hold])

    assert (answer.allowed, answer.reason, answer.earliest) == (False, "hold", end)
    assert answer.against[0].detail == "refusal_cooling"
    assert decide((), at_local=MORNING, channel="letter", pack=CN, holds=[hold]).allowed
    assert decide((), at_local=MORNING, channel="sms", pack=CN, holds=[hold], pressing=False).allowed
    open_ended = Rest("plan_in_force", MORNING)
    assert decide((), at_local=MORNING, channel="call", pack=CN, holds=[open_ended]).earliest is None


def test_a_wrong_number_stops_every_text_and_call_there_but_what_was_asked_for() -> None:
    hold = Rest("wrong_number", MORNING)

    for pressing in (True, False):
        assert not decide(
            (), at_local=MORNING, channel="sms", pack=CN, holds=[hold], pressing=pressing
        ).allowed
    assert decide((), at_local=MORNING, channel="visit", pack=CN, holds=[hold]).allowed
    assert decide((), at_local=MORNING, channel="sms", pack=CN, holds=[hold], asked_for=True).allowed


def test_wishes_are_kept() -> None:
    none = Wishes(frozenset({"call"}))
    evenings = Wishes(opens=time(18), closes=time(21))

    assert decide((), at_local=MORNING, channel="call", pack=CN, wishes=none).reason == "opt_out"
    assert decide((), at_local=MORNING, channel="call", pack=CN, wishes=none).earliest is None
    late = decide((), at_local=MORNING, channel="call", pack=CN, wishes=evenings)
    assert (late.reason, late.earliest) == ("preferred_hours", MORNING.replace(hour=18))
    assert decide((), at_local=MORNING, channel="sms", pack=CN, wishes=evenings, pressing=False).allowed


def test_others_are_asked_only_where_the_debtor_cannot_be_reached_and_never_after_a_refusal() -> None:
    missed = [call(MORNING - timedelta(days=n), "no_answer") for n in range(1, 4)]

    def third(history: Sequence[Past], number: str = "t") -> str:
        return decide(history, at_local=MORNING, channel="call", number=number, pack=CN, to_third=True).reason

    assert third([]) == "debtor_not_tried"
    assert third(missed[:2]) == "debtor_not_tried"
    assert third(missed) == ""
    assert third([*missed, call(MORNING - timedelta(days=2), "answered")]) == "debtor_reached"
    refused = call(MORNING - timedelta(days=300), "refused", "t", to_third=True)
    assert third([*missed, refused]) == "third_party_refused"
    assert third([*missed, refused], "u") == ""


def test_what_was_asked_for_is_no_contact() -> None:
    answer = decide((), at_local=MORNING.replace(hour=3), channel="sms", pack=CN, asked_for=True)

    assert (answer.allowed, answer.reason) == (True, "asked_for")


CODES = st.sampled_from(["cn", "us", "gb"])
CHANNELS = st.sampled_from(["call", "sms", "visit"])


@st.composite
def situations(draw: st.DrawFn) -> tuple[str, datetime, list[Past], list[Rest], Wishes, str]:
    """A pack, an instant, some two weeks of contacts around it, holds and wishes."""
    code = draw(CODES)
    zone = ZONES[code]
    at = datetime(2026, 10, 20, 0, 0, tzinfo=zone) + draw(st.integers(0, 30 * 1440)) * MINUTE
    ago = st.integers(-12 * 1440, 2 * 1440)
    history = draw(
        st.lists(
            st.builds(
                lambda channel, minutes, outcome, number: Past(
                    channel, at + minutes * MINUTE, outcome, number
                ),
                st.sampled_from(["call", "sms"]),
                ago,
                st.sampled_from(["answered", "no_answer", "delivered", "refused"]),
                st.sampled_from(["a", "b", ""]),
            ),
            max_size=20,
        )
    )
    holds = draw(
        st.lists(
            st.builds(
                lambda since, length: Rest(
                    "proposal_open", at + since * MINUTE, at + (since + length) * MINUTE
                ),
                ago,
                st.integers(1, 20 * 1440),
            ),
            max_size=2,
        )
    )
    wishes = draw(st.sampled_from([Wishes(), Wishes(opens=time(12, 30), closes=time(18))]))
    return code, at, history, holds, wishes, draw(CHANNELS)


@given(situations())
def test_the_earliest_instant_is_allowed_and_the_minute_before_is_not(
    situation: tuple[str, datetime, list[Past], list[Rest], Wishes, str],
) -> None:
    code, at, history, holds, wishes, channel = situation

    def may(when: datetime) -> bool:
        return decide(
            history, at_local=when, channel=channel, number="a", pack=pack(code), holds=holds, wishes=wishes
        ).allowed

    earliest = decide(
        history, at_local=at, channel=channel, number="a", pack=pack(code), holds=holds, wishes=wishes
    ).earliest

    assert earliest is not None
    assert earliest >= at
    assert may(earliest)
    assume(earliest > at)
    assert not may(max(at, earliest - MINUTE))


@given(situations(), st.data())
def test_one_contact_more_never_makes_it_more_permissive(
    situation: tuple[str, datetime, list[Past], list[Rest], Wishes, str], data: st.DataObject
) -> None:
    code, at, history, holds, wishes, channel = situation
    assume(history)
    one = data.draw(st.sampled_from(history))
    fewer = [past for past in history if past is not one]

    answers = [
        decide(some, at_local=at, channel=channel, number="a", pack=pack(code), holds=holds, wishes=wishes)
        for some in (fewer, history)
    ]

    assert answers[0].allowed or not answers[1].allowed
    assert answers[0].earliest is not None
    assert answers[1].earliest is not None
    assert answers[0].earliest <= answers[1].earliest
