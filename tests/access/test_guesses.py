"""Guessing codes: nothing is met, nothing stands out, and whoever guesses from everywhere is noticed once.

A small part of tests/soak/guesses.py, which does it ten million times and also looks at the time it takes.
"""

from __future__ import annotations

from collections import Counter

import pytest

from portal.access import codes
from portal.access.limits import WRONG_CODES_ALL
from portal.db import Database
from portal.keys import Keys
from portal.notices import faces
from portal.notices.verification import Verdict, asked_for, verdict_on
from tests.soak import guesses
from tests.web.public.test_check import statements

CODES = 100_000
ADDRESSES = 300


def test_a_hundred_thousand_codes_are_even_and_none_comes_twice() -> None:
    spread = guesses.spread_of(codes.new_code() for _ in range(CODES))

    assert (spread.made, spread.twice) == (CODES, 0)
    assert spread.is_even(1e-6), spread.chances


def test_a_source_that_favours_one_character_is_found_out() -> None:
    made = [codes.with_check("".join("0123456789A0"[(n + i) % 12] for i in range(12))) for n in range(3_000)]
    spread = guesses.spread_of(made)

    assert spread.twice == 3_000 - 12
    assert not spread.is_even(1e-6)


def test_the_chance_is_that_of_a_chi_square() -> None:
    """31 degrees of freedom: the median is 30.34, the upper thousandth 61.10, by the tables."""
    even = Counter(dict.fromkeys(codes.ALPHABET, 1_000))
    for wanted, chance in ((30.336, 0.5), (61.098, 0.001), (44.985, 0.05)):
        lopsided = Counter(even)
        step = (wanted * 1_000 / 2) ** 0.5
        lopsided["0"] += step  # type: ignore[assignment]
        lopsided["Z"] -= step  # type: ignore[assignment]
        assert guesses.chance(lopsided, 32_000) == pytest.approx(chance, rel=0.03)


def test_a_code_and_its_number_are_one() -> None:
    assert guesses.number_of("ZZZZZZZZZZZZ0") == 2**60 - 1
    assert guesses.number_of("0000000000100") == 32


def test_no_random_code_meets_one_of_ten_thousand_and_each_of_those_is_met(keys: Keys) -> None:
    live = [codes.new_code() for _ in range(10_000)]
    held = frozenset(codes.digest_of(keys, code) for code in live)

    assert guesses.spread_of((codes.new_code() for _ in range(CODES)), keys=keys, held=held).met == 0
    assert guesses.spread_of(live, keys=keys, held=held).met == 10_000


def test_known_and_unknown_codes_cost_the_same_statements_from_wherever(
    database: Database, keys: Keys
) -> None:
    """Three, the same three, whether the code is known, and whether it was asked for before."""
    live = guesses.mint(database, keys, 20)
    shapes = Counter[tuple[str, ...]]()
    for code in [*live, *(codes.new_code() for _ in live), *live]:
        with statements(database) as found:
            guesses.guessed(database, keys, [code]) if code not in live else known(database, keys, code)
        shapes[tuple(found)] += 1

    assert len(shapes) == 1
    assert len(next(iter(shapes))) == 3


def known(database: Database, keys: Keys, code: str) -> None:
    asked = asked_for(keys, code)
    tried = database.write(lambda s: faces.try_code(s, asked, keys=keys, network=code, real_now=guesses.NOON))
    assert verdict_on(asked, tried.face, today=guesses.TODAY) == Verdict.GENUINE


def test_a_spray_from_many_addresses_is_told_once_and_honest_checks_are_answered(
    sqlite_database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (live,) = guesses.mint(sqlite_database, keys, 1)
    limit = type(WRONG_CODES_ALL)(WRONG_CODES_ALL.scope, WRONG_CODES_ALL.seconds, 250, "fewer, for speed")
    monkeypatch.setattr(faces, "WRONG_CODES_ALL", limit)

    assert guesses.guessed(sqlite_database, keys, (f"198.51.{n // 256}.{n % 256}" for n in range(200))) == 0
    assert guesses.alarms(sqlite_database) == 0
    assert (
        guesses.guessed(sqlite_database, keys, (f"198.52.{n // 256}.{n % 256}" for n in range(ADDRESSES)))
        == 0
    )
    assert guesses.alarms(sqlite_database) == 1
    known(sqlite_database, keys, live)


def test_the_area_is_a_half_for_the_same_and_one_for_the_slower() -> None:
    same, slower = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0]

    assert guesses.area(same, list(same)) == 0.5
    assert (guesses.area(same, slower), guesses.area(slower, same)) == (1.0, 0.0)
    assert guesses.area([1.0, 3.0], [2.0, 4.0]) == 0.75
