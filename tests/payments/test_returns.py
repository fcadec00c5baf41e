"""Refunds and disputes on both databases: any order, any number of times, also before the money itself and after
the plan has ended, one state in the end, and never more taken back than came (M1-M12, P2, AC40)."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.operations import self_check
from portal.db import Database
from portal.gateways.stripe import ProviderEventSeen, Report
from portal.gateways.stripe_reports import RefundWord
from portal.keys import Keys
from portal.payments import receipts
from portal.payments.models import ProviderEvent
from portal.payments.operations import Attempt
from portal.plans.models import Plan
from tests.payments.telling import (
    Standing,
    begin,
    books,
    dispute_said,
    lin,
    refund_said,
    said,
    standing,
    tell,
)
from tests.payments.test_receipts import planned, receipts_of

pytestmark = pytest.mark.slow

#: 300 lives on each database in the soak, fewer in every other run.
SOAK = os.environ.get("PORTAL_TEST_PROFILE") == "soak"
LIVES = 100 if SOAK else 12


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return lin(database, keys)


def paid(database: Database, keys: Keys, borrower_id: int, minor: int = 30_000) -> Attempt:
    """300.00 on Lin's loan: 20.00 penalty interest, 100.00 interest, 180.00 principal."""
    attempt = begin(database, borrower_id, minor)
    tell(database, keys, said(attempt, Report.PAID))
    return attempt


def parts_of(database: Database, attempt: Attempt) -> dict[str, int]:
    with database.read() as connection:
        found = standing(connection, attempt.payment_id)
        assert self_check(connection) == []
    return {name: minor for _, name, minor in found.parts}


def state_of(database: Database, attempt: Attempt) -> str:
    with database.read() as connection:
        return standing(connection, attempt.payment_id).state


def test_a_partial_refund_takes_back_what_was_placed_last(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = paid(database, keys, borrower_id)

    tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, minor=20_000))

    assert parts_of(database, attempt) == {"penalty_interest": 2_000, "interest": 8_000}
    assert state_of(database, attempt) == "part_refund"


def test_a_refund_under_way_takes_nothing_and_one_that_fails_gives_it_back(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = paid(database, keys, borrower_id)

    tell(database, keys, refund_said(attempt, RefundWord.PENDING, event_id="a", minor=30_000))
    assert (state_of(database, attempt), sum(parts_of(database, attempt).values())) == ("posted", 30_000)
    tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id="b", minor=30_000))
    assert (state_of(database, attempt), parts_of(database, attempt)) == ("refunded", {})
    tell(database, keys, refund_said(attempt, RefundWord.FAILED, event_id="c", minor=30_000))

    assert state_of(database, attempt) == "posted"
    assert parts_of(database, attempt) == {"penalty_interest": 2_000, "interest": 10_000, "principal": 18_000}


def test_a_dispute_takes_the_money_when_it_left_and_a_won_one_returns_it(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = paid(database, keys, borrower_id)

    seen = []
    for kind in ("created", "funds_withdrawn", "updated", "funds_reinstated", "won"):
        tell(database, keys, dispute_said(attempt, kind, event_id=kind))
        seen.append((state_of(database, attempt), sum(parts_of(database, attempt).values())))

    assert seen == [
        ("posted", 30_000),
        ("disputed", 0),
        ("disputed", 0),
        ("posted", 30_000),
        ("posted", 30_000),
    ]


def test_an_older_refund_that_fails_leaves_what_the_later_taking_alone_would_have(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    """Two refunds of 50.00 and 180.00; the first fails: what stands is what the second alone leaves."""
    attempt = paid(database, keys, borrower_id)
    first = {"refund_id": "re_1", "minor": 5_000, "created": 1}
    tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id="a", **first))  # type: ignore[arg-type]
    tell(
        database,
        keys,
        refund_said(attempt, RefundWord.SUCCEEDED, event_id="b", refund_id="re_2", minor=18_000, created=2),
    )

    tell(database, keys, refund_said(attempt, RefundWord.FAILED, event_id="c", **first))  # type: ignore[arg-type]

    assert parts_of(database, attempt) == {"penalty_interest": 2_000, "interest": 10_000}


def test_what_is_told_before_the_money_waits_for_it(database: Database, keys: Keys, borrower_id: int) -> None:
    attempt = begin(database, borrower_id)

    outcomes = [
        tell(database, keys, dispute_said(attempt, "funds_withdrawn", event_id="a")),
        tell(
            database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id="b", minor=5_000, created=9)
        ),
    ]
    tell(database, keys, said(attempt, Report.PAID, event_id="c"))

    assert outcomes == [receipts.Outcome.WAITING] * 2
    assert (state_of(database, attempt), parts_of(database, attempt)) == ("disputed", {})
    with database.read() as connection:
        waiting = select(func.count()).where(ProviderEvent.outcome == "waiting").select_from(ProviderEvent)
        assert connection.scalar(waiting) == 0


