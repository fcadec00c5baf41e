"""`python -m tests.bench.schedules`: a schedule's cost against a numpy loop and published packages (G8).

60 monthly instalments, exact to the cent. Each pair makes the same loans with both, one after the other, in slices; the
figure is our CPU time over theirs, the median of five pairs. What they answer is compared to the cent.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import numpy_financial as npf
from amortization.schedule import amortization_schedule

from portal.schedules.batch import level_batch, level_rows

PAIRS = 5
SLICES = 10
COUNT = 60
RATES = [Decimal(points).scaleb(-4) for points in (435, 600, 880, 1200, 1825)]

Rows = list[tuple[int, int]]


def ours(principal: int, rate: Decimal) -> Rows:
    """Whole numbers, divided once."""
    return level_rows(principal, rate, COUNT)


def numpy_loop(principal: int, rate: Decimal) -> Rows:
    """The loop one writes over a numpy array: floats, each figure rounded half-up."""
    monthly = float(rate) / 12
    level = np.floor(principal * monthly / (1 - (1 + monthly) ** -COUNT) + 0.5)
    rows, balance = np.empty((COUNT, 2), dtype=np.int64), float(principal)
    for number in range(COUNT):
        interest = np.floor(balance * monthly + 0.5)
        part = level - interest if number < COUNT - 1 else balance
        rows[number] = part, interest
        balance -= part
    return [(int(part), int(interest)) for part, interest in rows]


def package_amortization(principal: int, rate: Decimal) -> Rows:
    """The package `amortization`: floats, each figure rounded to two places."""
    return [
        (round(row.principal * 100), round(row.interest * 100))
        for row in amortization_schedule(principal / 100, float(rate), COUNT)
    ]


def package_numpy_financial(principal: int, rate: Decimal) -> Rows:
    """The package `numpy-financial`: unrounded; rounded here, so that its parts need not sum to the loan."""
    numbers = np.arange(1, COUNT + 1)
    interest = -npf.ipmt(float(rate) / 12, numbers, COUNT, principal)
    parts = -npf.ppmt(float(rate) / 12, numbers, COUNT, principal)
    return [(round(float(part)), round(float(paid))) for part, paid in zip(parts, interest)]


def raw_amortization(principal: int, rate: Decimal) -> object:
    """The package alone, without turning its answer into whole numbers."""
    return list(amortization_schedule(principal / 100, float(rate), COUNT))


def raw_numpy_financial(principal: int, rate: Decimal) -> object:
    """The package alone: both columns."""
    numbers = np.arange(1, COUNT + 1)
    monthly = float(rate) / 12
    return npf.ipmt(monthly, numbers, COUNT, principal), npf.ppmt(monthly, numbers, COUNT, principal)


def numpy_batch(principals: np.ndarray, rate: Decimal) -> list[np.ndarray]:
    """All loans of one rate at once, in 64-bit whole numbers: as exact while nothing overflows."""
    numerator, denominator = rate.as_integer_ratio()
    top, bottom = numerator, denominator * 12
    monthly = float(rate) / 12
    level = np.floor(principals * (monthly / (1 - (1 + monthly) ** -COUNT)) + 0.5).astype(np.int64)
    balance, columns = principals.copy(), []
    for _ in range(COUNT):
        interest = (2 * top * balance + bottom) // (2 * bottom)
        columns.append(interest)
        balance = balance + interest - level
    return columns


def cost(make: Callable[[int, Decimal], object], loans: Sequence[tuple[int, Decimal]]) -> float:
    """CPU seconds of one schedule."""
    start = time.process_time()
    for principal, rate in loans:
        make(principal, rate)
    return (time.process_time() - start) / len(loans)


def ratios(theirs: Callable[[int, Decimal], object], loans: Sequence[tuple[int, Decimal]]) -> list[float]:
    """Ours over theirs, for each pair; both go back and forth within a pair."""
    found = []
    cost(ours, loans[:50])
    cost(theirs, loans[:50])
    for _ in range(PAIRS):
        mine = other = 0.0
        for at in range(SLICES):
            part = loans[at::SLICES]
            mine += cost(ours, part)
            other += cost(theirs, part)
        found.append(mine / other)
    return found


def batch_costs(principals: Sequence[int], rate: Decimal) -> tuple[list[float], list[float], list[float]]:
    """Microseconds a loan of ours in a batch; and what it is of numpy's batch and of the package, per pair."""
    array = np.array(principals, dtype=np.int64)
    few = [(principal, rate) for principal in principals[:200]]
    spent, to_numpy, to_package = [], [], []
    for _ in range(PAIRS):
        start = time.process_time()
        level_batch(principals, rate, COUNT)
        mine = (time.process_time() - start) / len(principals)
        start = time.process_time()
        numpy_batch(array, rate)
        vector = (time.process_time() - start) / len(principals)
        spent.append(mine * 1e6)
        to_numpy.append(mine / vector)
        to_package.append(mine / cost(raw_amortization, few))
    return spent, to_numpy, to_package


