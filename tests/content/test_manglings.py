"""An honest paste is recognised: over 10,000 of them, at least 999 of 1,000 (AC05)."""

from __future__ import annotations

import os
import random

import pytest

from portal.checking.pasted import TextVerdict
from tests.notices import paper_book
from tests.notices.book import OURS, harbour
from tests.notices.manglings import KINDS, cut

PROFILE = os.environ.get("PORTAL_TEST_PROFILE", "")
PASTES = {"quick": 1_500, "soak": 200_000}.get(PROFILE, 12_000)
CUTS = PASTES // 10
#: The share of papers.
PAPERS = 0.02 if PROFILE == "soak" else 0.08
pytestmark = pytest.mark.slow


def test_honest_pastes_are_genuine() -> None:
    books, chance, missed = (harbour(), paper_book.book()), random.Random(5), []
    for number in range(PASTES):
        book = books[chance.random() < PAPERS]
        one = chance.choice(book.printed)
        text, chosen = one.text, [KINDS[number % len(KINDS)], *chance.sample(KINDS, chance.randrange(2))]
        for mangle in sorted(set(chosen), key=KINDS.index):
            text = mangle(chance, text, one)
        if book.judge(text) is not TextVerdict.GENUINE:
            missed.append(([mangle.__name__ for mangle in chosen], text, one.text))

    assert len(missed) <= PASTES // 1000, missed[:5]


def test_what_was_cut_off_is_genuine_as_far_as_it_goes() -> None:
    book, chance, missed = harbour(), random.Random(6), []
    for _ in range(CUTS):
        one = chance.choice(book.printed)
        text = cut(chance, one)
        if book.judge(text) not in OURS:
            missed.append((text, one.text))

    assert len(missed) <= CUTS // 1000, missed[:5]
