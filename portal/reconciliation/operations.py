"""The daily reconciliation as it is kept: movements fetched, the day compared, differences written and closed.

The provider is asked before any transaction; then one transaction compares and writes. Running a day again
rewrites its row and its open differences; what fits by now closes by itself, what somebody worked stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.dates import Clock
from portal.db import upsert
from portal.gateways.stripe import ProviderUnavailable
from portal.gateways.stripe_reports import Movement as Told
from portal.gateways.stripe_reports import MovementKind
from portal.installation import Portal
from portal.payments.lifecycle import DIFFERENCE, DifferenceAction, DifferenceState
from portal.payments.models import (
    DifferenceNote,
    Payment,
    ProviderMovement,
    ReconciliationDifference,
    ReconciliationRun,
)
from portal.reconciliation import rows
from portal.reconciliation.comparison import Difference, Kind, Result, reconcile

log = structlog.get_logger()

#: How many ended days are looked after: a day is run once it has ended, and again while something is open.
LOOK_BACK_DAYS = 10
#: A day with open differences is run again after so long.
AGAIN_AFTER = timedelta(hours=2)
#: What a difference says of what: when one of these changes after somebody worked it, it is open again.
_FIGURES = ("kind", "provider_minor", "ours_minor", "core_minor", "gap_minor")


@dataclass(frozen=True)
class Ran:
    """What a run of one day and currency found."""

    day: date
    currency: str
    matched: int
    at_core: int
    differences: int
    open: int
    gap: int


@dataclass(frozen=True)
class Moment:
    """When and where a run happens; `shift` takes the provider's instants to the bank's (demonstration)."""

    now: datetime
    today: date
    zone: str
    shift: timedelta = timedelta()


def run_day(portal: Portal, day: date) -> tuple[Ran, ...]:
    """Compare one bank day, each currency of its own. Raises ProviderUnavailable: then nothing is changed."""
    told = tuple(_fetch(portal, day))
    clock = portal.clock
    now = clock.now()
    moment = Moment(now, clock.today(), clock.zone, now - clock.real_now())

    def unit(session: Session) -> tuple[Ran, ...]:
        _learn(session, told, day, now)
        found = rows.currencies(session, day, clock.zone) | {portal.settings.bank.currency}
        return tuple(_run(session, day, currency, moment) for currency in sorted(found))

    return portal.db.write(unit)


def run_due(portal: Portal) -> int:
    """Run the ended days that were not run since they ended, or have something open; how many. The
    background calls this."""
    if not portal.stripe.available:
        return 0
    with portal.db.read() as connection:
        due = _due(connection, portal.clock)
    count = 0
    for day in due:
        try:
            run_day(portal, day)
        except ProviderUnavailable as error:
            log.warning("reconciliation_provider_silent", kind=str(error))
            break
        count += 1
    return count


def day_bounds(clock: Clock, day: date) -> tuple[datetime, datetime]:
    """A bank day as instants of the provider's clock; in the demonstration the bank's runs ahead of it."""
    shift = clock.now() - clock.real_now()
    start, end = (
        datetime.combine(one, time(), ZoneInfo(clock.zone)) - shift for one in (day, day + timedelta(days=1))
    )
    return start, end


def _fetch(portal: Portal, day: date) -> Iterable[Told]:
    if not portal.stripe.available:
        return ()
    return portal.stripe.list_movements(*day_bounds(portal.clock, day))


def _due(connection: Connection, clock: Clock) -> list[date]:
    first = connection.scalar(select(func.min(Payment.created_at)))
    if first is None:
        return []
    today, now, table = clock.today(), clock.now(), ReconciliationRun
    begun = max(clock.local(first).date(), today - timedelta(days=LOOK_BACK_DAYS))
    ran = dict(
        connection.execute(
            select(table.day, func.max(table.ran_at)).where(table.day >= begun).group_by(table.day)
        ).all()
    )
    is_open = set(
        connection.scalars(
            select(table.day)
            .join(ReconciliationDifference, ReconciliationDifference.run_id == table.id)
            .where(table.day >= begun, ReconciliationDifference.state == DifferenceState.OPEN)
        )
    )
    days = [begun + timedelta(days=number) for number in range((today - begun).days)]
    return [day for day in days if _is_due(day, ran.get(day), day in is_open, now, clock)]


def _is_due(day: date, last: datetime | None, is_open: bool, now: datetime, clock: Clock) -> bool:
    if last is None or clock.local(last).date() <= day:
        return True
    return is_open and now - last >= AGAIN_AFTER


def _learn(session: Session, told: Iterable[Told], day: date, now: datetime) -> None:
    """Write the provider's movements down, each once."""
    table: Any = ProviderMovement.__table__
    values = [
        {
            "movement_id": one.movement_id,
            "created_at": now,
            "kind": one.kind.value,
            "key": _key(one),
            "gross_minor": one.gross_minor,
            "fee_minor": one.fee_minor,
            "net_minor": one.net_minor,
            "currency": one.currency,
            "moved_at": one.created,
            "day": day,
        }
        for one in told
    ]
    if values:
        session.execute(upsert(table).on_conflict_do_nothing(), values)