def test_the_plan_follows_and_one_that_has_ended_stays_ended(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    planned(database, borrower_id, [20_000, 10_000])
    attempt = paid(database, keys, borrower_id)
    with database.read() as connection:
        assert connection.scalar(select(Plan.state)) == "completed"

    tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id="a", minor=12_000))
    with database.read() as connection:
        short = standing(connection, attempt.payment_id)
        state = connection.scalar(select(Plan.state))
    tell(database, keys, refund_said(attempt, RefundWord.FAILED, event_id="b", minor=12_000))
    with database.read() as connection:
        again = standing(connection, attempt.payment_id)

    assert (short.on_plan, state) == (((0, 18_000),), "completed")
    assert again.on_plan == ((0, 20_000), (1, 10_000))
    assert receipts_of(database) == [
        (0, 20_000),
        (0, -2_000),
        (0, 2_000),
        (1, 10_000),
        (1, -10_000),
        (1, 10_000),
    ]


def test_a_plan_in_force_has_its_instalment_open_again(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    planned(database, borrower_id, [20_000, 50_000])
    attempt = paid(database, keys, borrower_id)

    tell(database, keys, dispute_said(attempt, "funds_withdrawn"))

    with database.read() as connection:
        assert standing(connection, attempt.payment_id).on_plan == ()
        assert connection.scalar(select(Plan.state)) == "active"


def test_a_refund_begun_at_the_provider_is_adopted_once(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = paid(database, keys, borrower_id)

    for number in range(3):
        tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id=f"e{number}", minor=1_000))

    with database.read() as connection:
        assert standing(connection, attempt.payment_id).refunds == (("re_1", "succeeded", 1_000),)


#: Six events of one payment, its refund and its dispute.
SIX = {
    "paid": lambda attempt: said(attempt, Report.PAID, event_id="e1"),
    "late": lambda attempt: said(
        attempt, Report.PROCESSING, event_id="e2", kind="checkout.session.completed"
    ),
    "refunded": lambda attempt: refund_said(attempt, RefundWord.SUCCEEDED, event_id="e3", minor=4_000),
    "failed": lambda attempt: refund_said(attempt, RefundWord.FAILED, event_id="e4", minor=4_000),
    "withdrawn": lambda attempt: dispute_said(attempt, "funds_withdrawn", event_id="e5", minor=27_000),
    "closed": lambda attempt: dispute_said(attempt, "lost", event_id="e6", minor=27_000),
}


def test_orders_of_six_events_with_refund_and_dispute_end_alike(
    sqlite_database: Database, keys: Keys
) -> None:
    """720 orders, one final state; orders that begin alike share their beginning (see test_receipts). Only
    the soak tells them all; else those in which the money, the failed refund and the dispute change places."""
    borrower_id = lin(sqlite_database, keys)
    planned(sqlite_database, borrower_id, [20_000, 50_000])
    attempt = begin(sqlite_database, borrower_id)
    fixed = () if SOAK else ("late", "closed")
    events = {name: make(attempt) for name, make in SIX.items()}
    ends: list[Standing] = []

    def tell_all(session: Session, still: frozenset[str]) -> None:
        if not still:
            for name in fixed:
                receipts.receive(session, event=events[name], books=books(keys))
            ends.append(standing(session, attempt.payment_id))
        for name in still:
            savepoint = session.begin_nested()
            receipts.receive(session, event=events[name], books=books(keys))
            tell_all(session, still - {name})
            savepoint.rollback()
            session.expire_all()

    with Session(sqlite_database.writer) as session:
        tell_all(session, frozenset(set(events) - set(fixed)))

    assert len(ends) == (720 if SOAK else 24)
    (end,) = set(ends)
    assert (end.state, end.net) == ("disputed", 3_000)


