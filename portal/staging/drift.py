"""Whether a batch that is right in itself changes the book so much that a second person must look.

Pure. A batch in cents taken for yuan, or with a column of strange phone numbers, can satisfy every rule
of a row; what gives it away is how much it would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.money import Money


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch may change without a second person. Amounts in minor units of the mapping's currency.

    `book_permille`: how much of what is left on all loans together, from `book_floor` on (a small book
    moves by more). `row_fold`: how many times as much a loan may have left, or a contract's figure be,
    as before, from a rise of `row_floor` on. `phones_permille`: which part of the known customers may
    have another number, from `phones_floor` of them on.
    """

    book_permille: int = 20
    book_floor: int = 10_000_000
    row_fold: int = 20
    row_floor: int = 100_000
    phones_permille: int = 10
    phones_floor: int = 10

    @classmethod
    def of(cls, table: Mapping[str, Any], currency: str) -> Limits:
        """The limits of a bank's `[intake]`, the others as they are here. Raises KeyError for a name there
        is not, AmountError for an amount that is none.

        >>> Limits.of({"book_change_percent": 5, "row_change_from": "10.00"}, "CNY").row_floor
        1000
        """
        made = {}
        for name, value in table.items():
            field_, times = _NAMES[name]
            made[field_] = value * times if times else Money.from_file(value, currency).minor
        return cls(**made)


#: name in the bank's file -> (field, what it is multiplied by; 0 for an amount)
_NAMES = {
    "book_change_percent": ("book_permille", 10),
    "book_change_from": ("book_floor", 0),
    "row_fold": ("row_fold", 1),
    "row_change_from": ("row_floor", 0),
    "phone_change_percent": ("phones_permille", 10),
    "phone_change_from": ("phones_floor", 1),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a second look. `rule` is a key of the texts; `facts` fill it."""

    rule: str
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Drift:
    """What the check has seen of the book before and after, by currency."""

    limits: Limits = field(default_factory=Limits)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    #: loans whose rest rose by more than the fold: (reference, before, after); the first few
    rows: list[tuple[str, str, int, int]] = field(default_factory=list)
    row_count: int = 0

    def loan(self, ref: str, currency: str, before: int | None, after: int) -> None:
        """Count one loan: what was left of it, None for a new one, and what will be."""
        self.after[currency] = self.after.get(currency, 0) + after
        if before is None:
            return
        self.before[currency] = self.before.get(currency, 0) + before
        limits = self.limits
        if before > 0 and after >= limits.row_fold * before and after - before >= limits.row_floor:
            self.row_count += 1
            if len(self.rows) < _SHOWN:
                self.rows.append((ref, currency, before, after))

    def findings(self, *, phones: int, customers: int, terms: int) -> list[Finding]:
        """Every reason for a second person; none for the first batch, which has nothing to differ from.
        `phones`: numbers that change, of so many `customers`; `terms`: contracts with a figure so many
        times what it was, or so small a part of it."""
        if not self.before:
            return []
        limits = self.limits
        found = [self._book(currency) for currency in self.after if self._drifts(currency)]
        if self.row_count:
            ref, currency, before, after = self.rows[0]
            facts = {"count": self.row_count, "fold": limits.row_fold, "loan": ref, "currency": currency}
            found.append(Finding("row", {**facts, "before": before, "after": after}))
        if terms:
            found.append(Finding("terms", {"count": terms, "fold": limits.row_fold}))
        if phones >= limits.phones_floor and phones * 1000 > limits.phones_permille * customers:
            found.append(Finding("phones", {"count": phones, "customers": customers}))
        return found

    def _drifts(self, currency: str) -> bool:
        before, after = self.before.get(currency, 0), self.after[currency]
        change = abs(after - before)
        return change * 1000 > self.limits.book_permille * before and change >= self.limits.book_floor

    def _book(self, currency: str) -> Finding:
        before, after = self.before.get(currency, 0), self.after[currency]
        facts = {"currency": currency, "before": before, "after": after, "change": after - before}
        return Finding("book", facts)


#: Examples kept.
_SHOWN = 10