def _key(one: Told) -> str:
    """What our own row of it carries: the payment's id there for a charge, else the thing's own."""
    return one.intent_id if one.kind is MovementKind.CHARGE else one.source_id


def _run(session: Session, day: date, currency: str, moment: Moment) -> Ran:
    entries = rows.entries(session, day, currency, zone=moment.zone, shift=moment.shift)
    result = reconcile(
        rows.movements(session, day, currency, entries),
        entries,
        rows.ledger(session, day, currency, moment.today),
        rows.core_lines(session, day, currency),
    )
    return keep(session, day, currency, result, rows.receipts_of(session, day, moment.zone), moment)


def keep(
    session: Session, day: date, currency: str, result: Result, receipts: tuple[int, int], moment: Moment
) -> Ran:
    """Write what a comparison found over what an earlier one of the same day had found. `receipts`: how many
    payments were credited on the day, and how many receipts queued for them."""
    run_id = _run_row(session, day, currency, result, receipts, moment)
    open_count = _write(session, run_id, result.differences, moment.now)
    gap = result.equation.gap
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="reconciliation.ran",
        subject_kind="reconciliation_run",
        subject_ref=run_id,
        now=moment.now,
        facts={"day": day.isoformat(), "currency": currency, "open": open_count, "gap": gap},
    )
    return Ran(
        day, currency, len(result.matched), len(result.at_core), len(result.differences), open_count, gap
    )


def _run_row(
    session: Session, day: date, currency: str, result: Result, receipts: tuple[int, int], moment: Moment
) -> int:
    """The day's row, locked until the transaction ends, with what was found now."""
    table: Any = ReconciliationRun.__table__
    sums = result.equation
    figures = {
        "succeeded": sums.succeeded,
        "refunded": sums.refunded,
        "lost": sums.lost,
        "payout": sums.payout,
        "fees": sums.fees,
        "balance": sums.balance,
        "posted_here": result.posted_here,
        "posted_by_core": result.posted_by_core,
        "credited": receipts[0],
        "receipts": receipts[1],
    }
    found = {
        "ran_at": moment.now,
        "matched": len(result.matched),
        "at_core": len(result.at_core),
        "figures": figures,
    }
    statement = upsert(table).values(created_at=moment.now, day=day, currency=currency, runs=1, **found)
    again = statement.on_conflict_do_update(
        index_elements=["day", "currency"], set_={**found, "runs": table.c.runs + 1}
    )
    return int(session.execute(again.returning(table.c.id)).scalar_one())


def _write(session: Session, run_id: int, found: Iterable[Difference], now: datetime) -> int:
    """Bring the day's differences to what was found; how many are open."""
    held = {
        row.subject: row
        for row in session.scalars(
            select(ReconciliationDifference)
            .where(ReconciliationDifference.run_id == run_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    for one in found:
        row = held.pop(one.subject, None)
        if row is None:
            _insert(session, run_id, one, now)
        else:
            _found_again(session, row, one, now)
    for row in held.values():
        if DIFFERENCE.allows(DifferenceState(row.state), DifferenceAction.CLOSE):
            step(session, row, DifferenceAction.CLOSE, now=now)
    session.flush()
    statement = select(func.count()).select_from(ReconciliationDifference)
    is_open = ReconciliationDifference.state == DifferenceState.OPEN
    return session.scalar(statement.where(ReconciliationDifference.run_id == run_id, is_open)) or 0


def _values(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "provider_minor": one.provider,
        "ours_minor": one.ours,
        "core_minor": one.core,
        "gap_minor": one.gap,
        "facts": dict(one.facts),
    }


def _insert(session: Session, run_id: int, one: Difference, now: datetime) -> None:
    row = ReconciliationDifference(
        created_at=now,
        reference=new_reference("D"),
        run_id=run_id,
        subject=one.subject,
        state=DIFFERENCE.initial,
        version=1,
        **_values(one),
    )
    session.add(row)
    session.flush()
    if one.kind is Kind.OTHER_DAY:
        step(session, row, DifferenceAction.EXPLAIN, now=now)


def _found_again(session: Session, row: ReconciliationDifference, one: Difference, now: datetime) -> None:
    values = _values(one)
    changed = any(getattr(row, name) != values[name] for name in _FIGURES)
    if row.facts != values["facts"]:
        row.facts = values["facts"]
    if not changed and row.state != DifferenceState.CLOSED:
        return
    for name in _FIGURES:
        setattr(row, name, values[name])
    if row.state == DifferenceState.OPEN:
        row.version += 1
    else:
        step(session, row, DifferenceAction.FIND, now=now)
    if one.kind is Kind.OTHER_DAY:
        step(session, row, DifferenceAction.EXPLAIN, now=now)


def step(
    session: Session,
    row: ReconciliationDifference,
    action: DifferenceAction,
    *,
    now: datetime,
    staff_id: int | None = None,
    note: str = "",
) -> None:
    """Take a locked difference one step on, with a note of who did it. Raises NotAllowed."""
    row.state = DIFFERENCE.after(DifferenceState(row.state), action)
    row.version += 1
    session.add(
        DifferenceNote(
            created_at=now, difference_id=row.id, staff_id=staff_id, action=action.value, note=note
        )
    )
