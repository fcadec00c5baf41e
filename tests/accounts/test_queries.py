"""What pages read of loan accounts, on both databases."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from portal.accounts import queries
from portal.accounts.models import Loan
from portal.db import Database
from portal.keys import Keys
from portal.money import Money
from tests import people


def yuan(text: str) -> Money:
    return Money.from_file(text, "CNY")


def test_balances_keep_owed_paid_left_and_due_apart(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    with database.read() as connection:
        balance = queries.balances_for(connection, lin)
    loan = balance.loan("L-LIN-1")
    assert loan is not None
    assert (loan.owed, loan.paid, loan.left) == (yuan("12120.00"), yuan("0.00"), yuan("12120.00"))
    assert (loan.due_now, loan.not_yet_due) == (yuan("12120.00"), yuan("0.00"))
    assert loan.due_of("principal") == yuan("12000.00")
    assert loan.due_of("penalty_interest") == yuan("20.00")
    assert [name for name, _ in loan.shown] == ["principal", "interest", "penalty_interest"]


def test_totals_are_the_sum_of_the_loans_by_component(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    with database.read() as connection:
        balance = queries.balances_for(connection, lin)
    (total,) = balance.totals
    assert total.due_now == yuan("18270.00") == Money.sum((loan.due_now for loan in balance.loans), "CNY")
    assert total.components["interest"].left == yuan("200.00")
    assert total.product_classes == ("loan", "card")
    assert balance.anything_due


def test_sums_never_cross_currencies(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> int:
        lin = people.lin(session, keys)
        loan_id = people.loan(session, borrower_id=lin, loan_ref="D-LIN-1")
        loan = session.get(Loan, loan_id)
        assert loan is not None
        loan.currency = "USD"
        return lin

    lin = database.write(unit)
    with database.read() as connection:
        balance = queries.balances_for(connection, lin)
    assert {total.currency: total.left.plain() for total in balance.totals} == {
        "CNY": "18270.00",
        "USD": "12120.00",
    }


def test_somebody_elses_loan_is_nothing(database: Database, keys: Keys) -> None:
    lin, _ = database.write(lambda session: (people.lin(session, keys), people.zhao(session, keys)))
    with database.read() as connection:
        assert queries.balances_for(connection, lin).loan("L-ZHAO-1") is None
        assert queries.lines_for(connection, lin, "L-ZHAO-1") == ()


def test_lines_of_a_component_sum_to_what_is_left_of_it(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    with database.read() as connection:
        loan = queries.balances_for(connection, lin).loan("C-LIN-1")
        assert loan is not None
        for name, part in loan.components.items():
            lines = queries.lines_for(connection, lin, "C-LIN-1", component=name)
            assert Money.sum((line.amounts[name] for line in lines), "CNY") == part.left


def test_lines_come_in_order_and_by_page(database: Database, keys: Keys) -> None:
    lin = database.write(lambda session: people.lin(session, keys))
    with database.read() as connection:
        lines = queries.lines_for(connection, lin, "L-LIN-1")
        newest = queries.lines_for(connection, lin, "L-LIN-1", newest_first=True, limit=1, offset=1)
        later = queries.lines_for(connection, lin, "L-LIN-1", after=date(2025, 5, 10))
    assert [line.kind for line in lines] == ["disbursement", "interest", "penalty_interest"]
    assert [line.kind for line in newest] == ["interest"]
    assert [line.kind for line in later] == ["interest", "penalty_interest"]


def test_lines_of_named_loans_since_a_day(database: Database, keys: Keys) -> None:
    lin, zhao = database.write(lambda session: (people.lin(session, keys), people.zhao(session, keys)))
    with database.read() as connection:
        ours = [loan.loan_id for loan in queries.balances_for(connection, lin).loans]
        theirs = [loan.loan_id for loan in queries.balances_for(connection, zhao).loans]
        lines = queries.lines_since_for(connection, lin, loan_ids=ours + theirs, after=date(2026, 1, 1))
    assert {line.loan_id for line in lines} == set(ours)
    assert len(lines) == 4


def test_ordinary_instalments_count_loans_that_still_run(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> int:
        lin = people.lin(session, keys)
        loan = session.get(Loan, people.loan(session, borrower_id=lin, loan_ref="R-LIN-1"))
        assert loan is not None
        loan.matures_on = date(2027, 5, 15)
        return lin

    lin = database.write(unit)
    with database.read() as connection:
        ordinary = queries.ordinary_instalments_for(connection, lin, today=date(2026, 11, 20))
        none = queries.ordinary_instalments_for(connection, lin, today=date(2027, 5, 15))
    assert ordinary == yuan("1000.00")
    assert none == yuan("0.00")
