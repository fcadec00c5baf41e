"""The two words: derived apart, each as likely as any other, never twice in a row, told apart by ear."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.keys import Keys
from portal.visits.words import SLOT_SECONDS, Side, lists, place_of, slot_of, words_at
from tests.conftest import MASTER, PEPPER

DIGEST = partial(Keys(pepper=PEPPER, master=MASTER).digest, "visit.word")
OTHER = partial(Keys(pepper=MASTER, master=MASTER).digest, "visit.word")
AT = datetime(2026, 11, 20, 7, 2, tzinfo=UTC)
instants = st.integers(1_577_836_800, 2_208_988_800).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(instants, st.integers(0, 99_999))
def test_the_word_of_before_is_the_one_that_was_and_never_the_one_that_is(at: datetime, number: int) -> None:
    now = words_at(DIGEST, f"V{number}", at)
    earlier = words_at(DIGEST, f"V{number}", at - timedelta(seconds=SLOT_SECONDS))

    assert (now.visitor.before, now.borrower.before) == (earlier.visitor.now, earlier.borrower.now)
    assert now.visitor.now != now.visitor.before
    assert now.borrower.now != now.borrower.before
    assert timedelta() < now.changes_at - at <= timedelta(seconds=SLOT_SECONDS)
    assert words_at(DIGEST, f"V{number}", now.changes_at - timedelta(microseconds=1)) == now
    assert words_at(DIGEST, f"V{number}", now.changes_at).visitor.before == now.visitor.now


def test_no_side_says_what_the_other_says() -> None:
    visitor, borrower = (lists()[side] for side in Side)

    for of in (lambda w: w.zh, lambda w: w.zh_hant, lambda w: w.en.lower()):
        assert not {of(word) for word in visitor} & {of(word) for word in borrower}


@pytest.mark.parametrize("side", list(Side))
def test_each_word_comes_as_often_as_any_other(side: Side) -> None:
    count, slots = 16, 16_000
    seen = Counter(place_of(DIGEST, "V1", side, slot, count) for slot in range(slots))
    expected = slots / count
    chi_square = sum((seen[place] - expected) ** 2 / expected for place in range(count))

    # 15 degrees of freedom: one run in ten thousand would be above 44; a repeat is forbidden, so even less
    assert chi_square < 44


def test_one_sides_word_says_nothing_of_the_others() -> None:
    """Of every pair of places each comes as often as any other: chi-square over 64 pairs of 8."""
    slots = 12_800
    pairs = Counter(
        (place_of(DIGEST, "V1", Side.VISITOR, slot, 8), place_of(DIGEST, "V1", Side.BORROWER, slot, 8))
        for slot in range(slots)
    )
    expected = slots / 64
    chi_square = sum(
        (pairs[pair] - expected) ** 2 / expected for pair in itertools.product(range(8), repeat=2)
    )

    # 63 degrees of freedom: one run in ten thousand is above 115
    assert chi_square < 115


def test_another_visit_or_another_key_has_other_words() -> None:
    """Two hundred visits at one instant: equal words come about as rarely as chance has them."""
    own = [words_at(DIGEST, f"V{n}", AT).visitor.now for n in range(200)]
    keyed = [words_at(OTHER, f"V{n}", AT).visitor.now for n in range(200)]

    assert sum(a == b for a, b in zip(own, keyed, strict=True)) <= 8
    assert len(set(own)) > 90


@pytest.mark.parametrize("side", list(Side))
def test_the_words_are_many_short_and_told_apart(side: Side) -> None:
    words = lists()[side]

    assert len(words) >= 150
    assert all(re.fullmatch(r"[一-鿿]{2}", word.zh) and len(word.zh_hant) == 2 for word in words)
    assert all(re.fullmatch(r"[A-Za-z ]{3,17}", word.en) for word in words)
    near = [(a.en, b.en) for a, b in itertools.combinations(words, 2) if is_one_letter_off(a.en, b.en)]
    assert near == []


def is_one_letter_off(one: str, other: str) -> bool:
    """Whether one letter more, less or changed makes the one word the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one.lower(), other.lower()), key=len)
    start = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]


def test_the_slots_are_five_minutes() -> None:
    assert slot_of(AT + timedelta(minutes=5)) == slot_of(AT) + 1
