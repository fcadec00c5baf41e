"""Level schedules by the thousand, exact to the minor unit and without a package: whole numbers side by side.

Loans of one rate and count lie in lanes of one very long whole number; one multiplication, one addition, one
shift and one mask add the interest to the balances of all of them and take the instalment off. The rate is a binary fraction
just long enough to be exact for the largest balance. Rounds half-up, as `annuity` does by default, and equals it row by row.
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
_LANES = 8192
#: Machine words that amounts are read from: bits, and the array's code for it.
_SMALL, _LARGE = (32, "i"), (64, "q")
#: Binary digits that the level instalment's factor has more than the largest loan, at least: of so many loans, one is
#: so near half a unit that it is worked out by itself.
_SPARE = 10


@dataclass(frozen=True, slots=True)
class LevelBatch:
    """Level schedules of one rate and count; minor units. Instalments are level but for the last."""

    count: int
    principals: Sequence[int]
    #: the level instalment of each loan
    levels: Sequence[int]
    #: the last instalment of each loan
    last: Sequence[int]
    #: the balances of some loans, one array for as many periods as a lane has words, as they were computed
    _balances: tuple[tuple[array[int], ...], ...]
    _words: int

    def balance(self, loan: int, period: int) -> int:
        """What is left of a loan's principal after an instalment but the last; both counted from nought."""
        chunk, lane = divmod(loan, _LANES)
        block, word = divmod(period, self._words)
        return self._balances[chunk][block][lane * self._words + word]

    def rows(self, loan: int) -> Iterator[tuple[int, int]]:
        """(principal, interest) of each instalment of one loan, counted from nought."""
        before = self.principals[loan]
        for period in range(self.count - 1):
            after = self.balance(loan, period)
            yield before - after, self.levels[loan] - (before - after)
            before = after
        yield before, self.last[loan] - before


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
    levels: list[int] = []
    last: list[int] = []
    balances = []
    for start in range(0, len(principals_minor), _LANES):
        found = lanes.run(principals_minor[start : start + _LANES])
        levels += found[0]
        last += found[1]
        balances.append(found[2])
    words = lanes.width // lanes.word
    return LevelBatch(count, tuple(principals_minor), levels, last, tuple(balances), words)


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
    #: the width while levels are worked out
    wide: int
    #: bits of an amount read from a lane, and the array's code for them
    word: int
    code: str
    #: balance with interest = (balance * times + half a unit) >> shift, exact for every balance up to the largest
    times: int
    shift: int
    #: level = (principal * factor + half a unit) >> point, exact unless the digits behind the point reach `unsure`
    point: int
    factor: int
    unsure: int
    #: up to this level, roundings might leave nothing for the last instalment
    careful: int

    @classmethod
    def of(cls, largest: int, annual_rate: Decimal, count: int, periods_a_year: int) -> _Lanes:
        top, bottom = _period_rate(annual_rate, periods_a_year)
        numerator, denominator = _level_factor(top, bottom, count)
        most = largest + largest * top // bottom + largest * numerator // denominator + 2
        word, code = _SMALL if most < 1 << 31 else _LARGE
        times, shift = _binary(bottom + top, bottom, most)
        wide = -(-(2 * most.bit_length() + _SPARE + 1) // word) * word
        point = wide - most.bit_length() - 1
        # an error of half a unit a period in interest and in level grows like the balance does
        grown = (bottom + top) ** count // bottom**count + 1
        return cls(
            annual_rate=annual_rate,
            periods_a_year=periods_a_year,
            count=count,
            width=-(-(most * times + (1 << shift)).bit_length() // word) * word,
            wide=wide,
            word=word,
            code=code,
            times=times,
            shift=shift,
            point=point,
            factor=(numerator << point) // denominator,
            unsure=(1 << point) - largest - 1,
            careful=(count + 1) * grown * 2 * (bottom + top) // bottom + 2,
        )

    def run(self, principals: Sequence[int]) -> tuple[list[int], list[int], tuple[array[int], ...]]:
        """Levels, last instalments and balances of some loans, at most as many as there are lanes."""
        levels, slow = self._levels(principals)
        given = list(principals)
        for at in slow:
            given[at] = levels[at] = 0
        blocks, last = self._side_by_side(given, levels)
        for at in slow:
            rows = level_rows(
                principals[at], self.annual_rate, self.count, periods_a_year=self.periods_a_year
            )
            levels[at], last[at] = sum(rows[0]), sum(rows[-1])
            self._put(blocks, at, principals[at], rows)
        return levels, last, blocks

    def _levels(self, principals: Sequence[int]) -> tuple[list[int], list[int]]:
        """The level instalment of each loan, and which loans are to be worked out one by one."""
        lanes, width, point = len(principals), self.wide, self.point
        ones, fraction = self._ones(lanes, width), (1 << point) - 1
        exact = self._packed(principals, width) * self.factor + (ones << point - 1)
        mask = ((1 << width - point) - 1) * ones
        levels = self._words(exact >> point & mask, lanes, width)[:: width // self.word].tolist()
        # a carry where the digits behind the point reach what is unsure
        unsure = ((exact & fraction * ones) + (fraction + 1 - self.unsure) * ones) >> point & ones
        slow = set()
        while unsure:
            slow.add((unsure.bit_length() - 1) // width)
            unsure ^= 1 << unsure.bit_length() - 1
        if min(levels, default=self.careful + 1) <= self.careful:
            slow |= {at for at, level in enumerate(levels) if level <= self.careful}
        return levels, sorted(slow)

    def _put(
        self, blocks: tuple[array[int], ...], lane: int, balance: int, rows: list[tuple[int, int]]
    ) -> None:
        words = self.width // self.word
        for period, (principal, _) in enumerate(rows[:-1]):
            balance -= principal
            blocks[period // words][lane * words + period % words] = balance

    def _side_by_side(
        self, principals: Sequence[int], levels: Sequence[int]
    ) -> tuple[tuple[array[int], ...], list[int]]:
        """The balance after every instalment but the last, and the last instalment."""
        lanes, words, width = len(principals), self.width // self.word, self.width
        ones, times, shift = self._ones(lanes, width), self.times, self.shift
        half, mask = ones << shift - 1, ((1 << width - shift) - 1) * ones
        balance = self._packed(principals, width)
        # no balance is below its instalment before the last, so that no lane borrows from the next
        change = half - (self._packed(levels, width) << shift)
        blocks = []
        for start in range(0, self.count - 1, words):
            held = 0
            for word in range(min(words, self.count - 1 - start)):
                balance = (balance * times + change) >> shift & mask
                held |= balance << word * self.word
            blocks.append(self._words(held, lanes, width))
        last = (balance * times + half) >> shift & mask
        return tuple(blocks), self._words(last, lanes, width)[::words].tolist()

    def _ones(self, lanes: int, width: int) -> int:
        return int.from_bytes((1).to_bytes(width // 8, "little") * lanes, "little")

    def _packed(self, numbers: Sequence[int], width: int) -> int:
        laid = array(self.code, bytes(width // 8 * len(numbers)))
        laid[:: width // self.word] = array(self.code, numbers)
        return int.from_bytes(laid.tobytes(), "little")

    def _words(self, packed: int, lanes: int, width: int) -> array[int]:
        laid = array(self.code)
        laid.frombytes(packed.to_bytes(width // 8 * lanes, "little"))
        return laid


def _binary(top: int, bottom: int, largest: int) -> tuple[int, int]:
    """The shortest (times, shift) with which number * times / 2^shift, rounded half-up, is number * top / bottom
    rounded half-up, for every whole number up to the largest.

    Half a unit more, the true value is a multiple of 1 / (2 bottom); what the fraction adds to it must stay
    below that.

    >>> times, shift = _binary(1511, 1500, 50_000_000)
    >>> all((n * times + (1 << shift - 1)) >> shift == (2 * n * 1511 + 1500) // 3000 for n in range(0, 50_000_000, 6_007))
    True
    """
    shift = 1
    while True:
        times = -(-(top << shift) // bottom)
        if (times * bottom - (top << shift)) * 2 * largest < 1 << shift:
            return times, shift
        shift += 1
