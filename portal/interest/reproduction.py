"""Does the interest engine lead to every line the bank posted? If not: the first day and line, and by how much.

Pure. A line that was reversed no longer stands and is not compared; its reversal says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from portal.accounts.balance import Line
from portal.interest.engine import BEARING, InterestTerms, Posting, expected_postings


@dataclass(frozen=True, slots=True)
class Entry:
    """A posted line with the bank's number; `reversed` when a later line undid it."""

    line_ref: str
    line: Line
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One component on one day: what the bank posted, what the terms lead to, in minor units.

    `line_refs` is empty where the bank posted nothing, `posting` is None where nothing was expected.
    """

    posted_on: date
    component: str
    line_refs: tuple[str, ...]
    posted_minor: int
    expected_minor: int
    posting: Posting | None

    @property
    def difference_minor(self) -> int:
        """Posted less expected."""
        return self.posted_minor - self.expected_minor


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Every check of one loan, the oldest first; `waiting` are postings of the last day itself, still to come."""

    checks: tuple[Check, ...]
    waiting: tuple[Posting, ...]

    @property
    def differences(self) -> tuple[Check, ...]:
        """Where the bank's line and the terms do not agree."""
        return tuple(check for check in self.checks if check.difference_minor)

    @property
    def first_difference(self) -> Check | None:
        """The first day and line that differ, or nothing."""
        return next(iter(self.differences), None)

    @property
    def lines(self) -> int:
        """How many posted lines were compared."""
        return sum(len(check.line_refs) for check in self.checks)

    @property
    def equal(self) -> int:
        """How many of them agree to the minor unit."""
        return sum(len(check.line_refs) for check in self.checks if not check.difference_minor)


def reproduce(terms: InterestTerms, entries: Iterable[Entry], *, as_of: date) -> Reproduction:
    """Compare every interest and penalty line up to and including `as_of` with what the terms lead to.

    What falls on `as_of` itself may not have been posted yet: then it is waiting, not a difference.
    Exact, no tolerance. Raises LedgerFault for lines that are no ledger.
    """
    known = [entry for entry in entries if entry.line.posted_on <= as_of]
    posted: dict[tuple[date, str], list[Entry]] = {}
    for entry in known:
        if entry.line.kind in BEARING and not entry.reversed:
            posted.setdefault((entry.line.posted_on, entry.line.kind), []).append(entry)
    postings = expected_postings(terms, (entry.line for entry in known), as_of=as_of)
    expected = {(posting.posted_on, posting.component): posting for posting in postings}
    waiting = {key for key in expected if key[0] == as_of and key not in posted}
    keys = sorted({*posted, *expected} - waiting, key=lambda key: (key[0], BEARING.index(key[1])))
    return Reproduction(
        tuple(_check(key, posted.get(key, ()), expected.get(key)) for key in keys),
        tuple(expected[key] for key in sorted(waiting)),
    )


def _check(key: tuple[date, str], entries: Sequence[Entry], posting: Posting | None) -> Check:
    day, component = key
    return Check(
        posted_on=day,
        component=component,
        line_refs=tuple(entry.line_ref for entry in entries),
        posted_minor=sum(entry.line.amounts.get(component, 0) for entry in entries),
        expected_minor=posting.amount.minor if posting else 0,
        posting=posting,
    )
