"""Money: an integer of the currency's minor unit, and the only parsers of amounts.

Formatting for people lives at the edge (portal/web/locale.py); nothing here knows a language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum

#: Digits after the point, per ISO 4217. A currency that is not listed is refused.
EXPONENTS = {"CNY": 2, "HKD": 2, "USD": 2, "GBP": 2, "EUR": 2, "JPY": 0, "KWD": 3}

#: The largest amount the portal handles: 10^10 units of two decimals, 10^12 minor units.
LARGEST_MINOR = 10**12


class Rounding(StrEnum):
    """How a fraction of a minor unit is rounded; a knob of the loan."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    FLOOR = "floor"


_DECIMAL_MODE = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.FLOOR: ROUND_FLOOR,
}


class CurrencyMismatch(TypeError):
    """Two currencies met in one sum."""


class AmountError(ValueError):
    """An amount that cannot be read. `reason` is a stable code, translated at the edge.

    Codes: ``empty``, ``form`` (not digits with at most the currency's decimals), ``sign``
    (negative where none is allowed), ``zero``, ``large``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text!r}")
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, init=False)
class Money:
    """An exact amount: `minor` units of `currency` (fen, pence, cents).

    >>> Money(10_000, "CNY") - Money(1, "CNY")
    Money(minor=9999, currency='CNY')
    """

    minor: int
    currency: str

    def __init__(self, minor: int, currency: str) -> None:
        if type(minor) is not int:
            raise TypeError(f"minor units are whole numbers, not {type(minor).__name__}")
        if currency not in EXPONENTS:
            raise ValueError(f"unknown currency {currency!r}")
        _set_minor(self, minor)
        _set_currency(self, currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in `currency`."""
        return cls(0, currency)

    @classmethod
    def sum(cls, amounts: Iterable[Money], currency: str) -> Money:
        """The sum of `amounts`; all must be in `currency` (CurrencyMismatch otherwise)."""
        total = cls(0, currency)
        for amount in amounts:
            total = total + amount
        return total

    @classmethod
    def from_file(cls, text: str, currency: str, *, signed: bool = False) -> Money:
        """The amount a bank's file states: ASCII digits, a point, exactly the currency's decimals.

        Raises AmountError: empty, form, sign, large. Both bounds are inclusive.

        >>> Money.from_file("1396.51", "CNY").minor
        139651
        """
        if text == "":
            raise AmountError("empty", text)
        match = _FILE_FORM[EXPONENTS[currency]].fullmatch(text)
        if match is None:
            raise AmountError("form", text)
        negative, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
        minor = int(whole + fraction)
        if minor > LARGEST_MINOR:
            raise AmountError("large", text)
        if negative and (not signed or minor == 0):
            raise AmountError("sign", text)
        return cls(-minor if negative else minor, currency)

    @classmethod
    def from_person(cls, text: str, currency: str) -> Money:
        """The amount a person typed, from 0.01 to 10^10: full-width digits, spaces and well-placed
        separators are understood; anything else is an AmountError with a reason.

        >>> Money.from_person("１,234.5", "CNY").minor
        123450
        """
        typed = unicodedata.normalize("NFKC", text).strip()
        typed = typed.removeprefix("¥").removeprefix("￥").removesuffix("元").strip()
        if typed == "":
            raise AmountError("empty", text)
        typed = re.sub(r"(?<=[0-9])[  ](?=[0-9])", "", typed).replace("，", ",").replace("。", ".")
        if typed.startswith(("-", "−")):
            raise AmountError("sign", text)
        match = _PERSON_FORM.fullmatch(typed)
        exponent = EXPONENTS[currency]
        fraction = (match.group(2) or "") if match else ""
        if match is None or len(fraction) > exponent:
            raise AmountError("form", text)
        minor = int(match.group(1).replace(",", "") + fraction.ljust(exponent, "0"))
        if minor == 0:
            raise AmountError("zero", text)
        if minor > LARGEST_MINOR:
            raise AmountError("large", text)
        return cls(minor, currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def split(self, parts: int) -> Iterator[Money]:
        """`parts` amounts whose sum is this one: all equal, rounded down, the residue in the last.

        >>> [part.minor for part in Money(490_000, "CNY").split(9)][-2:]
        [54444, 54448]
        """
        if parts < 1:
            raise ValueError("at least one part")
        each = self.minor // parts
        for _ in range(parts - 1):
            yield Money(each, self.currency)
        yield Money(self.minor - each * (parts - 1), self.currency)

    def portion(self, numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> Money:
        """This amount times `numerator / denominator`, rounded once to the minor unit."""
        return Money(divide(self.minor * numerator, denominator, rounding), self.currency)

    def plain(self) -> str:
        """Digits and a point, no separators: the form of files and machines.

        >>> Money(-5, "CNY").plain()
        '-0.05'
        """
        exponent = EXPONENTS[self.currency]
        digits = str(abs(self.minor)).rjust(exponent + 1, "0")
        sign = "-" if self.minor < 0 else ""
        return sign + (f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits)

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.minor


#: A page makes a hundred amounts: straight into the slots, in half the time that a frozen dataclass takes.
_set_minor, _set_currency = (Money.__dict__[name].__set__ for name in ("minor", "currency"))


def divide(numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """`numerator / denominator` as a whole number, rounded once; half-up is away from zero.

    >>> divide(5, 2), divide(-5, 2), divide(5, 2, Rounding.HALF_EVEN), divide(-5, 2, Rounding.FLOOR)
    (3, -3, 2, -3)
    """
    if denominator <= 0:
        raise ValueError("the denominator is above nought")
    if rounding is Rounding.FLOOR:
        return numerator // denominator
    whole, rest = divmod(abs(numerator), denominator)
    if rest * 2 > denominator or (rest * 2 == denominator and (rounding is Rounding.HALF_UP or whole % 2)):
        whole += 1
    return whole if numerator >= 0 else -whole


def rate(text: str) -> Decimal:
    """An exact rate from `8.80%` or `0.088`; ASCII digits only. Raises AmountError('form').

    >>> rate("8.80%")
    Decimal('0.0880')
    """
    match = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,8})?)(%?)", text)
    if match is None:
        raise AmountError("form", text)
    value = Decimal(match.group(1))
    return value.scaleb(-2) if match.group(2) else value


_FILE_FORM = {
    exponent: re.compile(r"(-?)(0|[1-9][0-9]{0,12})" + (rf"\.([0-9]{{{exponent}}})" if exponent else "()"))
    for exponent in set(EXPONENTS.values())
}
_PERSON_FORM = re.compile(r"([0-9]{1,13}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.([0-9]+))?")