def meets_half_a_cent(principal: int, rate: Decimal) -> bool:
    """Whether some interest of the schedule lies exactly between two cents: ours goes up, a float either way."""
    top, bottom = rate.as_integer_ratio()
    left = principal
    for part, _ in ours(principal, rate):
        if 2 * left * top % (2 * bottom * 12) == bottom * 12:
            return True
        left -= part
    return False


def agreement(other: Callable[[int, Decimal], Rows], loans: Sequence[tuple[int, Decimal]]) -> str:
    """How many schedules are alike in every cent, and how many of the other's parts sum to the loan."""
    plain = [loan for loan in loans if not meets_half_a_cent(*loan)]
    ties = [loan for loan in loans if meets_half_a_cent(*loan)]
    alike = [sum(other(*loan) == ours(*loan) for loan in some) for some in (plain, ties)]
    sums = sum(sum(part for part, _ in other(*loan)) == loan[0] for loan in loans)
    return (
        f"{alike[0]} of {len(plain)} without a half cent, {alike[1]} of {len(ties)} with one;"
        f" its parts sum to the loan in {sums} of {len(loans)}"
    )


def line(figure: str, name: str, found: Sequence[float], of: str, goal: str) -> None:
    """One figure as every bench prints it."""
    middle = statistics.median(found)
    print(
        f"{figure:3} {name:44} {middle:.3f} {of}  ({min(found):.3f} to {max(found):.3f})  {goal}", flush=True
    )


def main() -> None:
    """Every comparison, then how far the answers agree."""
    draw = random.Random(8)
    loans = [(draw.randrange(100_000, 50_000_000), draw.choice(RATES)) for _ in range(500)]
    line(
        "G8",
        "60-month exact schedule",
        ratios(raw_amortization, loans),
        "of `amortization`",
        "goal 0.37 (0.25)",
    )
    line("G8", "60-month exact schedule", ratios(raw_numpy_financial, loans), "of `numpy-financial`", "")
    line("G8", "60-month exact schedule", ratios(numpy_loop, loans), "of a plain numpy loop", "")
    principals = [draw.randrange(100_000, 50_000_000) for _ in range(20_000)]
    spent, to_numpy, to_package = batch_costs(principals, Decimal("0.088"))
    line("G8", "in a batch of 20,000", spent, "us a loan", "goal 1 (0.4)")
    line("G8", "in a batch of 20,000", to_package, "of `amortization`", "")
    line("G8", "in a batch of 20,000", to_numpy, "of numpy int64 in a batch", "")
    for name, other in (
        ("a plain numpy loop", numpy_loop),
        ("`amortization`", package_amortization),
        ("`numpy-financial`, rounded afterwards", package_numpy_financial),
    ):
        print(f"G8  alike in every cent with {name}: {agreement(other, loans)}")


if __name__ == "__main__":
    main()
