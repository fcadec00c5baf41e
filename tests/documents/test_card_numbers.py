"""Card numbers are found however they are written, and what only looks like one is let through (AC42)."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.documents.card_numbers import has_card_number, without_card_number
from portal.web.security import LARGEST_FORM

#: each number uses one of these styles, at random places
GAPS = [
    [""],
    [" "],
    ["-"],
    ["."],
    ["  ", "-", " - "],
    ["\u3000", " "],
    ["\u00a0"],
    ["·"],
    ["\u200b", ""],
    ["－"],
    ["\n"],
]
DIGITS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩"]


def luhn(body: str) -> str:
    """`body` with its check digit."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def card(draw: random.Random) -> str:
    """A number as cards carry it."""
    start = draw.choice(["62", "4", "51", "35", "37", "60"])
    length = draw.randint(13, 19)
    return luhn(start + "".join(draw.choice("0123456789") for _ in range(length - len(start) - 1)))


def written(number: str, draw: random.Random) -> str:
    """The number with gaps and in whatever digits, inside a sentence."""
    digits = draw.choice(DIGITS)
    gaps = ["", "", "", *draw.choice(GAPS)]
    spaced = digits[int(number[0])] + "".join(draw.choice(gaps) + digits[int(digit)] for digit in number[1:])
    return draw.choice(["卡号{}，请扣款", "my card {} thanks", "{}", "L1 {} ok", "付1,200.50元 {}。"]).format(
        spaced
    )


def test_ten_thousand_card_numbers_in_disguise_are_found() -> None:
    draw = random.Random(42)

    missed = [
        text for text in (written(card(draw), draw) for _ in range(10_000)) if not has_card_number(text)
    ]

    assert missed == []


def test_a_thousand_loan_numbers_pass() -> None:
    draw = random.Random(43)
    bodies = ["".join(draw.choice("0123456789") for _ in range(draw.randint(12, 18))) for _ in range(1_000)]
    wrong = [body + str((int(luhn(body)[-1]) + 1) % 10) for body in bodies]

    assert [number for number in wrong if has_card_number(f"借据 {number}，请查")] == []


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 和 2026-12-18 之间没有收入",
        "每月 3,500.00，另有 4,200.00 和 1,200.00",
        "电话 13812345678",
        "0000000000000000",
        "我2025年失业，3个孩子，月入2000元",
        "",
    ],
)
def test_ordinary_sentences_pass(text: str) -> None:
    assert not has_card_number(text)


def test_a_number_hidden_in_longer_digits_is_found() -> None:
    assert has_card_number("0000" + luhn("411111111111111") + "0000")


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    assert without_card_number(text, "") in (text, "")


@pytest.mark.parametrize("piece", ["1 ", "1.", "—1", "1", "4000-"])
def test_the_longest_form_full_of_digits_is_read_at_once(piece: str) -> None:
    text = piece * (LARGEST_FORM // len(piece))
    began = time.process_time()

    has_card_number(text)

    assert time.process_time() - began < 3
