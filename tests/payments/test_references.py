"""The reference of a transfer: found however it is written, and never taken for another loan's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.access.codes import ALPHABET, check_ok, normalise
from portal.keys import Keys
from portal.payments.references import reference_from, references_in, transfer_reference

KEYS = Keys(pepper=bytes(range(32)), master=bytes(range(32, 64)))
OURS = {transfer_reference(KEYS, f"L{number:06d}"): f"L{number:06d}" for number in range(2_000)}

_given = st.sampled_from(sorted(OURS))
_separators = st.sampled_from(["", " ", "-", "－", "–", "_", ".", "/", " ", "\u200b", "\n", "　", "·"])
_words = st.sampled_from(
    [
        "",
        "还款",
        "贷款还款 ",
        "repayment ",
        "REF:",
        "loan ref. ",
        "张三",
        "№",
        "2026年11月",
        "转账给银行!",
        "US ",
    ]
)
_WIDE = {character: chr(ord(character) + 0xFEE0) for character in ALPHABET}
_DRAWN = {"1": "iIlL1Ⅰ", "0": "oO0О", "A": "aAАΑ", "B": "bBВ", "E": "eEЕ", "K": "kKК", "M": "mMМ", "X": "xXХ"}


@st.composite
def _written(draw: st.DrawFn, reference: str) -> str:
    """A reference as people and banks' pages write it."""
    made = ""
    for character in reference.replace("-", ""):
        ways = [character, character.lower(), _WIDE[character], *_DRAWN.get(character, "")]
        made += draw(st.sampled_from(ways)) + draw(_separators)
    return draw(_words) + " " + made + draw(_words)


@given(data=st.data(), reference=_given)
def test_a_reference_is_found_however_it_is_written_and_whatever_stands_around_it(
    data: st.DataObject, reference: str
) -> None:
    text = data.draw(_written(reference))

    assert [one for one in references_in(text) if one in OURS] == [reference]


@given(data=st.data(), reference=_given)
def test_a_wrong_character_never_finds_another_loan(data: st.DataObject, reference: str) -> None:
    plain = reference.replace("-", "")
    place = data.draw(st.integers(0, len(plain) - 1))
    other = data.draw(st.sampled_from([one for one in ALPHABET if one != plain[place]]))
    wrong = plain[:place] + other + plain[place + 1 :]

    assert not check_ok(wrong)
    assert [one for one in references_in(f"还款 {wrong} 谢谢") if one in OURS] == []
    assert reference_from(wrong) == ""


@given(text=st.text(max_size=200))
def test_any_text_at_all_holds_no_reference_by_chance(text: str) -> None:
    assert [one for one in references_in(text) if one in OURS] == []
    assert all(check_ok(normalise(one)) for one in references_in(text))


@given(first=_given, second=_given)
def test_two_references_are_both_found(first: str, second: str) -> None:
    assert [one for one in references_in(f"{first} 和 {second}") if one in OURS] == list(
        dict.fromkeys([first, second])
    )


def test_a_swap_of_neighbours_finds_no_other_loan() -> None:
    for reference in OURS:
        plain = reference.replace("-", "")
        for place in range(len(plain) - 1):
            swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
            found = [one for one in references_in(swapped) if one in OURS]
            assert found in ([], [reference])
