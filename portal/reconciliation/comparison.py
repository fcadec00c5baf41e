"""Comparing one bank day three ways: the provider's movements, our entries, and what the core posted back. Pure.

Everything is matched exactly once or is a difference, and the differences explain each gap between two
books to the minor unit. What happened on another day in the other book is found there and named for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong, or only late."""

    AT_PROVIDER_ONLY = "at_provider_only"
    OURS_ONLY = "ours_only"
    AMOUNT_DIFFERS = "amount_differs"
    OTHER_DAY = "other_day"
    FEE_LINE = "fee_line"
    OTHER_MOVEMENT = "other_movement"
    NET_DIFFERS = "net_differs"
    NOT_AT_CORE_YET = "not_at_core_yet"
    CORE_ONLY = "core_only"
    CORE_DIFFERS = "core_differs"


#: Movements that belong to a payment of ours; the others are the provider's own.
MATCHED_KINDS = ("charge", "refund", "refund_failed", "dispute", "dispute_won")
#: Differences between our books and the core's; the others are between the provider's and ours.
CORE_KINDS = (Kind.NOT_AT_CORE_YET, Kind.CORE_ONLY, Kind.CORE_DIFFERS)


@dataclass(frozen=True)
class Movement:
    """One line of the provider's books, minor units, signed: a charge is above zero, a refund below.
    `key` is the payment, refund or dispute our own entry names; `in_day`: it belongs to the day at hand."""

    movement_id: str
    kind: str
    key: str
    gross: int
    fee: int
    net: int
    in_day: bool = True


@dataclass(frozen=True)
class Entry:
    """One fact of ours about the provider's money: credited, given back, disputed, or kept apart."""

    entry_id: str
    kind: str
    key: str
    amount: int
    in_day: bool = True


@dataclass(frozen=True)
class Posted:
    """One payment on one loan: in our ledger, or as the core posted it. `reference` is ours and its loan's;
    `age` the days since (our lines only)."""

    line_id: str
    reference: str
    amount: int
    in_day: bool = True
    age: int = 0


@dataclass(frozen=True)
class Difference:
    """What does not fit. `gap` is the other book minus ours, as far as it belongs to the day."""

    kind: Kind
    subject: str
    gap: int
    provider: int | None = None
    ours: int | None = None
    core: int | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def is_core(self) -> bool:
        """Whether it is between our ledger and the core's."""
        return self.kind in CORE_KINDS


@dataclass(frozen=True)
class Equation:
    """M12: succeeded - refunded - lost disputes (ours) = payout + fees + balance (theirs), minor units."""

    succeeded: int
    refunded: int
    lost: int
    payout: int
    fees: int
    balance: int

    @property
    def ours(self) -> int:
        """The left side: what should have reached the account."""
        return self.succeeded - self.refunded - self.lost

    @property
    def theirs(self) -> int:
        """The right side: where the provider says it went."""
        return self.payout + self.fees + self.balance

    @property
    def gap(self) -> int:
        """Theirs minus ours; zero when the books agree."""
        return self.theirs - self.ours


@dataclass(frozen=True)
class Result:
    """One day compared: the pairs that fit, what does not, and the two sums."""

    matched: tuple[tuple[str, str], ...]
    at_core: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...]
    equation: Equation
    posted_here: int
    posted_by_core: int

    def gap(self, *, core: bool) -> int:
        """What the differences of one leg explain."""
        return sum(one.gap for one in self.differences if one.is_core is core)


