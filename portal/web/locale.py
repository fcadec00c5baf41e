"""Languages and figures at the edge: negotiation, amounts, dates and instants as people read them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, force_locale, get_locale
from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from portal.money import EXPONENTS, Money
from portal.web.context import portal

#: The catalogues there are; the first is what a person with no preference sees.
LOCALES = ("zh", "zh_Hant", "en")
LANGUAGE_COOKIE = "language"
#: Browser tags that a plain match gets wrong (zh-TW would fall to English), by script.
_BY_TAG = {"zh-tw": "zh_Hant", "zh-hk": "zh_Hant", "zh-mo": "zh_Hant"}
HTML_LANG = {"zh": "zh-CN", "zh_Hant": "zh-Hant", "en": "en"}


@functools.lru_cache(256)
def negotiate(header: str) -> str:
    """The catalogue for an Accept-Language header: its tags by quality, Chinese by script.

    >>> negotiate("zh-TW,zh;q=0.9,en;q=0.8"), negotiate("en-GB,en;q=0.9"), negotiate("fr")
    ('zh_Hant', 'en', 'zh')
    """
    for tag in parse_accept_header(header, LanguageAccept).values():
        low = tag.lower()
        if low.startswith("zh"):
            return "zh_Hant" if low in _BY_TAG or "hant" in low else "zh"
        if low == "en" or low.startswith("en-"):
            return "en"
    return "zh"


def choose_locale() -> str:
    """The language of this request: the one tapped, the account's, the browser's, Chinese."""
    if not has_request_context():
        return LOCALES[0]
    for chosen in (request.cookies.get(LANGUAGE_COOKIE), g.get("language")):
        if chosen in LOCALES:
            return str(chosen)
    return negotiate(request.headers.get("Accept-Language", ""))


#: The language of the request in hand; empty until somebody asks.
_chosen: ContextVar[str] = ContextVar("language", default="")


def current_locale() -> str:
    """`choose_locale`, remembered for the request."""
    return _chosen.get() or _remember()


def _remember() -> str:
    locale = choose_locale()
    if has_request_context():
        _chosen.set(locale)
    return locale


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Words, amounts and days in `language`, whatever the reader's is: for what was agreed in it."""
    before = _chosen.set(language)
    try:
        with force_locale(language):
            yield
    finally:
        _chosen.reset(before)


def _forget() -> None:
    _chosen.set("")


#: Markup of a plain string without asking what else it could be; only for what is escaped already.
as_markup: Callable[[str], Markup] = functools.partial(str.__new__, Markup)


@functools.cache
def amount_formatter(locale: str, currency: str, symbol: bool) -> Callable[[int], Markup]:
    """A function from minor units to the text Babel would print, compiled from Babel's own output and
    escaped once, so that pages print it as it is.

    It is proved on samples when it is made; where the pattern is not a plain prefix, groups of
    three and a suffix, Babel itself is called each time.
    """
    exponent = EXPONENTS[currency]

    def by_babel(minor: int) -> Markup:
        value = Decimal(minor).scaleb(-exponent)
        if symbol:
            text = str(format_currency(value, currency, locale=_babel_locale(locale)))
            return escape(text.replace("CN¥", "¥"))  # one bank, one yuan: the longer sign only frightens
        pattern = "#,##0." + "0" * exponent if exponent else "#,##0"
        return escape(format_decimal(value, pattern, locale=_babel_locale(locale)))

    if exponent == 1:
        return by_babel
    sample = 123456789 * 10**exponent + (8 if exponent else 0)
    digits = f"123,456,789.{8:0{exponent}d}" if exponent else "123,456,789"
    prefix, found, suffix = by_babel(sample).partition(digits)
    if not found or by_babel(0) != f"{prefix}0{'.' + '0' * exponent if exponent else ''}{suffix}":
        return by_babel

    scale = 10**exponent

    def compiled(minor: int) -> Markup:
        sign = "−" if minor < 0 else ""
        whole, rest = divmod(abs(minor), scale)
        tail = f".{rest:0{exponent}d}" if exponent else ""
        return as_markup(f"{sign}{prefix}{whole:,}{tail}{suffix}")  # digits between what Babel's were escaped

    return compiled


def _babel_locale(locale: str) -> str:
    return {"zh": "zh_Hans_CN", "zh_Hant": "zh_Hant_HK", "en": "en_GB"}[locale]


def money_text(amount: Money) -> Markup:
    """An amount with its currency sign, as the reader's language writes it."""
    return amount_formatter(current_locale(), amount.currency, True)(amount.minor)


def amount_text(amount: Money) -> Markup:
    """An amount without a sign, for tables that name the unit."""
    return amount_formatter(current_locale(), amount.currency, False)(amount.minor)


@functools.lru_cache(4096)
def _day(day: date, locale: str, style: str) -> Markup:
    pattern = {"zh": {"long": "y年M月d日", "short": "M月d日"}, "en": {"long": "d MMMM y", "short": "d MMM"}}
    by_language = pattern["en" if locale == "en" else "zh"]
    if style == "weekday":
        return escape(format_date(day, "EEEE", locale=_babel_locale(locale)))
    return escape(format_date(day, by_language[style], locale=_babel_locale(locale)))


def day_text(day: date | None, style: str = "long") -> str:
    """A date in words; `style` is long, short (no year) or weekday."""
    return "" if day is None else _day(day, current_locale(), style)


@functools.lru_cache(4096)
def _moment(local: datetime, locale: str, style: str) -> Markup:
    pattern = {
        "zh": {"long": "y年M月d日 HH:mm", "short": "M月d日 HH:mm", "time": "HH:mm"},
        "en": {"long": "d MMMM y, HH:mm", "short": "d MMM, HH:mm", "time": "HH:mm"},
    }
    return escape(
        format_datetime(local, pattern["en" if locale == "en" else "zh"][style], locale=_babel_locale(locale))
    )


def moment_text(instant: datetime | None, style: str = "long") -> str:
    """An instant on the bank's wall clock; `style` is long, short or time."""
    if instant is None:
        return ""
    # to the minute, which is all that is printed: then the next page finds the text made
    local = portal().clock.local(instant).replace(second=0, microsecond=0, tzinfo=None)
    return _moment(local, current_locale(), style)


def percent_text(fraction: Decimal | int, digits: int = 2) -> str:
    """A yearly rate such as 0.088 as 8.80 %; an int is taken as whole per cent already."""
    if isinstance(fraction, int):
        return f"{fraction}%"
    return f"{fraction.scaleb(2):.{digits}f}%"


def grouped_phone(number: str) -> str:
    """A published service number grouped for reading: 400-000-0001."""
    if len(number) == 10 and number.startswith("400"):
        return f"{number[:3]}-{number[3:6]}-{number[6:]}"
    return number


def phrase_text(text: str) -> Markup:
    """A heading whose phrases do not break inside: the translator marks the places with `|`."""
    return Markup("").join(Markup('<span class="nb">{}</span>').format(part) for part in text.split("|"))


def init_app(app: Flask) -> None:
    """Language negotiation and the formatting filters of every template."""
    Babel(app, locale_selector=current_locale, default_locale="zh")
    app.before_request(_forget)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.filters.update(
        day=day_text,
        moment=moment_text,
        percent=percent_text,
        phone=grouped_phone,
        amount_text=amount_text,
        phrases=phrase_text,
    )
    app.jinja_env.globals.update(money=money_text, amount_text=amount_text, get_locale=get_locale)
