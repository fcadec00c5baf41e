"""Figures that explain themselves: *then + charged - paid = now*, and how principal falls due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

from portal.accounts.balance import Instalment, LoanTerms, instalments
from portal.money import Money

CHARGES = ("interest", "penalty_interest", "fee", "cost")


class PostedLine(Protocol):
    """What an explanation needs of a ledger line."""

    @property
    def kind(self) -> str: ...
    @property
    def moves(self) -> str: ...
    @property
    def amounts(self) -> Mapping[str, Money]: ...
    @property
    def placed(self) -> Money: ...


@dataclass(frozen=True, slots=True)
class Since:
    """How an earlier figure became the one of today; `then` and all parts sum to `now`.

    `back` is what was taken back, paid back, moved on or undone of payments and waivers. `other` is what
    the parts leave over: nothing, unless principal was paid ahead of its due date or the earlier figure
    is one that the ledger does not bear out.
    """

    then: Money
    charged: Mapping[str, Money]
    counts: Mapping[str, int]
    fallen_due: Money
    paid: Money
    forgiven: Money
    back: Money
    other: Money
    now: Money


def part_of(line: PostedLine) -> str:
    """Where a line stands in an itemisation: ``charged``, ``paid``, ``forgiven`` or ``back``; "" for lending,
    which is not a charge."""
    if line.moves == "owed":
        return "charged" if any(line.amounts[name] for name in CHARGES) else ""
    return "back" if line.placed.minor > 0 else line.moves


def itemised(lines: Iterable[PostedLine], *, then: Money, fallen_due: Money, now: Money) -> Since:
    """The itemisation from `then` to `now`; `lines` are those posted after the day of `then`.

    A reversed charge lowers that charge. Money that no component could take is in none of the parts.
    """
    currency = then.currency
    charged = {name: Money.zero(currency) for name in CHARGES}
    sums = {part: Money.zero(currency) for part in ("paid", "forgiven", "back")}
    counts = dict.fromkeys((*CHARGES, *sums), 0)
    for line in lines:
        part = part_of(line)
        if part == "charged":
            for name in CHARGES:
                charged[name] += line.amounts[name]
                counts[name] += bool(line.amounts[name])
        elif part and line.placed:
            sums[part] += line.placed if part == "back" else -line.placed
            counts[part] += 1
    explained = Money.sum((then, *charged.values(), fallen_due, sums["back"]), currency)
    explained = explained - sums["paid"] - sums["forgiven"]
    return Since(then, charged, counts, fallen_due, **sums, other=now - explained, now=now)


def fallen_due(terms: LoanTerms, *, after: date, until: date, currency: str) -> Money:
    """The principal of the instalments due after one day, up to and including another."""
    parts = instalments_between(terms, after=after, until=until)
    return Money.sum((Money(part.principal_minor, currency) for part in parts), currency)


def instalments_between(terms: LoanTerms, *, after: date, until: date) -> Iterator[Instalment]:
    """The contract's instalments due after one day, up to and including another."""
    for part in instalments(terms):
        if part.due_on > until:
            return
        if part.due_on > after:
            yield part


P = TypeVar("P", bound=PostedLine)


def running(lines: Iterable[P], component: str, currency: str) -> Iterator[tuple[P, Money, Money]]:
    """Each line with its amount of one component and the sum of that component so far."""
    so_far = Money.zero(currency)
    for line in lines:
        so_far += line.amounts[component]
        yield line, line.amounts[component], so_far


@dataclass(frozen=True, slots=True)
class DuePrincipal:
    """Why that much principal is due: the instalments so far, less what was paid on principal."""

    count: int
    of: int
    fallen_due: Money
    settled: Money
    due: Money
    next_one: Instalment | None

    @property
    def next_amount(self) -> Money:
        """The principal of the next instalment; nothing when there is none."""
        return Money(self.next_one.principal_minor if self.next_one else 0, self.due.currency)


def due_principal(terms: LoanTerms, *, settled: Money, due: Money, as_of: date) -> DuePrincipal:
    """The instalments that had fallen due by `as_of` beside the principal `settled` so far.

    `due` is the stored figure; it is the difference, or nothing when more was paid than fell due.
    """
    past = [part for part in instalments(terms) if part.due_on <= as_of]
    total = Money(sum(part.principal_minor for part in past), settled.currency)
    later = next((part for part in instalments(terms) if part.due_on > as_of), None)
    return DuePrincipal(len(past), terms.term_count, total, settled, due, later)
