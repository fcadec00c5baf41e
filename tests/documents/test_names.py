"""Sent names are only ever shown, and shown harmlessly (AC58)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.documents.names import LONGEST, shown_name
from tests.documents.corpus import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_become_harmless(name: str) -> None:
    shown = shown_name(name)

    assert len(shown) <= LONGEST
    assert not set(shown) & set("/\\\0\r\n\u202e\u200b")


@given(st.text())
def test_nothing_invisible_or_directional_is_left(name: str) -> None:
    shown = shown_name(name)

    assert len(shown) <= LONGEST
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


def test_a_long_name_keeps_its_beginning_and_its_ending() -> None:
    shown = shown_name("收入证明" * 60 + ".pdf")

    assert shown.startswith("收入证明")
    assert shown.endswith("….pdf")


def test_a_card_number_in_a_name_is_not_kept() -> None:
    assert shown_name("4111 1111 1111 1111.jpg") == ""
