"""When the bank's core posts back what was paid here: the portal's line gives way to the bank's.

Nothing is rewritten. The portal's line is undone by a dated line of its own, and money that no
component can take any more is moved to suspense by another, so that nothing is counted twice or lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS, FORGIVING, TAKINGS, Totals
from portal.accounts.corrections import (
    GAVE_WAY,
    LONGEST_STEM,
    PLACES,
    answers_ours,
    insert_pair,
    opposite_of,
    transfer_values,
)
from portal.accounts.models import LedgerLine
from portal.accounts.operations import CHUNK, insert_line, line_values, totals_of

#: How the references of moves to and from suspense begin.
PARKED = "park-"


@dataclass(frozen=True, slots=True)
class PostedBack:
    """A line of the portal that the bank's line `core_ref` now stands for."""

    line_id: int
    core_ref: str
    posted_on: date


@dataclass(frozen=True, slots=True)
class _Moment:
    """What every line made here has in common."""

    posted_on: date
    label: str
    now: datetime


def give_way(session: Session, *, posted_back: Sequence[PostedBack], now: datetime) -> int:
    """Undo the portal's lines that the bank has posted itself; the caller rebalances. A line already
    undone is left alone. Returns how many were undone."""
    made = 0
    for one in posted_back:
        original = session.get(LedgerLine, one.line_id)
        undone = session.scalar(select(LedgerLine.id).where(LedgerLine.reverses_id == one.line_id))
        if original is None or undone is not None:
            continue
        ref = f"{GAVE_WAY}{one.line_id}-{one.core_ref}"[:48]
        values = opposite_of(original, ref, "", posted_on=one.posted_on, now=now)
        insert_line(session, values | {"external_ref": one.core_ref})
        made += 1
    return made


def park_overpaid(
    session: Session, *, loan_ids: Collection[int], posted_on: date, label: str, now: datetime
) -> int:
    """Make whole what the bank's own lines leave crooked on loans with lines of ours; the caller rebalances.

    What was paid beyond a component's charges moves to suspense, and back from there once the component
    can take it again. What was forgiven here beyond what is owed, given back here of a payment that the
    bank has undone itself or counted less of, or moved to another loan though the bank took the money back,
    gives way first.
    Returns how many loans saw money moved.
    """
    moment = _Moment(posted_on, label, now)
    ordered = sorted(loan_ids)
    parts = (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
    return sum(_park(session, part, moment) for part in parts)


def _park(session: Session, loan_ids: Sequence[int], moment: _Moment) -> int:
    for line in session.scalars(_GIVEN_BACK_TWICE, {"loan_ids": loan_ids}).all():
        _gives_way(session, line, moment)
    found = totals_of(session, loan_ids)
    crooked = [loan_id for loan_id, totals in found.items() if _is_crooked(totals)]
    for loan_id in crooked:  # grows by the loans that moved money comes back from
        _forgiveness_gives_way(session, loan_id, moment)
        crooked.extend(_transfers_give_way(session, loan_id, moment))
    for loan_id in crooked:
        _takings_give_way(session, loan_id, moment)
    found |= totals_of(session, crooked) if crooked else {}
    parked, moved = _parked(session, list(found)), 0
    for loan_id, totals in found.items():
        take, give = _moves(totals, parked.get(loan_id, {}))
        if not take:
            continue
        stem = f"{PARKED}{moment.label}-{loan_id}"[:LONGEST_STEM]
        pair = transfer_values(loan_id, loan_id, take, give, moment.posted_on, stem, "", moment.now)
        insert_pair(session, pair)
        moved += 1
    return moved


def _is_crooked(totals: Totals) -> bool:
    """Whether more is forgiven than owed, or less than nothing is paid."""
    beyond = any(totals.forgiven[name] > totals.owed[name] for name in COMPONENTS)
    return beyond or sum(totals.paid.values()) + totals.suspense < 0


def _standing() -> Select[LedgerLine]:
    """Lines of ours of the named loans that nothing undid."""
    undoing = aliased(LedgerLine)
    return (
        select(LedgerLine)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.loan_id.in_(bindparam("loan_ids", expanding=True)),
            LedgerLine.source == "portal",
            undoing.id.is_(None),
        )
    )


def _given_back_twice() -> Select[LedgerLine]:
    """What was given back here of a payment that the bank has undone itself since, be it the bank's own line
    or the one that took the place of ours: the money went back once."""
    payment, gave_way, core, undone = (aliased(LedgerLine) for _ in range(4))
    stands_for = core.id == payment.id
    stands_for |= gave_way.line_ref.startswith(GAVE_WAY) & (core.line_ref == gave_way.external_ref)
    return (
        _standing()
        .join(payment, payment.id == LedgerLine.of_line_id)
        .outerjoin(gave_way, (gave_way.reverses_id == payment.id) & (gave_way.source == "portal"))
        .join(core, (core.loan_id == payment.loan_id) & (core.source == "core") & stands_for)
        .join(undone, undone.reverses_id == core.id)
        # a bank that undoes its line because it was told of what was given back has done that and no more
        .where(LedgerLine.kind.in_(TAKINGS), ~answers_ours(undone))
        .order_by(LedgerLine.id)
    )


def _sums_parked() -> Select[Any]:
    """By loan, what of each component this module has moved to suspense and not back."""
    undoing = aliased(LedgerLine)
    return (
        select(LedgerLine.loan_id, *(func.sum(getattr(LedgerLine, f"{name}_minor")) for name in COMPONENTS))
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.loan_id.in_(bindparam("loan_ids", expanding=True)),
            LedgerLine.kind == "transfer",
            LedgerLine.source == "portal",
            LedgerLine.line_ref.startswith(PARKED),
            undoing.id.is_(None),
        )
        .group_by(LedgerLine.loan_id)
    )


