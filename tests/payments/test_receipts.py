"""What the provider says, on both databases: any order, any number of times, one effect."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.audit import AuditEntry
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.payments import operations, queries, receipts
from portal.payments.models import Payment, ProviderEvent, UnplacedMoney
from portal.payments.receipts import Outcome
from portal.plans.models import Negotiation, Plan, PlanInstalment, PlanLoan, PlanReceipt, Proposal
from tests.payments.telling import NOW, Truth, begin, books, lin, said, tell, truth

pytestmark = pytest.mark.slow


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return lin(database, keys)


def test_money_is_credited_placed_and_told_of_once(database: Database, keys: Keys, borrower_id: int) -> None:
    attempt = begin(database, borrower_id)

    first = tell(database, keys, said(attempt, Report.PAID))
    second = tell(database, keys, said(attempt, Report.PAID))

    assert (first, second) == (Outcome.CREDITED, Outcome.CREDITED)
    assert truth(database, attempt.reference) == Truth("posted", 1, 30_000, 0, 1, [])


def test_the_placement_is_stored_with_its_rule_and_steps(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)

    tell(database, keys, said(attempt, Report.PAID))

    with database.read() as connection:
        stored = connection.scalar(select(Payment.allocation).where(Payment.reference == attempt.reference))
        columns = select(LoanBalance.due_now_minor, LoanBalance.principal_due_minor)
        left = connection.execute(columns.order_by(LoanBalance.loan_id)).first()
    assert stored is not None
    (loan,) = stored["loans"]
    assert "561" in loan["source"]
    assert [(s["component"], s["amount_minor"], s["left_minor"]) for s in loan["steps"]] == [
        ("penalty_interest", 2_000, 0),
        ("interest", 10_000, 0),
        ("principal", 18_000, 1_182_000),
    ]
    assert left is not None
    assert tuple(left) == (1_182_000, 1_182_000)


def test_an_old_card_pays_principal_first(database: Database, keys: Keys, borrower_id: int) -> None:
    attempt = begin(database, borrower_id, loan_ref="C-LIN-1")

    tell(database, keys, said(attempt, Report.PAID))

    with database.read() as connection:
        stored = connection.scalar(select(Payment.allocation))
    assert stored is not None
    assert [step["component"] for step in stored["loans"][0]["steps"]] == ["principal"]


def plan_over(session: Session, borrower_id: int, loan_ids: Sequence[int], instalments: Sequence[int]) -> int:
    """A plan in force over the loans, with these instalments, a month apart."""
    case = Negotiation(
        created_at=NOW,
        reference="K-1",
        borrower_id=borrower_id,
        answer_due_on=date(2026, 11, 27),
        closed_at=NOW,
    )
    session.add(case)
    session.flush()
    proposal = Proposal(
        created_at=NOW,
        reference="K-1-1",
        negotiation_id=case.id,
        borrower_id=borrower_id,
        round=1,
        made_by="borrower",
        terms_text="{}",
        terms_hash="0" * 64,
        affordability={},
        state="accepted",
        form_key="proposal",
    )
    session.add(proposal)
    session.flush()
    plan = Plan(
        created_at=NOW,
        reference="PL-1",
        borrower_id=borrower_id,
        proposal_id=proposal.id,
        terms_hash="0" * 64,
        currency="CNY",
        state="active",
    )
    session.add(plan)
    session.flush()
    session.add_all(PlanLoan(plan_id=plan.id, loan_id=loan_id, covered_minor=1) for loan_id in loan_ids)
    session.add_all(
        PlanInstalment(plan_id=plan.id, number=number, due_on=date(2026, 11 + number, 15), amount_minor=minor)
        for number, minor in enumerate(instalments)
    )
    session.flush()
    return plan.id


def planned(database: Database, borrower_id: int, instalments: Sequence[int]) -> int:
    def unit(session: Session) -> int:
        loans = session.scalars(select(Loan.id).where(Loan.borrower_id == borrower_id)).all()
        return plan_over(session, borrower_id, loans, instalments)

    return database.write(unit)


def receipts_of(database: Database) -> list[tuple[int, int]]:
    with database.read() as connection:
        rows = connection.execute(
            select(PlanReceipt.number, PlanReceipt.amount_minor).order_by(PlanReceipt.number)
        )
        return [(number, minor) for number, minor in rows]


def test_a_payment_for_the_plan_fills_its_instalments_and_its_loans(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    planned(database, borrower_id, [50_000, 40_000])
    attempt = begin(database, borrower_id, 70_000, loan_ref=None)

    tell(database, keys, said(attempt, Report.PAID))

    assert truth(database, attempt.reference) == Truth("posted", 1, 70_000, 0, 1, [])
    assert receipts_of(database) == [(0, 50_000), (1, 20_000)]
    with database.read() as connection:
        due = queries.next_instalment_for(connection, borrower_id)
    assert due is not None
    assert (due.number, due.amount.minor, due.plan_left.minor) == (1, 20_000, 20_000)


def test_a_plan_payment_larger_than_the_dearest_loan_reaches_the_next(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    planned(database, borrower_id, [1_827_000])
    attempt = begin(database, borrower_id, 1_827_000, loan_ref=None)

    tell(database, keys, said(attempt, Report.PAID))

    assert truth(database, attempt.reference) == Truth("posted", 2, 1_827_000, 0, 1, [])
    with database.read() as connection:
        assert connection.scalar(select(Plan.state)) == "completed"
        view = queries.payment_for(connection, borrower_id, attempt.reference)
    assert view is not None
    assert sum(one.amount.minor for one in view.placed) == 1_827_000
    assert view.plan_reference == "PL-1"


def test_a_payment_to_a_loan_under_a_plan_counts_for_the_plan_too(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    planned(database, borrower_id, [50_000])
    attempt = begin(database, borrower_id, 30_000)

    tell(database, keys, said(attempt, Report.PAID))

    assert receipts_of(database) == [(0, 30_000)]


def test_more_than_the_plan_has_left_is_refused_for_the_plan(database: Database, borrower_id: int) -> None:
    planned(database, borrower_id, [50_000])

    with pytest.raises(operations.UnableToPay, match="above_left"):
        begin(database, borrower_id, 50_001, loan_ref=None)


SIX = [
    ("e1", "checkout.session.completed", Report.PROCESSING),
    ("e2", "payment_intent.processing", Report.PROCESSING),
    ("e3", "payment_intent.payment_failed", Report.DECLINED),
    ("e4", "payment_intent.succeeded", Report.PAID),
    ("e5", "checkout.session.async_payment_succeeded", Report.PAID),
    ("e6", "checkout.session.expired", Report.EXPIRED),
]


@pytest.mark.slow
def test_all_orders_of_six_events_end_alike(sqlite_database: Database, keys: Keys) -> None:
    """720 orders, one final state. Orders that begin alike share their beginning: each event is told in a
    savepoint, and taken back once every order that goes on from it has ended."""
    borrower_id = lin(sqlite_database, keys)
    attempt = begin(sqlite_database, borrower_id)
    ends = []

    def tell_all(session: Session, still: frozenset[tuple[str, str, Report]]) -> None:
        if not still:
            state = session.scalar(select(Payment.state))
            lines = session.scalars(
                select(LedgerLine.principal_minor).where(LedgerLine.payment_id == attempt.payment_id)
            ).all()
            aside = session.scalar(select(func.count()).select_from(UnplacedMoney))
            ends.append((state, tuple(lines), aside))
        for one in still:
            event_id, kind, report = one
            savepoint = session.begin_nested()
            receipts.receive(
                session, event=said(attempt, report, event_id=event_id, kind=kind), books=books(keys)
            )
            tell_all(session, still - {one})
            savepoint.rollback()

    with Session(sqlite_database.writer) as session:
        tell_all(session, frozenset(SIX))

    assert len(ends) == 720
    assert set(ends) == {("posted", (-18_000,), 0)}


def test_random_orders_with_copies_end_alike(database: Database, keys: Keys, borrower_id: int) -> None:
    attempt = begin(database, borrower_id)
    shuffler = random.Random(20261120)
    pile = [event for event in SIX for _ in range(shuffler.randint(1, 5))]
    shuffler.shuffle(pile)

    for event_id, kind, report in pile:
        tell(database, keys, said(attempt, report, event_id=event_id, kind=kind))

    assert truth(database, attempt.reference) == Truth("posted", 1, 30_000, 0, 1, [])


def test_fifty_parallel_deliveries_of_one_event_have_one_effect(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)
    event = said(attempt, Report.PAID)
    outcomes: list[Outcome] = []
    _at_once(50, lambda number: outcomes.append(tell(database, keys, event)))

    assert outcomes == [Outcome.CREDITED] * 50
    assert truth(database, attempt.reference) == Truth("posted", 1, 30_000, 0, 1, [])


def test_two_events_of_one_payment_at_once_credit_it_once(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)
    outcomes: list[Outcome] = []

    def deliver(number: int) -> None:
        kind = ("payment_intent.succeeded", "checkout.session.completed")[number % 2]
        event = said(attempt, Report.PAID, event_id=f"evt_{number % 2}", kind=kind)
        outcomes.append(tell(database, keys, event))

    _at_once(20, deliver)

    assert set(outcomes) == {Outcome.CREDITED, Outcome.NOTED}
    assert truth(database, attempt.reference) == Truth("posted", 1, 30_000, 0, 1, [])


def _at_once(count: int, work: Any) -> None:
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_minor": 29_999}, "amount_differs"),
        ({"amount_minor": 30_001}, "amount_differs"),
        ({"amount_minor": None}, "amount_differs"),
        ({"currency": "USD"}, "currency_differs"),
        ({"currency": "QQQ"}, "currency_differs"),
    ],
)
def test_money_that_differs_never_reaches_the_loan(
    database: Database, keys: Keys, borrower_id: int, changes: dict[str, Any], reason: str
) -> None:
    attempt = begin(database, borrower_id)

    outcome = tell(database, keys, said(attempt, Report.PAID, **changes))

    assert outcome is Outcome.SUSPENSE
    assert truth(database, attempt.reference) == Truth("succeeded", 0, 0, 1, 0, [])
    with database.read() as connection:
        assert connection.scalar(select(UnplacedMoney.reason)) == reason
        alarms = connection.scalars(select(AuditEntry.facts).where(AuditEntry.event == "payment.alarm")).all()
    assert [alarm["reason"] for alarm in alarms] == [reason]


@pytest.mark.slow
def test_two_hundred_mismatches_credit_nothing_and_keep_all(sqlite_database: Database, keys: Keys) -> None:
    borrower_id = lin(sqlite_database, keys)
    for number in range(1, 201):
        attempt = begin(
            sqlite_database, borrower_id, number, form_key=f"f{number}", session_id=f"cs_{number}"
        )
        wrong = said(
            attempt, Report.PAID, event_id=f"e{number}", intent_id=f"pi_{number}", amount_minor=number + 1
        )
        assert tell(sqlite_database, keys, wrong) is Outcome.SUSPENSE

    with sqlite_database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(UnplacedMoney)) == 200
        paid = select(func.count()).where(LedgerLine.payment_id.is_not(None))
        assert connection.scalar(paid) == 0


def test_two_events_of_the_same_wrong_money_are_kept_apart_once(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)

    tell(database, keys, said(attempt, Report.PAID, amount_minor=1))
    second = said(attempt, Report.PAID, event_id="evt_2", kind="checkout.session.completed", amount_minor=1)

    assert tell(database, keys, second) is Outcome.NOTED
    assert truth(database, attempt.reference).aside == 1


def test_a_second_payment_for_one_attempt_is_kept_apart(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID))

    outcome = tell(database, keys, said(attempt, Report.PAID, event_id="evt_2", intent_id="pi_2"))

    assert outcome is Outcome.SUSPENSE
    assert truth(database, attempt.reference) == Truth("posted", 1, 30_000, 1, 1, [])


def test_an_event_before_its_row_waits_and_is_applied_by_the_sweep(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)
    early = said(attempt, Report.PAID, event_id="evt_early")
    unknown = replace(early, payment=replace(early.payment, reference="P-0000-00000"))

    assert tell(database, keys, unknown) is Outcome.WAITING
    assert database.write(lambda session: receipts.apply_waiting(session, books=books(keys))) == 0

    def row_turns_up(session: Session) -> None:
        row = session.get_one(Payment, attempt.payment_id)
        row.reference = "P-0000-00000"

    database.write(row_turns_up)
    assert database.write(lambda session: receipts.apply_waiting(session, books=books(keys))) == 1
    assert truth(database, "P-0000-00000") == Truth("posted", 1, 30_000, 0, 1, [])


def test_money_whose_payment_never_turns_up_is_set_aside_with_an_alarm(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)
    event = said(attempt, Report.PAID)
    tell(database, keys, replace(event, payment=replace(event.payment, reference="P-0000-00000")))

    late = NOW + timedelta(seconds=1)
    database.write(lambda session: receipts.set_aside_unknown(session, before=late, books=books(keys)))

    with database.read() as connection:
        assert connection.scalar(select(UnplacedMoney.reason)) == "unknown_payment"
        assert connection.scalar(select(ProviderEvent.outcome)) == Outcome.SUSPENSE


def test_an_event_without_our_reference_is_only_kept(
    database: Database, keys: Keys, borrower_id: int
) -> None:
    attempt = begin(database, borrower_id)

    outcome = tell(database, keys, said(attempt, Report.PAID, reference=""))

    assert outcome is Outcome.NOTED
    assert truth(database, attempt.reference).credited == 0


def test_a_late_word_never_lowers_a_payment(database: Database, keys: Keys, borrower_id: int) -> None:
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID))

    words: Sequence[Report] = (Report.PROCESSING, Report.FAILED, Report.EXPIRED, Report.DECLINED)
    for number, word in enumerate(words):
        tell(database, keys, said(attempt, word, event_id=f"late_{number}"))

    assert truth(database, attempt.reference).state == "posted"


def test_more_than_is_left_by_now_goes_to_suspense(database: Database, keys: Keys, borrower_id: int) -> None:
    first = begin(database, borrower_id, 1_212_000, form_key="a", session_id="cs_a")
    second = begin(database, borrower_id, 1_000, form_key="b", session_id="cs_b")

    tell(database, keys, said(first, Report.PAID, event_id="a", intent_id="pi_a"))
    tell(database, keys, said(second, Report.PAID, event_id="b", intent_id="pi_b"))

    with database.read() as connection:
        columns = select(LoanBalance.due_now_minor, LoanBalance.suspense_minor)
        balance = connection.execute(columns.order_by(LoanBalance.loan_id)).first()
    assert balance is not None
    assert tuple(balance) == (0, 1_000)
    assert truth(database, second.reference).credited == 1_000
