"""Money without a place: placed, given back or kept - once, by two people above the limit, and never lost."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.access.models import Staff
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import post_payment, self_check
from portal.audit import AuditEntry
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.messages.models import Message
from portal.money import Money
from portal.payments.models import Payment, SuspenseMove, UnplacedMoney
from portal.transfers import suspense
from portal.transfers.suspense import Made, Person, UnableToMove, Wish
from portal.transfers.suspense_queries import suspense_count, suspense_of, suspense_rows
from tests import people
from tests.payments.telling import NOW, begin, books, dispute_said, lin, said, tell

LIMIT = Money(1_000_000, "CNY")


@pytest.fixture
def borrower_id(database: Database, keys: Keys) -> int:
    return lin(database, keys)


@pytest.fixture
def mei(database: Database, keys: Keys) -> Person:
    return Person(database.write(lambda session: people.mei(session, keys)), "B2107", "H-B2107")


@pytest.fixture
def guo(database: Database, keys: Keys) -> Person:
    return Person(database.write(lambda session: people.guo(session, keys)), "B3001", "H-B3001")


def misfit(database: Database, keys: Keys, borrower_id: int, minor: int = 29_999) -> int:
    """Lin was asked for 300.00 and another amount came; the id of the money kept apart."""
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID, amount_minor=minor))
    with database.read() as connection:
        return int(connection.scalar(select(UnplacedMoney.id)) or 0)


def overpay(database: Database, loan_ref: str = "L-LIN-1", minor: int = 5_000) -> int:
    """A transfer of more than was left; the loan's id."""

    def unit(session: Session) -> int:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == loan_ref)).one()
        post_payment(
            session,
            loan_id=loan_id,
            parts={"interest": 10_000},
            suspense_minor=minor,
            posted_on=people.BUSINESS_DATE,
            payment_id=None,
            line_ref="T-1",
            memo="",
            now=NOW,
        )
        return loan_id

    return database.write(unit)


def ask(database: Database, keys: Keys, person: Person, wish: Wish, limit: Money | None = LIMIT) -> Made:
    return database.write(
        lambda session: suspense.ask(session, wish=wish, person=person, limit=limit, books=books(keys))
    )


def confirm(database: Database, keys: Keys, made: Made, person: Person) -> Made:
    return database.write(
        lambda session: suspense.confirm(session, reference=made.reference, person=person, books=books(keys))
    )


def place(source_id: int, target: str = "L-LIN-1", *, source: str = "unplaced", **more: Any) -> Wish:
    return replace(Wish(source, source_id, "place", "按客户来电", "form-1", target=target), **more)


def test_money_of_another_amount_is_credited_in_the_order_of_the_law_with_its_steps_and_a_receipt(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)

    made = ask(database, keys, mei, place(source_id))

    with database.read() as connection:
        payment = connection.execute(select(Payment.__table__)).one()
        line = connection.execute(
            select(LedgerLine.__table__).where(LedgerLine.payment_id == payment.id)
        ).one()
        assert (payment.state, payment.amount_minor, payment.asked_minor) == ("posted", 29_999, 30_000)
        assert (line.interest_minor, line.penalty_interest_minor, line.principal_minor) == (
            -10_000,
            -2_000,
            -17_999,
        )
        assert [step["component"] for step in payment.allocation["loans"][0]["steps"]][-1] == "principal"
        assert connection.scalars(select(Message.dedupe_key)).all() == [f"receipt:payment:{payment.id}"]
        assert suspense_rows(connection, keys, zone="Asia/Shanghai") == ()
        detail = suspense_of(connection, keys, "unplaced", source_id, zone="Asia/Shanghai")
        assert self_check(connection) == []
    assert made.state == "done"
    assert detail is not None
    assert detail.row.moves[0].outcome == payment.allocation


