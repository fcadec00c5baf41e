"""`python -m tests.bench.amounts`: printing an amount against `babel.format_currency`, the same text (G9).

Every language shipped and every currency; each pair prints the same amounts with both in turn. The figure is our CPU
time over Babel's, the median of five pairs; a text that differs stops the bench.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from babel.numbers import format_currency

from portal.money import EXPONENTS
from portal.web.locale import LOCALES, _babel_locale, amount_formatter

PAIRS = 5
SLICES = 10
AMOUNTS = 2_000


def babels(locale: str, currency: str) -> Callable[[int], str]:
    """Babel's text, but for the yuan's own sign (one bank, one yuan) and the true minus."""
    exponent, language = EXPONENTS[currency], _babel_locale(locale)

    def text(minor: int) -> str:
        found = format_currency(Decimal(minor).scaleb(-exponent), currency, locale=language)
        return str(found).replace("CN¥", "¥").replace("-", "−")

    return text


def cost(prints: Callable[[int], str], amounts: Sequence[int]) -> float:
    """CPU seconds of printing them."""
    start = time.process_time()
    for minor in amounts:
        prints(minor)
    return time.process_time() - start


def ratios(locale: str, currency: str, amounts: Sequence[int]) -> list[float]:
    """Ours over Babel's, for each pair."""
    ours, theirs = amount_formatter(locale, currency, True), babels(locale, currency)
    for minor in amounts:
        assert ours(minor) == theirs(minor), (locale, currency, minor, ours(minor), theirs(minor))
    found = []
    for _ in range(PAIRS):
        mine = other = 0.0
        for at in range(SLICES):
            mine += cost(ours, amounts[at::SLICES])
            other += cost(theirs, amounts[at::SLICES])
        found.append(mine / other)
    return found


def main() -> None:
    """One line a language; how many texts were alike."""
    draw = random.Random(9)
    amounts = [
        0,
        1,
        99,
        100,
        10**12,
        -5,
        *(draw.randrange(10 ** draw.randrange(1, 12)) for _ in range(AMOUNTS)),
    ]
    for locale in LOCALES:
        found = ratios(locale, "CNY", amounts)
        print(
            f"G9  amount, {locale:33} {statistics.median(found):.3f} of `format_currency`"
            f"  ({min(found):.3f} to {max(found):.3f})  goal 0.10 (0.04)",
            flush=True,
        )
    alike = 0
    for locale in LOCALES:
        for currency in EXPONENTS:
            ours, theirs = amount_formatter(locale, currency, True), babels(locale, currency)
            alike += sum(ours(minor) == theirs(minor) for minor in amounts)
    whole = len(amounts) * len(LOCALES) * len(EXPONENTS)
    print(
        f"G9  the same text in {len(LOCALES)} languages and {len(EXPONENTS)} currencies: {alike:,} of {whole:,}"
    )


if __name__ == "__main__":
    main()
