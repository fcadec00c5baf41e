"""Languages are negotiated from what browsers send; figures read as Babel writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_currency, format_decimal
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from portal.money import EXPONENTS
from portal.web.locale import LOCALES, _babel_locale, amount_formatter, negotiate


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-SG", "zh"),
        ("zh", "zh"),
        ("zh-Hans-HK", "zh"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8", "zh_Hant"),
        ("zh-HK", "zh_Hant"),
        ("zh-MO", "zh_Hant"),
        ("zh-Hant-CN", "zh_Hant"),
        ("en-US,en;q=0.5", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "en"),
        ("en;q=0.1,zh-TW;q=0.9", "zh_Hant"),
        ("fr", "zh"),
        ("", "zh"),
        (";;q=x,,", "zh"),
        ("en;q=NaN,zh-TW", "zh_Hant"),
    ],
)
def test_real_headers(header: str, locale: str) -> None:
    assert negotiate(header) == locale


@given(st.text(max_size=200))
def test_any_header_gives_a_language(header: str) -> None:
    assert negotiate(header) in LOCALES


@given(st.integers(0, 10**12), st.sampled_from(LOCALES), st.sampled_from(sorted(EXPONENTS)))
def test_compiled_amounts_are_babels(minor: int, locale: str, currency: str) -> None:
    exponent = EXPONENTS[currency]
    pattern = "#,##0." + "0" * exponent if exponent else "#,##0"
    wanted = format_decimal(Decimal(minor).scaleb(-exponent), pattern, locale=_babel_locale(locale))

    assert amount_formatter(locale, currency, False)(minor) == wanted


@given(st.integers(-(10**12), 10**12), st.sampled_from(LOCALES), st.sampled_from(sorted(EXPONENTS)))
def test_amounts_with_their_sign_are_babels_but_for_the_yuan_and_the_true_minus(
    minor: int, locale: str, currency: str
) -> None:
    value = Decimal(minor).scaleb(-EXPONENTS[currency])
    wanted = format_currency(value, currency, locale=_babel_locale(locale))

    text = amount_formatter(locale, currency, True)(minor)

    assert text == escape(wanted.replace("CN¥", "¥").replace("-", "−"))


def test_yuan_has_one_sign_in_every_language() -> None:
    assert {amount_formatter(locale, "CNY", True)(123_456) for locale in LOCALES} == {"¥1,234.56"}
    assert amount_formatter("en", "GBP", True)(-5) == "−£0.05"