def reconcile(
    movements: Iterable[Movement],
    entries: Iterable[Entry],
    ledger: Iterable[Posted],
    core: Iterable[Posted],
) -> Result:
    """Compare one day and currency. Rows with `in_day` false are there to be found, not to be accounted for.

    Invariants: every row of the day is in exactly one pair or one difference; the gaps of the provider's
    differences sum to `equation.gap`, those of the core's to `posted_by_core - posted_here`.

    >>> day = reconcile([Movement("txn_1", "charge", "pi_1", 500, 15, 485)], [], [], [])
    >>> [(one.kind.value, one.gap) for one in day.differences], day.equation.gap
    ([('at_provider_only', 500)], 500)
    """
    theirs = sorted(movements, key=lambda one: (not one.in_day, one.movement_id))
    ours = sorted(entries, key=lambda one: (not one.in_day, one.entry_id))
    here, there = sorted(ledger, key=_turn), sorted(core, key=_turn)
    matched, differences = _provider_leg(theirs, ours)
    at_core, late = _core_leg(here, there)
    return Result(
        matched=tuple(matched),
        at_core=tuple(at_core),
        differences=(*differences, *late),
        equation=equation_of(theirs, ours),
        posted_here=sum(line.amount for line in here if line.in_day),
        posted_by_core=_core_side(here, there),
    )


def equation_of(movements: Sequence[Movement], entries: Sequence[Entry]) -> Equation:
    """The two sides of M12 for the rows of the day. A fee of its own counts as a fee."""
    day = [one for one in movements if one.in_day]
    own = [one for one in entries if one.in_day]
    return Equation(
        succeeded=sum(one.amount for one in own if one.kind == "charge"),
        refunded=-sum(one.amount for one in own if one.kind in ("refund", "refund_failed")),
        lost=-sum(one.amount for one in own if one.kind in ("dispute", "dispute_won")),
        payout=-sum(one.gross for one in day if one.kind == "payout"),
        fees=sum(one.fee for one in day) - sum(one.gross for one in day if one.kind == "fee"),
        balance=sum(one.net for one in day),
    )


def _provider_leg(
    movements: list[Movement], entries: list[Entry]
) -> tuple[list[tuple[str, str]], list[Difference]]:
    """Pairs by kind and key: equal amounts first, then what is left in order, then what has nobody."""
    matched: list[tuple[str, str]] = []
    differences = [found for one in movements for found in _own_of(one)]
    theirs: dict[tuple[str, str], list[Movement]] = defaultdict(list)
    ours: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for movement in movements:
        if movement.kind in MATCHED_KINDS:
            theirs[movement.kind, movement.key].append(movement)
    for entry in entries:
        ours[entry.kind, entry.key].append(entry)
    for where in dict.fromkeys((*theirs, *ours)):
        left, right = theirs.get(where, []), ours.get(where, [])
        for movement, entry in _pairs(left, right):
            if movement.gross == entry.amount and movement.in_day == entry.in_day:
                if movement.in_day:
                    matched.append((movement.movement_id, entry.entry_id))
                continue
            differences += _unequal(movement, entry)
        differences += [_only_theirs(one) for one in left if one.in_day]
        differences += [_only_ours(one) for one in right if one.in_day]
    return matched, differences


def _pairs(left: list[Movement], right: list[Entry]) -> list[tuple[Movement, Entry]]:
    """Takes pairs out of both lists: of the same amount and day, of the same amount, then as they stand."""
    pairs: list[tuple[Movement, Entry]] = []
    for fits in (_same_day_and_amount, _same_amount, _any):
        for movement in list(left):
            found = next((entry for entry in right if fits(movement, entry)), None)
            if found is not None:
                left.remove(movement)
                right.remove(found)
                pairs.append((movement, found))
    return pairs


def _same_day_and_amount(movement: Movement, entry: Entry) -> bool:
    return movement.gross == entry.amount and movement.in_day == entry.in_day


def _same_amount(movement: Movement, entry: Entry) -> bool:
    return movement.gross == entry.amount


def _any(movement: Movement, entry: Entry) -> bool:
    return movement.in_day or entry.in_day


