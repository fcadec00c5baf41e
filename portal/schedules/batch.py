"""Level schedules by the thousand, exact to the minor unit and without a package: whole numbers side by side.

Loans of one rate and count lie in lanes of one very long whole number; one multiplication, one shift and one
mask give the interest of all of them. Division by the rate's denominator is multiplication by its reciprocal,
long enough to be exact. Rounds half-up, as `annuity` does by default, and equals it row by row.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import gcd

from portal.money import Rounding
from portal.schedules.declining import Charges, level_parts
from portal.schedules.parts import LONGEST, UnableToSchedule, Unschedulable

#: Loans side by side; as many as stay in a processor's near memory.
_LANES = 4096
#: Machine words that amounts are read from: bits, and the array's code for it.
_SMALL, _LARGE = (32, "i"), (64, "q")
#: Binary digits behind the point of the level instalment's factor.
_POINT = 96


@dataclass(frozen=True, slots=True)
class LevelBatch:
    """Level schedules of one rate and count, by column; minor units. Instalments are level but for the last."""

    count: int
    #: the level instalment of each loan
    levels: Sequence[int]
    #: for each period, the interest of each loan
    interest: Sequence[Sequence[int]]
    #: what each loan's last instalment pays of principal
    last_principal: Sequence[int]

    def rows(self, loan: int) -> Iterator[tuple[int, int]]:
        """(principal, interest) of each instalment of one loan, counted from nought."""
        for period in range(self.count - 1):
            interest = self.interest[period][loan]
            yield self.levels[loan] - interest, interest
        yield self.last_principal[loan], self.interest[-1][loan]


def level_rows(
    principal_minor: int, annual_rate: Decimal, count: int, *, periods_a_year: int = 12
) -> list[tuple[int, int]]:
    """(principal, interest) of `count` level instalments in minor units: `annuity` without its objects.

    Rounds half-up, the level instalment once and the interest once a period; the last settles. Raises
    UnableToSchedule: below_one_unit, too_many.
    """
    if not 1 <= count <= LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    top, bottom = _period_rate(annual_rate, periods_a_year)
    numerator, denominator = _level_factor(top, bottom, count)
    level = (2 * principal_minor * numerator + denominator) // (2 * denominator)
    left, twice_top, twice_bottom = principal_minor, 2 * top, 2 * bottom
    rows = []
    for _ in range(count - 1):
        interest = (left * twice_top + bottom) // twice_bottom
        rows.append((level - interest, interest))
        left -= level - interest
    if left <= 0 or level <= 0 or (rows and rows[0][0] < 0):
        return _carefully(principal_minor, annual_rate, count, periods_a_year)
    rows.append((left, (left * twice_top + bottom) // twice_bottom))
    return rows


def level_batch(
    principals_minor: Sequence[int], annual_rate: Decimal, count: int, *, periods_a_year: int = 12
) -> LevelBatch:
    """The schedules of `level_rows` for many loans of one rate and count. Rounds and raises as it does."""
    if not 1 <= count <= LONGEST:
        raise UnableToSchedule(Unschedulable.TOO_MANY, count=count)
    lanes = _Lanes.of(max(principals_minor, default=1), annual_rate, count, periods_a_year)
    levels, last = array(lanes.code), array(lanes.code)
    interest = [array(lanes.code) for _ in range(count)]
    for start in range(0, len(principals_minor), _LANES):
        lanes.run(principals_minor[start : start + _LANES], levels, interest, last)
    return LevelBatch(count, levels, interest, last)


def _period_rate(annual_rate: Decimal, periods_a_year: int) -> tuple[int, int]:
    top, bottom = annual_rate.as_integer_ratio()
    common = gcd(top, bottom * periods_a_year)
    return top // common, bottom * periods_a_year // common


def _level_factor(top: int, bottom: int, count: int) -> tuple[int, int]:
    """The level instalment of one unit, as a fraction: r (1 + r)^n / ((1 + r)^n - 1), r = top / bottom."""
    grown, base = (bottom + top) ** count, bottom**count
    return (1, count) if grown == base else (top * grown, bottom * (grown - base))


def _carefully(
    principal_minor: int, annual_rate: Decimal, count: int, periods_a_year: int
) -> list[tuple[int, int]]:
    charges = Charges.even(annual_rate, periods_a_year)
    parts = level_parts(principal_minor, charges, 0, count, rounding=Rounding.HALF_UP)
    return [(part.principal, part.interest) for part in parts]


@dataclass(frozen=True, slots=True)
class _Lanes:
    """What all lanes share: their width in bits, and the numbers that stand for the rate and the count."""

    annual_rate: Decimal
    periods_a_year: int
    count: int
    width: int
    #: bits of an amount read from a lane, and the array's code for them
    word: int
    code: str
    #: interest = (balance * times + plus) >> shift, exact for every balance up to the largest
    times: int
    plus: int
    shift: int
    #: level = (principal * factor + half) >> _POINT, exact unless the digits behind the point are nearly all ones
    factor: int
    half: int
    unsure: int
    #: below this level, roundings might leave nothing for the last instalment
    careful: int

    @classmethod
    def of(cls, largest: int, annual_rate: Decimal, count: int, periods_a_year: int) -> _Lanes:
        top, bottom = _period_rate(annual_rate, periods_a_year)
        digits = (largest * 2 * top + bottom).bit_length()
        shift = digits + (2 * bottom).bit_length()
        reciprocal = -(-(1 << shift) // (2 * bottom))
        numerator, denominator = _level_factor(top, bottom, count)
        most = largest + largest * top // bottom + largest * numerator // denominator + 2
        word, code = _SMALL if most < 1 << 31 else _LARGE
        # an error of half a unit a period in interest and in level grows like the balance does
        grown = (bottom + top) ** count // bottom**count + 1
        return cls(
            annual_rate=annual_rate,
            periods_a_year=periods_a_year,
            count=count,
            width=-(-(2 * digits + 4) // word) * word,
            word=word,
            code=code,
            times=2 * top * reciprocal,
            plus=bottom * reciprocal,
            shift=shift,
            factor=(numerator << _POINT) // denominator,
            half=1 << _POINT - 1,
            unsure=(1 << _POINT) - largest - 1,
            careful=(count + 1) * grown * 2 * (bottom + top) // bottom + 2,
        )

    def run(
        self, principals: Sequence[int], levels: array[int], interest: list[array[int]], last: array[int]
    ) -> None:
        """Append the columns of some loans, at most as many as there are lanes."""
        fraction = (1 << _POINT) - 1
        exact = [principal * self.factor + self.half for principal in principals]
        found = [
            level >> _POINT if (level & fraction) < self.unsure and level >> _POINT > self.careful else 0
            for level in exact
        ]
        slow = [at for at, level in enumerate(found) if not level]
        given = list(principals)
        for at in slow:
            given[at] = 0
        columns, left = self._side_by_side(given, found)
        for at in slow:
            rows = level_rows(
                principals[at], self.annual_rate, self.count, periods_a_year=self.periods_a_year
            )
            found[at], left[at] = sum(rows[0]), rows[-1][0]
            for column, (_, row_interest) in zip(columns, rows, strict=True):
                column[at] = row_interest
        levels.extend(found)
        last.extend(left)
        for whole, column in zip(interest, columns, strict=True):
            whole.extend(column)

    def _side_by_side(
        self, principals: Sequence[int], levels: Sequence[int]
    ) -> tuple[list[array[int]], array[int]]:
        """The interest of each period, and the principal left for the last; as many periods as a lane has
        words are read from it at once."""
        lanes, words = len(principals), self.width // self.word
        ones = self._packed([1] * lanes)
        plus, mask = self.plus * ones, ((1 << self.width - self.shift) - 1) * ones
        balance, level = self._packed(principals), self._packed(levels)
        columns: list[array[int]] = []
        for start in range(0, self.count, words):
            periods = range(start, min(start + words, self.count))
            held = 0
            for period in periods:
                interest = (balance * self.times + plus) >> self.shift & mask
                held |= interest << (period - start) * self.word
                if period < self.count - 1:
                    balance += interest - level
            laid = self._words(held, lanes)
            columns.extend(laid[at::words] for at in range(len(periods)))
        return columns, self._words(balance, lanes)[::words]

    def _packed(self, numbers: Sequence[int]) -> int:
        words = self.width // self.word
        laid = array(self.code, bytes(self.width // 8 * len(numbers)))
        laid[::words] = array(self.code, numbers)
        return int.from_bytes(laid.tobytes(), "little")

    def _words(self, packed: int, lanes: int) -> array[int]:
        laid = array(self.code)
        laid.frombytes(packed.to_bytes(self.width // 8 * lanes, "little"))
        return laid
