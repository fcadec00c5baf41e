"""What a record asks and refuses, and what it and the answer say against each other."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.disputes.record import (
    BREACHES,
    LONGEST_TEXT,
    OUTCOMES,
    QUESTIONS,
    RATINGS,
    VERDICTS,
    Written,
    asked,
    breaches_said,
    breaches_written,
    check,
    items_of,
)
from tests.disputes.scene import MET, NOBODY, NOW, ZONE, without

DAY = date(2026, 11, 20)


def problems(written: Written) -> dict[str, str]:
    return dict(check(written, day=DAY, zone=ZONE, now=NOW).problems)


def test_a_whole_record_is_kept_as_it_was_filled_in() -> None:
    checked = check(MET.written(), day=DAY, zone=ZONE, now=NOW)

    assert not checked.problems
    assert checked.choices["present"] == ["borrower", "family"]
    assert checked.started_at is not None
    assert checked.ended_at is not None
    assert checked.ended_at - checked.started_at == timedelta(minutes=25)


@pytest.mark.parametrize("question", [one.code for one in asked("met")])
def test_every_question_that_is_asked_must_be_answered(question: str) -> None:
    assert problems(without(MET, **{question: ()}).written()) == {question: "missing"}


def test_nothing_is_chosen_alone() -> None:
    assert problems(without(MET, handed=("nothing", "notice")).written()) == {"handed": "alone"}


def test_of_one_answer_only_one_counts() -> None:
    assert problems(without(MET, money=("no", "taken")).written()) == {"money": "missing"}


@pytest.mark.parametrize(
    ("started", "ended", "wrong"),
    [
        ("", "15:30", {"started": "time"}),
        ("15:05", "25:00", {"ended": "time"}),
        ("15:30", "15:05", {"ended": "order"}),
        ("15:05", "15:41", {"ended": "future"}),
        ("１５：０５", "15.30", {}),
    ],
)
def test_times_are_read_as_people_type_them(started: str, ended: str, wrong: dict[str, str]) -> None:
    assert problems(without(MET, started=started, ended=ended).written()) == wrong


@pytest.mark.parametrize(
    ("said", "wrong"),
    [("", "missing"), ("x" * (LONGEST_TEXT + 1), "long"), ("卡号 6222 0212 3456 7894", "card_number")],
)
def test_words_that_cannot_be_kept_are_named(said: str, wrong: str) -> None:
    assert problems(without(MET, texts={"said": said}).written()) == {"said": wrong}


def test_to_somebody_else_no_word_of_the_matter_is_asked_about() -> None:
    codes = {one.code for one in asked("other_person")}

    assert not codes & {"agreed", "money", "place", "authority_shown", "purpose_stated"}
    assert "said" not in items_of("other_person")
    assert breaches_written({"handed": ["notice"], "told_others": ["no"]}, "other_person") == ("told_others",)
    assert breaches_written({"handed": ["envelope"], "told_others": ["no"]}, "other_person") == ()


def test_what_the_outcome_does_not_ask_is_left_out() -> None:
    more = without(NOBODY, money=("taken",), texts={"said": "谈了", "remarks": "门上贴了封条"})
    checked = check(more.written(), day=DAY, zone=ZONE, now=NOW)

    assert set(checked.choices) == {"handed", "recording"}
    assert set(checked.texts) == {"remarks"}


def test_what_the_record_admits_the_borrower_cannot_make_worse() -> None:
    assert breaches_said({"identity_shown": "different"}, {}, {"identity_shown": ["yes"]}) == ("no_identity",)
    assert breaches_said({"identity_shown": "different"}, {}, {"identity_shown": ["no"]}) == ()


@given(
    outcome=st.sampled_from(OUTCOMES),
    items=st.dictionaries(st.sampled_from([one.code for one in QUESTIONS]), st.sampled_from(VERDICTS)),
    ratings=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(codes) for name, codes in RATINGS.items()}
    ),
)
def test_a_breach_is_one_of_the_known_and_needs_somebody_who_says_so(
    outcome: str, items: dict[str, str], ratings: dict[str, str]
) -> None:
    found = breaches_said(items, ratings, {})

    assert set(found) <= set(BREACHES)
    assert len(found) == len(set(found))
    if not any(verdict == "different" for verdict in items.values()):
        worst = {name: codes[0] for name, codes in RATINGS.items()}
        assert not breaches_said(items, worst, {})


_CHOICES = st.fixed_dictionaries(
    {},
    optional={
        one.code: st.lists(st.sampled_from([*one.choices, "?"]), max_size=4).map(tuple) for one in QUESTIONS
    },
)


@given(
    outcome=st.sampled_from([*OUTCOMES, "", "?"]),
    choices=_CHOICES,
    texts=st.dictionaries(st.sampled_from(["said", "agreed_more", "remarks", "?"]), st.text(max_size=40)),
    started=st.sampled_from(["", "15:05", "9:00", "x"]),
    ended=st.sampled_from(["", "15:30", "8:00", "23:59"]),
)
def test_whatever_is_sent_only_known_codes_are_ever_kept(
    outcome: str, choices: dict[str, tuple[str, ...]], texts: dict[str, str], started: str, ended: str
) -> None:
    checked = check(Written(outcome, choices, texts, started, ended), day=DAY, zone=ZONE, now=NOW)

    known = {one.code: one.choices for one in QUESTIONS}
    assert all(set(chosen) <= set(known[code]) for code, chosen in checked.choices.items())
    if not checked.problems:
        assert outcome in OUTCOMES
        assert all(checked.choices[one.code] for one in asked(outcome))
        assert checked.started_at is not None
        assert checked.ended_at is not None
        assert checked.started_at <= checked.ended_at <= NOW
