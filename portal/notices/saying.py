"""Words, days and amounts of printed notices in one language, with no request to ask. Pure but for the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from portal.messages.texts import catalogue
from portal.money import EXPONENTS, Money

_LOCALES = {"zh": "zh_Hans_CN", "zh_Hant": "zh_Hant_HK", "en": "en_GB"}
_DOTS = {"zh": " 点 ", "zh_Hant": " 點 ", "en": " dot "}


@dataclass(frozen=True)
class Saying:
    """How a paper says things in `language`: "zh", "zh_Hant" or "en"."""

    language: str

    def __call__(self, text: str, **values: object) -> str:
        """The sentence `text` in this language, its places filled in."""
        found = catalogue(self.language).gettext(text) if self.language != "en" else text
        return found % values if values else found

    @property
    def is_english(self) -> bool:
        """Whether words are set apart by spaces."""
        return self.language == "en"

    def day(self, day: date) -> str:
        """10 November 2026, 2026年11月10日."""
        pattern = "d MMMM y" if self.is_english else "y年M月d日"
        return str(format_date(day, pattern, locale=_LOCALES[self.language]))

    def weekday(self, day: date) -> str:
        """The day with its weekday: Sunday 6 December 2026, 2026年12月6日（星期日）."""
        pattern = "EEEE d MMMM y" if self.is_english else "y年M月d日（EEEE）"
        return str(format_date(day, pattern, locale=_LOCALES[self.language]))

    def money(self, amount: Money) -> str:
        """An amount with its sign."""
        value = Decimal(amount.minor).scaleb(-EXPONENTS[amount.currency])
        text = str(format_currency(value, amount.currency, locale=_LOCALES[self.language]))
        return text.replace("CN¥", "¥")

    def amount(self, amount: Money) -> str:
        """An amount without a sign, for a table that names the unit."""
        exponent = EXPONENTS[amount.currency]
        pattern = "#,##0." + "0" * exponent if exponent else "#,##0"
        value = Decimal(amount.minor).scaleb(-exponent)
        return str(format_decimal(value, pattern, locale=_LOCALES[self.language]))

    def aloud(self, host: str) -> str:
        """An address as it is said on the telephone.

        >>> Saying("en").aloud("my.harbour.example")
        'my dot harbour dot example'
        """
        return _DOTS[self.language].join(host.split("."))


def phone(number: str) -> str:
    """A number grouped for reading: 400-000-0001, 021-0000-0017.

    >>> phone("4000000001"), phone("02100000017"), phone("96110")
    ('400-000-0001', '021-0000-0017', '96110')
    """
    if len(number) == 10 and number.startswith("400"):
        return f"{number[:3]}-{number[3:6]}-{number[6:]}"
    if len(number) == 11 and number.startswith(("010", "02")):
        return f"{number[:3]}-{number[3:7]}-{number[7:]}"
    return number


def account(number: str) -> str:
    """An account number in groups of four that stay on one line."""
    return "\u00a0".join(number[at : at + 4] for at in range(0, len(number), 4))
