"""A page of amounts as people type them."""

from __future__ import annotations

import pytest

from portal.hardship.budget import KIND_OF, LINES, POSITION, read_amounts


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("3,500", 350_000),
        ("３５００．５０", 350_050),
        ("3 500元", 350_000),
        ("¥12.3", 1_230),
        ("0", 0),
        ("0.00", 0),
    ],
)
def test_amounts_are_understood_as_typed(typed: str, minor: int) -> None:
    read = read_amounts({"salary": typed}, "CNY")

    assert not read.problems
    amount = read.amounts["salary"]
    assert amount is not None
    assert amount.minor == minor


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("-5", "sign"),
        ("NaN", "form"),
        ("1e9", "form"),
        ("1_000", "form"),
        ("3.999", "form"),
        ("99999999999", "large"),
    ],
)
def test_what_is_no_amount_is_named(typed: str, reason: str) -> None:
    assert read_amounts({"salary": typed}, "CNY").problems == {"salary": reason}


def test_blank_is_not_said_and_all_blank_is_noticed() -> None:
    assert read_amounts({"salary": "", "pension": "  "}, "CNY").all_blank
    assert not read_amounts({"salary": "0", "pension": ""}, "CNY").all_blank
    assert not read_amounts({"salary": "x", "pension": ""}, "CNY").all_blank


def test_every_label_has_one_kind_and_fits_its_column() -> None:
    labels = [label for kinds in LINES.values() for label in kinds]

    assert len(labels) == len(set(labels)) == len(KIND_OF) == len(POSITION)
    assert max(map(len, labels)) <= 24
