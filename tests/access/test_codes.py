"""Codes: made at random, read back however they were typed, and never read as another code."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.access import codes
from portal.keys import Keys

bodies = st.text(alphabet=codes.ALPHABET, min_size=2, max_size=25)

#: One look-alike per character of the alphabet where another script has one.
CYRILLIC = dict(zip("ABCEHKMPTX", "АВСЕНКМРТХ"))
FULL_WIDTH = {character: chr(ord(character) + 0xFEE0) for character in codes.ALPHABET}


@given(bodies)
def test_a_code_with_its_check_character_is_right(body: str) -> None:
    assert codes.check_ok(codes.with_check(body))


@given(bodies, st.data())
def test_one_wrong_character_is_always_found(body: str, data: st.DataObject) -> None:
    code = codes.with_check(body)
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([c for c in codes.ALPHABET if c != code[place]]))

    assert not codes.check_ok(code[:place] + other + code[place + 1 :])


@given(bodies, st.data())
def test_swapped_neighbours_are_found_but_for_0_and_z(body: str, data: st.DataObject) -> None:
    code = codes.with_check(body)
    place = data.draw(st.integers(0, len(code) - 2))
    pair = code[place : place + 2]
    swapped = code[:place] + pair[::-1] + code[place + 2 :]

    assert codes.check_ok(swapped) == (pair[0] == pair[1] or set(pair) == {"0", "Z"})


@given(bodies, st.data())
def test_however_a_code_is_typed_it_is_read_back(body: str, data: st.DataObject) -> None:
    code = codes.with_check(body)
    typed = []
    for character in code:
        ways = [character, character.lower(), FULL_WIDTH[character], CYRILLIC.get(character, character)]
        ways += {"0": ["o", "O", "О", "Ｏ"], "1": ["i", "l", "I", "L", "І", "Ｌ"]}.get(character, [])
        typed.append(data.draw(st.sampled_from(ways)))
        typed.append(data.draw(st.sampled_from(["", " ", "-", "—", "－", "\u3000", "\u200b", ".", "·"])))

    assert codes.normalise("".join(typed)) == code


@given(st.text(max_size=60))
def test_reading_any_text_gives_the_alphabet_or_nothing(text: str) -> None:
    read = codes.normalise(text)

    assert set(read) <= set(codes.ALPHABET)
    assert codes.normalise(read) == read


@pytest.mark.parametrize(
    "text", ["U", "u", "7KQFU", "７Ｋ１Ｕ", "ν7", "μ1", "7К\u0411", "码", "٣٤", "ß1", "a\u0301b", "7%1"]
)
def test_what_is_outside_the_alphabet_is_refused(text: str) -> None:
    assert codes.normalise(text) == ""


def test_new_codes_are_distinct_and_well_formed() -> None:
    made = [codes.new_code() for _ in range(5_000)]
    seen = Counter(character for code in made for character in code[:12])

    assert len(set(made)) == len(made)
    assert all(codes.kind_of(code) == "code" and codes.check_ok(code) for code in made)
    assert set(seen) == set(codes.ALPHABET)
    # 1,875 expected per character; 8 standard deviations of a binomial are about 341
    assert all(abs(count - 1_875) < 341 for count in seen.values())


def test_length_tells_tokens_codes_and_access_numbers_apart() -> None:
    assert codes.kind_of(codes.new_token()) == "token"
    assert codes.kind_of(codes.new_access_number()) == "access"
    assert codes.kind_of(codes.new_code()) == "code"
    assert codes.kind_of(codes.new_code()[:-1]) in ("", "access")
    assert codes.kind_of("") == ""


def test_a_code_is_stored_as_a_keyed_digest_of_its_kind() -> None:
    keys, other = Keys(b"p" * 32, b"m" * 32), Keys(b"q" * 32, b"m" * 32)
    code = codes.new_code()

    assert codes.digest_of(keys, code) == keys.digest("notice.code", code) != codes.digest_of(other, code)
    assert codes.digest_of(keys, code[:-1]) != codes.digest_of(keys, code)
    assert codes.digest_of(keys, "0000") == ""


def test_codes_are_written_in_groups() -> None:
    assert [len(g) for g in codes.grouped(codes.new_code()).split("-")] == [4, 4, 5]
    assert [len(g) for g in codes.grouped(codes.new_access_number()).split("-")] == [4, 4, 4]


@given(st.sampled_from(["K", "R", "PA"]))
def test_a_reference_is_read_back_with_or_without_separators(prefix: str) -> None:
    reference = codes.new_reference(prefix)

    assert codes.reference_from(reference.lower().replace("-", " ")) == reference
    assert codes.reference_from(reference.replace("-", "")) == reference


def test_a_mistyped_reference_and_a_bad_prefix_are_refused() -> None:
    reference = codes.new_reference("K")
    last = codes.ALPHABET[(codes.ALPHABET.index(reference[-1]) + 1) % 32]

    assert codes.reference_from(reference[:-1] + last) == ""
    with pytest.raises(ValueError, match="alphabet"):
        codes.new_reference("L")
