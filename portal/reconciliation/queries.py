"""What the desk reads of the daily reconciliation: the days, one day with its equation, one difference with its notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from portal.access.models import Staff
from portal.money import Money
from portal.payments.lifecycle import DIFFERENCE, DifferenceAction, DifferenceState
from portal.payments.models import DifferenceNote, ReconciliationDifference, ReconciliationRun
from portal.reconciliation.comparison import CORE_KINDS, Equation

_RUN: Any = ReconciliationRun.__table__
_DIFFERENCE: Any = ReconciliationDifference.__table__
#: Differences with which one can be matched by hand, at most.
MOST_CANDIDATES = 20


@dataclass(frozen=True)
class DayView:
    """One bank day and currency as last compared."""

    day: date
    currency: str
    ran_at: datetime
    runs: int
    matched: int
    at_core: int
    equation: Equation
    posted_here: Money
    posted_by_core: Money
    credited: int
    receipts: int
    open: int
    open_gap: Money
    worked: int

    def money(self, minor: int) -> Money:
        """An amount of the day's currency."""
        return Money(minor, self.currency)

    @property
    def fits(self) -> bool:
        """Whether nothing is left to do."""
        return self.open == 0


@dataclass(frozen=True)
class NoteView:
    """What somebody, or the run itself (`by` is empty), did about a difference."""

    at: datetime
    by: str
    action: str
    note: str


@dataclass(frozen=True)
class DifferenceView:
    """One difference; what a side says is None where it says nothing."""

    difference_id: int
    reference: str
    day: date
    currency: str
    kind: str
    state: str
    version: int
    provider: Money | None
    ours: Money | None
    core: Money | None
    gap: Money
    facts: Mapping[str, Any]
    matched_with: str

    @property
    def is_core(self) -> bool:
        """Whether it is between our ledger and the core's."""
        return self.kind in CORE_KINDS

    def allows(self, action: str) -> bool:
        """Whether somebody may do this now."""
        return DIFFERENCE.allows(DifferenceState(self.state), DifferenceAction(action))

    @property
    def may_be_set_aside(self) -> bool:
        """Whether it is money that can be kept apart."""
        is_money = self.kind == "at_provider_only" and self.facts.get("what") == "charge"
        return is_money and self.allows("set_aside")


@dataclass(frozen=True)
class DifferenceDetail:
    """One difference, what was done about it, and those it might cancel out with."""

    view: DifferenceView
    notes: tuple[NoteView, ...]
    candidates: tuple[DifferenceView, ...]


def days(connection: Connection, *, limit: int = 40) -> tuple[DayView, ...]:
    """The days compared, the newest first."""
    statement = _days().order_by(_RUN.c.day.desc(), _RUN.c.currency).limit(limit)
    return tuple(_day(row) for row in connection.execute(statement))


def day_of(
    connection: Connection, day: date, currency: str
) -> tuple[DayView, tuple[DifferenceView, ...]] | None:
    """One day with its differences: open ones first, then by size."""
    row = connection.execute(_days().where(_RUN.c.day == day, _RUN.c.currency == currency)).one_or_none()
    if row is None:
        return None
    turn = case((_DIFFERENCE.c.state == DifferenceState.OPEN, 0), else_=1)
    rows = connection.execute(
        _differences()
        .where(_DIFFERENCE.c.run_id == row.id)
        .order_by(turn, func.abs(_DIFFERENCE.c.gap_minor).desc(), _DIFFERENCE.c.id)
    )
    return _day(row), tuple(_view(one) for one in rows)


def difference_of(connection: Connection, reference: str) -> DifferenceDetail | None:
    """One difference by its reference."""
    row = connection.execute(_differences().where(_DIFFERENCE.c.reference == reference)).one_or_none()
    if row is None:
        return None
    view = _view(row)
    notes = connection.execute(
        select(DifferenceNote.created_at, Staff.name, DifferenceNote.action, DifferenceNote.note)
        .outerjoin(Staff, Staff.id == DifferenceNote.staff_id)
        .where(DifferenceNote.difference_id == row.id)
        .order_by(DifferenceNote.id)
    )
    return DifferenceDetail(
        view,
        tuple(NoteView(one[0], one[1] or "", one[2], one[3]) for one in notes),
        _candidates(connection, view) if view.allows("match") and view.gap else (),
    )


def _candidates(connection: Connection, view: DifferenceView) -> tuple[DifferenceView, ...]:
    rows = connection.execute(
        _differences()
        .where(
            _DIFFERENCE.c.gap_minor == -view.gap.minor,
            _RUN.c.currency == view.currency,
            _DIFFERENCE.c.id != view.difference_id,
            _DIFFERENCE.c.state.in_(DIFFERENCE.sources(DifferenceAction.MATCH)),
        )
        .order_by(_RUN.c.day.desc(), _DIFFERENCE.c.id)
        .limit(MOST_CANDIDATES)
    )
    return tuple(one for one in map(_view, rows) if one.is_core is view.is_core)


def _days() -> Any:
    """The runs, each with how many of its differences are open and what they come to, and how many were worked."""
    state, gap = _DIFFERENCE.c.state, _DIFFERENCE.c.gap_minor
    is_open = case((state == DifferenceState.OPEN, 1), else_=0)
    is_idle = state.in_((DifferenceState.OPEN, DifferenceState.CLOSED))
    counted = (
        select(
            _DIFFERENCE.c.run_id,
            func.sum(is_open).label("open"),
            func.sum(is_open * gap).label("open_gap"),
            func.sum(case((is_idle, 0), else_=1)).label("worked"),
        )
        .group_by(_DIFFERENCE.c.run_id)
        .subquery()
    )
    return select(_RUN, counted.c.open, counted.c.open_gap, counted.c.worked).outerjoin(
        counted, counted.c.run_id == _RUN.c.id
    )


def _differences() -> Any:
    other = _DIFFERENCE.alias("other")
    return (
        select(_DIFFERENCE, _RUN.c.day, _RUN.c.currency, other.c.reference.label("matched_with"))
        .join(_RUN, _RUN.c.id == _DIFFERENCE.c.run_id)
        .outerjoin(other, other.c.id == _DIFFERENCE.c.matched_id)
    )


def _day(row: Row[Any]) -> DayView:
    figures, currency = row.figures, row.currency
    names = ("succeeded", "refunded", "lost", "payout", "fees", "balance")
    return DayView(
        day=row.day,
        currency=currency,
        ran_at=row.ran_at,
        runs=row.runs,
        matched=row.matched,
        at_core=row.at_core,
        equation=Equation(**{name: figures[name] for name in names}),
        posted_here=Money(figures["posted_here"], currency),
        posted_by_core=Money(figures["posted_by_core"], currency),
        credited=figures["credited"],
        receipts=figures["receipts"],
        open=int(row.open or 0),
        open_gap=Money(int(row.open_gap or 0), currency),
        worked=int(row.worked or 0),
    )


def _view(row: Row[Any]) -> DifferenceView:
    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, row.currency)

    return DifferenceView(
        difference_id=row.id,
        reference=row.reference,
        day=row.day,
        currency=row.currency,
        kind=row.kind,
        state=row.state,
        version=row.version,
        provider=money(row.provider_minor),
        ours=money(row.ours_minor),
        core=money(row.core_minor),
        gap=Money(row.gap_minor, row.currency),
        facts=row.facts,
        matched_with=row.matched_with or "",
    )