def _own_of(one: Movement) -> list[Difference]:
    """What one movement says on its own: a fee without a payment, an unknown kind, a net that is not gross - fee."""
    if not one.in_day:
        return []
    found = []
    subject = f"provider:{one.movement_id}"
    if one.kind == "fee":
        found.append(Difference(Kind.FEE_LINE, subject, 0, provider=one.gross, facts=_facts(one)))
    elif one.kind not in (*MATCHED_KINDS, "payout"):
        found.append(
            Difference(Kind.OTHER_MOVEMENT, subject, one.gross, provider=one.gross, facts=_facts(one))
        )
    wrong = one.net - (one.gross - one.fee)
    if wrong:
        facts = {**_facts(one), "net": one.net, "fee": one.fee}
        found.append(Difference(Kind.NET_DIFFERS, f"{subject}:net", wrong, provider=one.gross, facts=facts))
    return found


def _unequal(movement: Movement, entry: Entry) -> list[Difference]:
    if not (movement.in_day or entry.in_day):
        return []
    gap = (movement.gross if movement.in_day else 0) - (entry.amount if entry.in_day else 0)
    kind = Kind.AMOUNT_DIFFERS if movement.gross != entry.amount else Kind.OTHER_DAY
    facts = {**_facts(movement), "entry": entry.entry_id, "in_ours": int(entry.in_day)}
    subject = f"provider:{movement.movement_id}"
    return [Difference(kind, subject, gap, provider=movement.gross, ours=entry.amount, facts=facts)]


def _only_theirs(one: Movement) -> Difference:
    subject = f"provider:{one.movement_id}"
    return Difference(Kind.AT_PROVIDER_ONLY, subject, one.gross, provider=one.gross, facts=_facts(one))


def _only_ours(one: Entry) -> Difference:
    facts: dict[str, str | int] = {"entry": one.entry_id, "key": one.key, "what": one.kind}
    return Difference(Kind.OURS_ONLY, f"ours:{one.entry_id}", -one.amount, ours=one.amount, facts=facts)


def _facts(one: Movement) -> dict[str, str | int]:
    return {"movement": one.movement_id, "key": one.key, "what": one.kind}


def _turn(line: Posted) -> tuple[bool, str]:
    """The day's own lines find their counterparts first, whatever order the rows came in."""
    return not line.in_day, line.line_id


def _core_leg(here: list[Posted], there: list[Posted]) -> tuple[list[tuple[str, str]], list[Difference]]:
    """Our payment lines of the day against what the core posted with our reference, whenever it did."""
    by_reference: dict[str, list[Posted]] = defaultdict(list)
    for line in there:
        by_reference[line.reference].append(line)
    matched: list[tuple[str, str]] = []
    differences: list[Difference] = []
    for own in here:
        group = by_reference.get(own.reference, [])
        found = next((line for line in group if line.amount == own.amount), group[0] if group else None)
        if found is not None:
            group.remove(found)
        if not own.in_day:
            continue
        if found is None:
            facts: dict[str, str | int] = {"entry": own.reference, "age": own.age}
            differences.append(
                Difference(
                    Kind.NOT_AT_CORE_YET,
                    f"ours:{own.line_id}:core",
                    -own.amount,
                    ours=own.amount,
                    facts=facts,
                )
            )
        elif found.amount == own.amount:
            matched.append((own.line_id, found.line_id))
        else:
            differences.append(_core_differs(own, found))
    for line in (line for group in by_reference.values() for line in group if line.in_day):
        facts = {"line": line.line_id, "entry": line.reference}
        differences.append(
            Difference(Kind.CORE_ONLY, f"core:{line.line_id}", line.amount, core=line.amount, facts=facts)
        )
    return matched, differences


def _core_differs(own: Posted, found: Posted) -> Difference:
    return Difference(
        Kind.CORE_DIFFERS,
        f"ours:{own.line_id}:core",
        found.amount - own.amount,
        ours=own.amount,
        core=found.amount,
        facts={"line": found.line_id, "entry": own.reference},
    )


def _core_side(here: list[Posted], there: list[Posted]) -> int:
    """What the core posted for our lines of the day (on whatever day), and what it posted on the day for
    lines we do not have."""
    matched, differences = _core_leg(here, there)
    amounts = {line.line_id: line.amount for line in there}
    return sum(amounts[theirs] for _, theirs in matched) + sum(one.core or 0 for one in differences)