def a_life(attempt: Attempt, chance: random.Random) -> list[ProviderEventSeen]:
    """Every event of a payment with up to three refunds and a dispute, as they might come of each other."""
    count = itertools.count()
    total, left, told = (
        attempt.amount.minor,
        attempt.amount.minor,
        [said(attempt, Report.PAID, event_id="paid")],
    )
    for number in range(chance.randint(0, 3)):
        minor = chance.randint(1, max(1, left))
        left -= minor
        words = chance.choice(
            [
                (RefundWord.SUCCEEDED,),
                (RefundWord.PENDING, RefundWord.SUCCEEDED),
                (RefundWord.PENDING, RefundWord.SUCCEEDED, RefundWord.FAILED),
                (RefundWord.PENDING, RefundWord.CANCELLED),
            ]
        )
        made = {"refund_id": f"re_{number}", "minor": minor, "created": 100 + number}
        told += [refund_said(attempt, word, event_id=f"e{next(count)}", **made) for word in words]  # type: ignore[arg-type]
        if left <= 0:
            break
    kinds: Sequence[str] = chance.choice(
        [
            (),
            ("created", "funds_withdrawn"),
            ("created", "funds_withdrawn", "updated", "lost"),
            ("created", "funds_withdrawn", "updated", "funds_reinstated", "won"),
        ]
    )
    minor = chance.choice([total, max(1, left)])
    told += [dispute_said(attempt, kind, event_id=f"e{next(count)}", minor=minor) for kind in kinds]
    return told


def left_of(told: Sequence[ProviderEventSeen], total: int) -> tuple[str, int]:
    """The state and the net amount that these events leave, worked out from them alone."""
    refunds: dict[str, tuple[bool, int]] = {}
    gone, disputed = 0, False
    for event in told:
        if event.refund is not None:
            is_gone = refunds.get(event.refund.refund_id, (False, 0))[0] or event.refund.word == "succeeded"
            refunds[event.refund.refund_id] = (is_gone, event.refund.amount_minor or 0)
    failed = {e.refund.refund_id for e in told if e.refund and e.refund.word in ("failed", "cancelled")}
    refunded = sum(minor for name, (is_gone, minor) in refunds.items() if is_gone and name not in failed)
    of_dispute = [event.dispute for event in told if event.dispute]
    if any(one.withdrawn for one in of_dispute) and not any(one.reinstated for one in of_dispute):
        gone, disputed = of_dispute[0].amount_minor or 0, True
    net = max(0, total - refunded - gone)
    if disputed:
        return "disputed", net
    return ("posted" if not refunded else "refunded" if refunded >= total else "part_refund"), net


@pytest.mark.parametrize("plan", [(), (30_000,), (12_000, 60_000)], ids=["no plan", "ends", "goes on"])
def test_sequences_of_refunds_and_disputes_keep_every_figure(
    database: Database, keys: Keys, borrower_id: int, plan: tuple[int, ...]
) -> None:
    """Seeded lives for each kind of plan, each told in a shuffled order with copies: what stands is what
    the events say, placed as a smaller payment would have been, and every balance follows from its lines."""
    if plan:
        planned(database, borrower_id, plan)
    attempt = begin(database, borrower_id)
    chance = random.Random(f"{plan}")
    with Session(database.writer) as session:
        for _ in range(LIVES):
            savepoint = session.begin_nested()
            told = [event for event in a_life(attempt, chance) for _ in range(chance.randint(1, 3))]
            chance.shuffle(told)
            for event in told:
                receipts.receive(session, event=event, books=books(keys))
            end = standing(session, attempt.payment_id)
            assert (end.state, end.net) == left_of(told, attempt.amount.minor)
            assert {name: minor for _, name, minor in end.parts} == placed(end.net)
            assert sum(minor for _, minor in end.on_plan) == min(end.net, sum(plan))
            assert self_check(session.connection()) == []
            savepoint.rollback()
            session.expire_all()
        session.rollback()


def placed(net: int) -> dict[str, int]:
    """Where a payment of `net` to Lin's loan is put."""
    parts = {}
    for name, most in (("penalty_interest", 2_000), ("interest", 10_000), ("principal", 18_000)):
        if taken := min(net, most):
            parts[name] = taken
            net -= taken
    return parts


def test_money_that_was_moved_on_is_an_alarm_and_stops_nothing(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    """A refund larger than what came (the provider would not make one) takes what there is."""
    attempt = paid(database, keys, borrower_id)

    tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, event_id="a", minor=30_000, created=1))
    tell(database, keys, dispute_said(attempt, "lost", event_id="b"))

    assert (state_of(database, attempt), parts_of(database, attempt)) == ("disputed", {})
    with database.read() as connection:
        lines = connection.scalar(
            select(func.count()).select_from(LedgerLine).where(LedgerLine.kind == "charge_back")
        )
        left = connection.scalar(select(LoanBalance.left_minor).order_by(LoanBalance.loan_id).limit(1))
    assert (lines, left) == (0, 1_212_000)
