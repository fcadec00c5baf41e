"""Two sets of terms side by side: every term, what it was, what it is, and who moved. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from portal.money import Money
from portal.plans.terms import Terms


class Move(StrEnum):
    """Who moved on a term, as a word beside it."""

    UNCHANGED = "unchanged"
    ADDED = "added"
    REMOVED = "removed"
    #: the bank changed it
    MORE = "more"
    LESS = "less"
    CHANGED = "changed"
    #: it follows from another change
    FOLLOWS_MORE = "follows_more"
    FOLLOWS_LESS = "follows_less"
    LATER = "later"
    EARLIER = "earlier"
    #: asked for and given, given without asking, asked for and not given
    AGREED = "agreed"
    GIVEN = "given"
    NOT_GIVEN = "not_given"


class Tone(StrEnum):
    """How the word is coloured; the word says it too."""

    OK = "ok"
    WARN = "warn"
    NA = "na"


Value = Money | int | date | bool | str | None


@dataclass(frozen=True, slots=True)
class Term:
    """One row of the comparison. `difference` is an amount, a number of instalments or of days."""

    code: str
    before: Value
    after: Value
    move: Move
    tone: Tone
    difference: Money | int | None = None

    @property
    def changed(self) -> bool:
        """Whether anything moved."""
        return self.move is not Move.UNCHANGED


def compare(asked: Terms, offered: Terms) -> tuple[Term, ...]:
    """Every term of the bank's offer beside the borrower's, the unchanged ones too."""
    return (
        _upfront(asked, offered),
        _count(asked, offered),
        _each(asked, offered),
        _day("first", asked.first.due_on, offered.first.due_on),
        _day("last", asked.last.due_on, offered.last.due_on),
        *_waivers(asked, offered),
        _interest(asked, offered),
        _plain("pay_day", asked.pay_day, offered.pay_day),
        _plain("frequency", asked.frequency.value, offered.frequency.value),
    )


def _upfront(asked: Terms, offered: Terms) -> Term:
    before, after = asked.upfront, offered.upfront
    if before == after:
        return Term("upfront", before, after, Move.UNCHANGED, Tone.NA)
    if not before:
        return Term("upfront", before, after, Move.ADDED, Tone.WARN)
    if not after:
        return Term("upfront", before, after, Move.REMOVED, Tone.OK)
    if after > before:
        return Term("upfront", before, after, Move.MORE, Tone.WARN, after - before)
    return Term("upfront", before, after, Move.LESS, Tone.OK, before - after)


def _count(asked: Terms, offered: Terms) -> Term:
    before, after = asked.count, offered.count
    if before == after:
        return Term("count", before, after, Move.UNCHANGED, Tone.NA)
    move = Move.MORE if after > before else Move.LESS
    return Term("count", before, after, move, Tone.WARN, abs(after - before))


def _each(asked: Terms, offered: Terms) -> Term:
    before, after = asked.usual, offered.usual
    if before == after:
        return Term("each", before, after, Move.UNCHANGED, Tone.NA)
    if after > before:
        return Term("each", before, after, Move.FOLLOWS_MORE, Tone.WARN, after - before)
    return Term("each", before, after, Move.FOLLOWS_LESS, Tone.OK, before - after)


def _day(code: str, before: date, after: date) -> Term:
    if before == after:
        return Term(code, before, after, Move.UNCHANGED, Tone.NA)
    move = Move.LATER if after > before else Move.EARLIER
    return Term(code, before, after, move, Tone.WARN, abs((after - before).days))


def _waivers(asked: Terms, offered: Terms) -> Iterator[Term]:
    """One row per component that either side wants waived, or that is part of what is covered."""
    wished, given, charged = _waived(asked), _waived(offered), _charged(asked)
    for component in ("fee", "penalty_interest"):
        amount = max(charged.get(component, 0), given.get(component, 0), wished.get(component, 0))
        if not amount:
            continue
        was, now = wished.get(component, 0), given.get(component, 0)
        yield Term(
            f"waive_{component}",
            Money(was, asked.currency),
            Money(now, asked.currency),
            *_given(bool(was), bool(now)),
            difference=Money(amount, asked.currency),
        )


def _given(was: bool, now: bool) -> tuple[Move, Tone]:
    if was and now:
        return Move.AGREED, Tone.OK
    if now:
        return Move.GIVEN, Tone.OK
    return (Move.NOT_GIVEN, Tone.WARN) if was else (Move.UNCHANGED, Tone.NA)


def _waived(terms: Terms) -> dict[str, int]:
    sums: dict[str, int] = {}
    for loan in terms.loans:
        for component, amount in loan.waived:
            sums[component] = sums.get(component, 0) + amount.minor
    return sums


def _charged(terms: Terms) -> dict[str, int]:
    sums: dict[str, int] = {}
    for loan in terms.loans:
        for component, amount in loan.parts:
            sums[component] = sums.get(component, 0) + amount.minor
    return sums


def _interest(asked: Terms, offered: Terms) -> Term:
    before, after = asked.freeze_interest, offered.freeze_interest
    return Term("interest", before, after, *_given(before, after))


def _plain(code: str, before: int | str, after: int | str) -> Term:
    if before == after:
        return Term(code, before, after, Move.UNCHANGED, Tone.NA)
    return Term(code, before, after, Move.CHANGED, Tone.WARN)