def test_money_paid_twice_becomes_a_payment_of_its_own(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID))
    tell(database, keys, said(attempt, Report.PAID, event_id="evt_2", intent_id="pi_2"))
    with database.read() as connection:
        source_id = connection.scalar(select(UnplacedMoney.id)) or 0

    ask(database, keys, mei, place(source_id, "C-LIN-1"))

    with database.read() as connection:
        rows = connection.execute(
            select(Payment.state, Payment.amount_minor, Payment.provider_intent, Loan.loan_ref)
            .join(Loan, Loan.id == Payment.loan_id)
            .order_by(Payment.id)
        ).all()
        assert [tuple(row) for row in rows] == [
            ("posted", 30_000, "pi_1", "L-LIN-1"),
            ("posted", 30_000, "pi_2", "C-LIN-1"),
        ]
        assert self_check(connection) == []


def test_what_is_overpaid_is_listed_and_moves_to_another_loan_with_its_steps(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    loan_id = overpay(database)
    with database.read() as connection:
        (row,) = suspense_rows(connection, keys, zone="Asia/Shanghai")
    assert (row.source, row.loan_ref, row.reason, row.name) == ("loan", "L-LIN-1", "overpaid", "林晓")
    assert (row.amount, row.since) == (Money(5_000, "CNY"), people.BUSINESS_DATE)

    ask(database, keys, mei, place(loan_id, "C-LIN-1", source="loan", amount=Money(4_000, "CNY")))

    with database.read() as connection:
        left = dict(
            connection.execute(
                select(Loan.loan_ref, LoanBalance.suspense_minor).join(
                    LoanBalance, LoanBalance.loan_id == Loan.id
                )
            ).all()  # type: ignore[arg-type]
        )
        detail = suspense_of(connection, keys, "loan", loan_id, zone="Asia/Shanghai")
        assert self_check(connection) == []
    assert left == {"L-LIN-1": 1_000, "C-LIN-1": 0}
    assert detail is not None
    assert sum(step["amount_minor"] for step in detail.row.moves[0].outcome["loans"][0]["steps"]) == 4_000


def test_above_the_limit_a_second_person_agrees_and_never_the_first(
    database: Database, keys: Keys, borrower_id: int, mei: Person, guo: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)
    made = ask(database, keys, mei, place(source_id), limit=Money(29_998, "CNY"))
    assert made.state == "asked"

    with pytest.raises(UnableToMove, match="same_person"):
        confirm(database, keys, made, mei)
    with pytest.raises(UnableToMove, match="same_person"):
        confirm(database, keys, made, replace(guo, human_ref=mei.human_ref))
    assert confirm(database, keys, made, guo).state == "done"
    with pytest.raises(UnableToMove, match="state"):
        confirm(database, keys, made, guo)
    with database.read() as connection:
        events = connection.scalars(
            select(AuditEntry.event).where(AuditEntry.subject_ref == made.reference).order_by(AuditEntry.id)
        ).all()
    assert events == ["suspense.place", "suspense.confirmed"]


def test_an_account_is_no_second_person_to_itself_under_another_name(
    database: Database, keys: Keys, borrower_id: int, mei: Person, guo: Person
) -> None:
    made = ask(database, keys, mei, place(misfit(database, keys, borrower_id)), limit=Money(1, "CNY"))
    renamed = replace(mei, human_ref="H-SOMEBODY")
    database.write(
        lambda session: session.execute(
            update(Staff).where(Staff.id == mei.staff_id).values(human_ref=guo.human_ref)
        )
    )

    for person in (renamed, guo):
        with pytest.raises(UnableToMove, match="same_person"):
            confirm(database, keys, made, person)


def test_money_its_payers_bank_took_while_the_move_waited_is_not_moved(
    database: Database, keys: Keys, borrower_id: int, mei: Person, guo: Person
) -> None:
    attempt = begin(database, borrower_id)
    tell(database, keys, said(attempt, Report.PAID, amount_minor=29_999))
    with database.read() as connection:
        source_id = int(connection.scalar(select(UnplacedMoney.id)) or 0)
    made = ask(database, keys, mei, place(source_id), limit=Money(1, "CNY"))
    tell(database, keys, dispute_said(attempt, "lost", minor=29_999))

    with pytest.raises(UnableToMove, match="disputed"):
        confirm(database, keys, made, guo)
    with database.read() as connection:
        assert connection.scalars(select(LedgerLine.id).where(LedgerLine.payment_id.is_not(None))).all() == []


def test_a_second_person_who_does_not_agree_leaves_the_money_where_it_was(
    database: Database, keys: Keys, borrower_id: int, mei: Person, guo: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)
    made = ask(database, keys, mei, place(source_id), limit=Money(1, "CNY"))

    database.write(
        lambda session: suspense.refuse(session, reference=made.reference, person=guo, books=books(keys))
    )

    with database.read() as connection:
        assert suspense_count(connection) == 1
        assert connection.scalar(select(Payment.state)) == "succeeded"
    assert ask(database, keys, mei, place(source_id, form_key="form-2")).state == "done"


def test_the_same_form_again_is_the_first_answer(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)
    first = ask(database, keys, mei, place(source_id))

    again = ask(database, keys, mei, place(source_id))

    assert again == replace(first, repeated=True)


def test_kept_money_stays_listed_with_its_reason_and_can_still_be_placed(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)

    ask(database, keys, mei, place(source_id, kind="keep", note="客户下周来柜台"))

    with database.read() as connection:
        (row,) = suspense_rows(connection, keys, zone="Asia/Shanghai")
    assert row.kept is not None
    assert row.kept.note == "客户下周来柜台"
    assert ask(database, keys, mei, place(source_id, form_key="form-2")).state == "done"


def test_an_overpaid_transfer_is_paid_back_by_hand_once(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    loan_id = overpay(database)
    wish = Wish("loan", loan_id, "give_back", "已转回原账户", "form-1")

    made = ask(database, keys, mei, wish)

    assert made.state == "done"
    with pytest.raises(UnableToMove, match="gone"):
        ask(database, keys, mei, replace(wish, form_key="form-2"))
    with database.read() as connection:
        kinds = connection.scalars(
            select(LedgerLine.kind).where(LedgerLine.loan_id == loan_id).order_by(LedgerLine.id)
        ).all()
        assert kinds[-1] == "refund"
        assert self_check(connection) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "L-ZHAO-1"}, "target"),
        ({"target": "nowhere"}, "target"),
        ({"target": "plan"}, "target"),
        ({"note": " "}, "note"),
        ({"note": "卡号 4111-1111 1111 1111"}, "card_number"),
        ({"source_id": 99}, "gone"),
        ({"source": "elsewhere"}, "gone"),
        ({"kind": "lose"}, "state"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    database: Database, keys: Keys, borrower_id: int, mei: Person, change: dict[str, Any], reason: str
) -> None:
    database.write(lambda session: people.zhao(session, keys))
    source_id = misfit(database, keys, borrower_id)

    with pytest.raises(UnableToMove, match=reason):
        ask(database, keys, mei, replace(place(source_id), **change))

    with database.read() as connection:
        assert connection.scalar(select(SuspenseMove.id)) is None
        assert suspense_count(connection) == 1


def test_of_twenty_people_at_once_one_moves_the_money(
    database: Database, keys: Keys, borrower_id: int, mei: Person
) -> None:
    source_id = misfit(database, keys, borrower_id)
    barrier, answers = threading.Barrier(20), []

    def run(number: int) -> None:
        kind = ("place", "give_back")[number % 2]
        barrier.wait()
        try:
            answers.append(ask(database, keys, mei, place(source_id, kind=kind, form_key=f"f{number}")).state)
        except UnableToMove as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers.count("taken") == 19
    with database.read() as connection:
        assert len(connection.execute(select(SuspenseMove.id)).all()) == 1
        assert self_check(connection) == []
