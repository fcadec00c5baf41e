"""Correcting lines in any order, generated: what is taken back stays within what was paid, and an undone step leaves no trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import (
    PLACES,
    post_charge_back,
    post_refund,
    post_write_down,
)
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import (
    UnableToPost,
    post_waiver,
    rebalance,
)
from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.accounts.taking import SAID, TODAY, figures, move, pay, proved, take, undo
from tests.conftest import BANK_MORNING

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "refund", "charge_back", "waive", "write_down", "move", "undo", "undo"]),
        st.integers(0, 1),
        st.integers(0, 30),
        st.sampled_from([1, 500, 4_000, 9_999]),
        st.sampled_from(PLACES),
    ),
    min_size=4,
    max_size=14,
)


@given(steps=STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_posted_and_undone_in_any_order(
    sqlite_database: Database, keys: Keys, steps: list[tuple[str, int, int, int, str]]
) -> None:
    """M1, M3, M6, M8, M11, M14 after every step; a refused step changes nothing; and undoing the last
    step gives exactly the figures from before it."""
    loans = _fresh(sqlite_database, keys)
    for number, step in enumerate(steps):
        before = figures(sqlite_database, *loans)
        try:
            line_id = _act(sqlite_database, loans, f"S{loans[0]}-{number}", *step)
        except UnableToPost:
            assert figures(sqlite_database, *loans) == before
            continue
        after = figures(sqlite_database, *loans)
        _holds(sqlite_database, loans, step[0], before, after)
        if line_id is not None and step[0] != "undo" and number == len(steps) - 1:
            undo(sqlite_database, line_id, f"Z{loans[0]}-{number}")
            assert figures(sqlite_database, *loans) == before
    proved(sqlite_database)


def _fresh(database: Database, keys: Keys) -> tuple[int, int]:
    def unit(session: Session) -> tuple[int, int]:
        mark = (session.scalar(select(func.count()).select_from(Loan)) or 0) + 1
        who = people.borrower(session, keys, customer_ref=f"C{mark}", name="林", phone=f"199{mark:08}")
        made = [people.loan(session, borrower_id=who, loan_ref=f"L{mark}-{one}") for one in (1, 2)]
        rebalance(session, loan_ids=made, as_of=TODAY, now=BANK_MORNING)
        return made[0], made[1]

    return database.write(unit)


def _act(
    database: Database,
    loans: tuple[int, int],
    ref: str,
    what: str,
    which: int,
    pick: int,
    minor: int,
    place: str,
) -> int | None:
    """One step on one of the loans; the line it made."""
    here = loans[which]
    parts, suspense = ({}, minor) if place == "suspense" else ({place: minor}, 0)
    if what == "pay":
        return pay(database, here, ref, suspense=suspense, **parts)
    if what in ("waive", "write_down"):
        post = post_waiver if what == "waive" else post_write_down
        return database.write(
            lambda session: post(session, loan_id=here, parts=parts, line_ref=ref, **SAID).line_id
        )
    if what == "move":
        give = {PLACES[pick % len(PLACES)]: minor}
        return move(database, (here, loans[pick % 2]), ref, {place: minor}, give).line_id
    kinds = (
        ("payment",)
        if what != "undo"
        else ("payment", "waiver", "write_down", "refund", "charge_back", "transfer")
    )
    with database.read() as connection:
        known = connection.scalars(
            select(LedgerLine.id).where(LedgerLine.loan_id.in_(loans), LedgerLine.kind.in_(kinds))
        ).all()
    if not known:
        return None
    line_id = known[pick % len(known)]
    if what == "undo":
        return undo(database, line_id, ref).line_id
    post = post_refund if what == "refund" else post_charge_back
    return take(database, line_id, ref, post=post, suspense=suspense, **parts).line_id


def _holds(
    database: Database, loans: tuple[int, int], what: str, before: list[Any], after: list[Any]
) -> None:
    for row in after:
        for name in COMPONENTS:
            owed, paid, forgiven = (row[f"{name}_{one}_minor"] for one in ("owed", "paid", "forgiven"))
            assert min(paid, forgiven, owed - paid - forgiven) >= 0
        assert row["suspense_minor"] >= 0
    if what in ("pay", "waive", "write_down"):
        assert all(_left(new) <= _left(old) for old, new in zip(before, after, strict=True))
    if what == "move":
        assert sum(map(_net, before)) == sum(map(_net, after))
    with database.read() as connection:
        gross, net = _received(connection, loans)
    assert 0 <= net <= gross


def _left(row: Mapping[str, int]) -> int:
    return sum(
        row[f"{name}_owed_minor"] - row[f"{name}_paid_minor"] - row[f"{name}_forgiven_minor"]
        for name in COMPONENTS
    )


def _net(row: Mapping[str, int]) -> int:
    return _left(row) - row["suspense_minor"]


def _received(connection: Any, loans: tuple[int, int]) -> tuple[int, int]:
    """All that came in, and what of it is still here."""
    whole = sum((getattr(LedgerLine, f"{name}_minor") for name in PLACES[1:]), start=LedgerLine.cost_minor)
    came = select(func.coalesce(-func.sum(whole), 0)).where(LedgerLine.loan_id.in_(loans))
    gross = connection.scalar(came.where(LedgerLine.kind == "payment"))
    held = connection.execute(select(LoanBalance.__table__).where(LoanBalance.loan_id.in_(loans)))
    paid = sum(
        row._mapping["suspense_minor"] + sum(row._mapping[f"{name}_paid_minor"] for name in COMPONENTS)
        for row in held
    )
    return int(gross), int(paid)