_GIVEN_BACK_TWICE = _given_back_twice()
_FORGIVEN = _standing().where(LedgerLine.kind.in_(FORGIVING)).order_by(LedgerLine.id.desc())
_MOVED_ON = (
    _standing()
    .where(LedgerLine.kind == "transfer", LedgerLine.of_line_id.is_(None))
    .order_by(LedgerLine.id.desc())
)
_TAKEN = _standing().where(LedgerLine.kind.in_(TAKINGS)).order_by(LedgerLine.id.desc())
_SUMS_PARKED = _sums_parked()


def _gives_way(session: Session, line: LedgerLine, moment: _Moment) -> None:
    ref = f"{GAVE_WAY}{line.id}-{moment.label}"[:48]
    insert_line(session, opposite_of(line, ref, "", posted_on=moment.posted_on, now=moment.now))


def _forgiveness_gives_way(session: Session, loan_id: int, moment: _Moment) -> None:
    """Take back what was forgiven here, the latest first, of a charge that the bank has undone or forgiven
    itself: nobody can be forgiven more than is owed. What is left of a line stands as a line of its own."""
    totals = totals_of(session, [loan_id]).get(loan_id, Totals())
    beyond = {name: max(0, totals.forgiven[name] - totals.owed[name]) for name in COMPONENTS}
    if not any(beyond.values()):
        return
    for line in session.scalars(_FORGIVEN, {"loan_ids": [loan_id]}).all():
        given = {name: -getattr(line, f"{name}_minor") for name in COMPONENTS}
        less = {name: min(beyond[name], given[name]) for name in COMPONENTS}
        if not any(less.values()):
            continue
        _gives_way(session, line, moment)
        rest = {name: given[name] - less[name] for name in COMPONENTS}
        if any(rest.values()):
            ref = f"{GAVE_WAY}{line.id}-{moment.label}-rest"[:48]
            insert_line(
                session,
                line_values(loan_id, line.kind, rest, moment.posted_on, ref, line.memo, moment.now),
            )
        beyond = {name: beyond[name] - less[name] for name in COMPONENTS}


def _transfers_give_way(session: Session, loan_id: int, moment: _Moment) -> Iterator[int]:
    """Where the bank took back money that was moved to other loans here, undo the latest moves until the
    loan has no less than nothing; yields the loans they had gone to."""
    for line in session.scalars(_MOVED_ON, {"loan_ids": [loan_id]}).all():
        totals = totals_of(session, [loan_id])[loan_id]
        if sum(totals.paid.values()) + totals.suspense >= 0:
            return
        pair = session.scalars(select(LedgerLine).where(LedgerLine.of_line_id == line.id)).one()
        if pair.loan_id != loan_id:
            _gives_way(session, line, moment)
            _gives_way(session, pair, moment)
            yield pair.loan_id


def _takings_give_way(session: Session, loan_id: int, moment: _Moment) -> None:
    """Where the bank has counted less of a payment than was taken back of it here, what is beyond that gives
    way, the latest first: no more can go back than came. What is left of a line stands as a line of its own."""
    for line in session.scalars(_TAKEN, {"loan_ids": [loan_id]}).all():
        totals = totals_of(session, [loan_id])[loan_id]
        short = -(sum(totals.paid.values()) + totals.suspense)
        if short <= 0:
            return
        rest = {name: int(getattr(line, f"{name}_minor")) for name in PLACES}
        for name in reversed(PLACES):
            less = min(short, rest[name])
            rest[name], short = rest[name] - less, short - less
        _gives_way(session, line, moment)
        if any(rest.values()):
            ref = f"{GAVE_WAY}{line.id}-{moment.label}-rest"[:48]
            parts = {name: -rest[name] for name in COMPONENTS}
            values = line_values(loan_id, line.kind, parts, moment.posted_on, ref, line.memo, moment.now)
            more = {"suspense_minor": rest["suspense"], "of_line_id": line.of_line_id}
            insert_line(session, values | more)


def _parked(session: Session, loan_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    return {
        loan_id: {name: int(minor) for name, minor in zip(COMPONENTS, sums, strict=True)}
        for loan_id, *sums in session.execute(_SUMS_PARKED, {"loan_ids": loan_ids})
    }


def _moves(totals: Totals, parked: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What to take from where and give to where within one loan, so that nothing is paid beyond its charges, or
    below nought.

    >>> totals = Totals(paid={"cost": 0, "fee": 0, "penalty_interest": 0, "interest": -20, "principal": 50})
    >>> totals.owed["principal"] = 100
    >>> _moves(totals, {})
    ({'principal': 20}, {'interest': 20})
    """
    room = {name: totals.owed[name] - totals.forgiven[name] for name in COMPONENTS}
    there = {name: min(max(totals.paid[name], 0), room[name]) for name in COMPONENTS}
    rest = sum(totals.paid.values()) + totals.suspense - sum(there.values())
    for name in reversed(COMPONENTS):  # short: principal makes up for it first
        less = min(max(-rest, 0), there[name])
        there[name], rest = there[name] - less, rest + less
    for name in COMPONENTS:
        back = max(0, min(room[name] - there[name], parked.get(name, 0), rest))
        there[name], rest = there[name] + back, rest - back
    change = {name: there[name] - totals.paid[name] for name in COMPONENTS}
    change["suspense"] = rest - totals.suspense
    take = {name: -minor for name, minor in change.items() if minor < 0}
    return take, {name: minor for name, minor in change.items() if minor > 0}
