"""The bar of paid and left: its pieces fill it, whatever the figures."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.queries import ComponentFigures
from portal.money import Money
from portal.web.bars import bar, share


@dataclass(frozen=True)
class Drawn:
    """Something a bar is drawn of."""

    shown: tuple[tuple[str, ComponentFigures], ...]

    @property
    def paid(self) -> Money:
        return Money.sum((part.paid for _, part in self.shown), "CNY")

    @property
    def left(self) -> Money:
        return Money.sum((part.left for _, part in self.shown), "CNY")


figures = st.integers(0, 10**12)


@given(st.lists(st.tuples(figures, figures), min_size=1, max_size=5))
def test_the_pieces_fill_the_bar_and_each_is_seen(parts: list[tuple[int, int]]) -> None:
    shown = tuple(
        (str(n), ComponentFigures(paid + left, paid, 0, "CNY")) for n, (paid, left) in enumerate(parts)
    )
    drawn = bar(Drawn(shown), "b", "title", "words")
    widths = [round(float(width) * 100) for width in re.findall(r'class="gap[^>]* width="([0-9.]+)%"', drawn)]

    assert len(widths) == sum(minor > 0 for pair in parts for minor in pair)
    assert all(width >= 120 for width in widths)
    if widths:
        assert 10_000 - len(widths) <= sum(widths) <= 10_000


def test_words_of_a_bar_are_escaped() -> None:
    shown = (("principal", ComponentFigures(100, 40, 0, "CNY")),)
    assert '<title id="bt">&lt;i&gt;</title>' in bar(Drawn(shown), "b", "<i>", "words")


@pytest.mark.parametrize(("part", "words"), [(0, "0.0%"), (333, "33.3%"), (6667, "666.7%"), (1000, "100.0%")])
def test_a_share_is_rounded_to_a_tenth(part: int, words: str) -> None:
    assert share(Money(part, "CNY"), Money(1000, "CNY")) == words
