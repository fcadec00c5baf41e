"""A code with look-alike letters is read as it was meant or refused, and never as another live code (AC06)."""

from __future__ import annotations

import random

from portal.access import codes
from portal.content.folding import _look_alikes
from tests.notices.book import harbour

VARIANTS = 5_000


def test_five_thousand_confusable_variants_of_codes() -> None:
    mapped, any_look_alike = dict[str, str](), dict[str, str]()
    for other, letter in codes._LOOK_ALIKES.items():
        mapped[letter] = mapped.get(letter, "") + other
    for other_code, letter in _look_alikes().items():
        any_look_alike[letter.upper()] = any_look_alike.get(letter.upper(), "") + chr(other_code)
    book, chance = harbour(), random.Random(6)
    live = {one.code for one in book.printed}

    for number in range(VARIANTS):
        code = chance.choice(book.printed).code
        drawn = mapped if number % 2 else any_look_alike
        made = list(code)
        for at in chance.sample(range(len(code)), chance.randrange(1, 5)):
            made[at] = chance.choice(drawn.get(code[at], code[at]))
        read = codes.normalise("".join(made))
        if drawn is mapped:
            assert read == code
        else:
            assert read == code or read not in live, (code, made)


def test_a_character_reads_as_the_letter_it_is_drawn_like_or_not_at_all() -> None:
    """By Unicode's own table of what looks alike, not ours."""
    read_otherwise = {
        chr(other): letter
        for other, letter in _look_alikes().items()
        if ord("z") < other and codes.normalise(chr(other)) not in ("", codes.normalise(letter))
    }

    assert read_otherwise == {}
