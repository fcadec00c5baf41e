"""Refunds and disputes on both databases: any order, any number of times, also before the money itself and after
the plan has ended, one state in the end, and never more taken back than came (M1-M12, P2, AC40)."""

from __future__ import annotations

import itertools
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


def test_all_orders_of_six_events_with_refund_and_dispute_end_alike(
    sqlite_database: Database, keys: Keys
) -> None:
    """720 orders, one final state; orders that begin alike share their beginning (see test_receipts)."""
    borrower_id = lin(sqlite_database, keys)
    planned(sqlite_database, borrower_id, [20_000, 50_000])
    attempt = begin(sqlite_database, borrower_id)
    events = {name: make(attempt) for name, make in SIX.items()}
    ends: list[Standing] = []

    def tell_all(session: Session, still: frozenset[str]) -> None:
        if not still:
            ends.append(standing(session, attempt.payment_id))
        for name in still:
            savepoint = session.begin_nested()
            receipts.receive(session, event=events[name], books=books(keys))
            tell_all(session, still - {name})
            savepoint.rollback()
            session.expire_all()

    with Session(sqlite_database.writer) as session:
        tell_all(session, frozenset(events))

    assert len(ends) == 720
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


@pytest.mark.parametrize("plan", [(), (30_000,), (12_000, 60_000)], ids=["no plan", "ends", "goes on"])
def test_sequences_of_refunds_and_disputes_keep_every_figure(
    database: Database, keys: Keys, borrower_id: int, plan: tuple[int, ...]
) -> None:
    """A hundred seeded lives for each kind of plan, each told in a shuffled order with copies: what is
    standing is what the same life in its own order leaves, and every balance follows from its lines."""
    if plan:
        planned(database, borrower_id, plan)
    attempt = begin(database, borrower_id)
    chance = random.Random(f"{plan}")

    def one_life(session: Session, told: Sequence[ProviderEventSeen]) -> Standing:
        savepoint = session.begin_nested()
        for event in told:
            receipts.receive(session, event=event, books=books(keys))
            net = standing(session, attempt.payment_id).net
            assert 0 <= net <= attempt.amount.minor
        end = standing(session, attempt.payment_id)
        assert self_check(session.connection()) == []
        savepoint.rollback()
        session.expire_all()
        return end

    with Session(database.writer) as session:
        for _ in range(100):
            told = a_life(attempt, chance)
            shuffled = [event for event in told for _ in range(chance.randint(1, 3))]
            chance.shuffle(shuffled)
            assert one_life(session, shuffled) == one_life(session, told), [event.kind for event in shuffled]
        session.rollback()


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
