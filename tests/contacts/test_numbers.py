"""Phone numbers however they are written, and whose they are by the published list."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.contacts.numbers import Whose, normalised, whose_is
from portal.contacts.queries import AgencyView
from portal.settings import Bank

BANK = Bank.load(Path("portal/demo/harbour.toml"))
AGENCIES = (
    AgencyView("A00", "港湾银行", "bank", "4000000001", date(2020, 1, 1), date(2030, 12, 31), True),
    AgencyView("A17", "汇信资产", "agency", "02100000017", date(2025, 1, 1), date(2027, 12, 31), True),
    AgencyView("A23", "锦程律所", "law_firm", "01000000023", date(2025, 1, 1), date(2026, 10, 31), False),
)
MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
LANDLINES = st.from_regex(r"0(10|2[0-9]|[3-9][0-9]{2})[1-9][0-9]{6,7}", fullmatch=True).filter(
    lambda number: not number.startswith(("0400", "0800"))
)
SHORT = st.from_regex(r"(95[0-9]{3}|106[0-9]{9,14}|96110|12378|[48]00[0-9]{7})", fullmatch=True)
SEPARATORS = st.sampled_from(["", " ", "-", "－", "\u00a0", ".", "—", "·"])
WIDE = str.maketrans("0123456789+", "０１２３４５６７８９＋")


@st.composite
def written(draw: st.DrawFn, number: str) -> str:
    """The number as a person or a phone may write it."""
    pieces = [digit + draw(SEPARATORS) for digit in number]
    text = draw(st.sampled_from(["{}", " {} ", "({})", "{}转8", "{} ext. 12"])).format("".join(pieces))
    return text.translate(WIDE) if draw(st.booleans()) else text


@given(st.data(), MOBILES | LANDLINES | SHORT)
def test_a_number_is_the_same_however_it_is_written(data: st.DataObject, number: str) -> None:
    assert normalised(number) == number
    assert normalised(data.draw(written(number))) == number


@given(st.data(), MOBILES | LANDLINES, st.sampled_from(["+86", "0086", "86", "+86 (0)", "+86-"]))
def test_china_s_own_code_does_not_matter(data: st.DataObject, number: str, prefix: str) -> None:
    inner = number.removeprefix("0")

    assert normalised(f"{prefix}{inner}") == number


@given(MOBILES)
def test_a_zero_before_a_mobile_is_that_of_a_trunk_call(number: str) -> None:
    assert normalised(f"0{number}") == number


@given(st.text(max_size=80))
def test_anything_typed_is_digits_or_nothing(text: str) -> None:
    number = normalised(text)

    assert number == "" or number.removeprefix("+").isascii()
    assert number.removeprefix("+").isdecimal() or number == ""


@given(MOBILES, st.sampled_from(["+44", "+852", "+1", "0044", "00852"]))
def test_another_country_s_number_is_never_one_of_ours(number: str, country: str) -> None:
    assert normalised(country + number[1:]).startswith("+")


@pytest.mark.parametrize(
    ("typed", "whose", "agency"),
    [
        ("400-000-0001", Whose.BANK_LINE, ""),
        ("+86 400 000 0001", Whose.BANK_LINE, ""),
        ("10690000000001", Whose.BANK_SENDER, ""),
        ("021-00000017", Whose.AGENCY, "A17"),
        ("+86 21 0000 0017", Whose.AGENCY, "A17"),
        ("010 0000 0023", Whose.AGENCY_ENDED, "A23"),
        ("4000000002", Whose.UNLISTED, ""),
        ("106900000000010", Whose.UNLISTED, ""),
        ("+1 4000000001", Whose.UNLISTED, ""),
        ("96110", Whose.UNLISTED, ""),
        ("no number", Whose.UNREADABLE, ""),
    ],
)
def test_whose_a_number_is(typed: str, whose: Whose, agency: str) -> None:
    listed = whose_is(typed, bank=BANK, agencies=AGENCIES)

    assert (listed.whose, listed.agency_ref) == (whose, agency)
    assert listed.may_contact is (whose in (Whose.BANK_LINE, Whose.BANK_SENDER, Whose.AGENCY))


@given(MOBILES | LANDLINES | SHORT)
def test_no_other_number_is_ever_taken_for_a_published_one(number: str) -> None:
    published = {"4000000001", "10690000000001", "02100000017", "01000000023"}

    assert (whose_is(number, bank=BANK, agencies=AGENCIES).whose is Whose.UNLISTED) is (
        number not in published
    )
