"""Every figure is the sum of what it is made of, down to the lines, on any day."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts import figures
from portal.accounts.balance import COMPONENTS, Line, LoanTerms, balance_of
from portal.accounts.balance import moves as moved_by
from portal.accounts.corrections import post_refund
from portal.accounts.figures import FIGURES, DoesNotComeOut, loan_figure, value_of, whole_figure
from portal.accounts.operations import post_payment
from portal.accounts.queries import balances_for, lines_for
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.interest.as_of import ahead_for, balances_as_of
from portal.keys import Keys
from portal.money import Money
from tests.accounts.loans import interest_terms, lines_of
from tests.conftest import BANK_MORNING
from tests.intake.conftest import HARBOUR
from tests.people import lin, zhao

TODAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Sums:
    owed: Money
    paid: Money
    forgiven: Money

    @property
    def left(self) -> Money:
        return self.owed - self.paid - self.forgiven


@dataclass(frozen=True)
class Posted:
    posted_on: date
    line_ref: str
    kind: str
    moves: str
    amounts: dict[str, Money]
    reverses_ref: str | None = None


@dataclass(frozen=True)
class Loan:
    terms: LoanTerms
    as_of: date
    components: dict[str, Sums]
    principal_due: Money
    due_now: Money
    overpaid: Money
    loan_ref: str = "L1"
    currency: str = "CNY"
    owed: Money = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owed", self._sum("owed"))

    def _sum(self, what: str) -> Money:
        return Money.sum((getattr(part, what) for part in self.components.values()), "CNY")

    @property
    def paid(self) -> Money:
        return self._sum("paid")

    @property
    def forgiven(self) -> Money:
        return self._sum("forgiven")

    @property
    def left(self) -> Money:
        return self._sum("left")

    @property
    def not_yet_due(self) -> Money:
        return self.left - self.due_now


def yuan(minor: int) -> Money:
    return Money(minor, "CNY")


def _loan(terms: LoanTerms, lines: list[Line], as_of: date) -> Loan:
    found = balance_of(terms, lines, as_of=as_of)
    sums = {
        name: Sums(yuan(part.owed), yuan(part.paid), yuan(part.forgiven))
        for name, part in found.components.items()
    }
    return Loan(terms, as_of, sums, yuan(found.principal_due), yuan(found.due_now), yuan(found.suspense))


def _posted(number: int, line: Line) -> Posted:
    amounts = {name: yuan(line.amounts.get(name, 0)) for name in COMPONENTS}
    amounts["suspense"] = yuan(line.suspense_minor)
    return Posted(line.posted_on, f"T{number}", line.kind, moved_by(line.effect), amounts)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Loan, list[Posted]]:
    terms = draw(interest_terms())
    lines = draw(lines_of(terms))
    lines.append(Line(terms.opened_on, "payment", {"interest": -5}, suspense_minor=-draw(st.integers(0, 9))))
    lines.append(Line(terms.opened_on, "interest", {"interest": draw(st.integers(5, 99))}))
    on = terms.opened_on + timedelta(days=draw(st.integers(0, 900)))
    return _loan(terms.contract, lines, on), [_posted(number, line) for number, line in enumerate(lines)]


@given(cases())
def test_every_figure_of_any_loan_on_any_day_comes_out_down_to_the_lines(
    case: tuple[Loan, list[Posted]],
) -> None:
    loan, lines = case
    for figure in FIGURES:
        found = loan_figure(loan, lines, figure)
        assert found is not None
        assert found.total == value_of(loan, figure)
        for one in found.summands:
            if one.figure and one.figure != "principal.ahead":
                assert abs(one.amount.minor) == abs(value_of(loan, one.figure).minor)
        together = whole_figure([loan, replace(loan, loan_ref="L2")], figure, "CNY")
        assert together is not None
        assert together.total == found.total + found.total


def test_a_figure_whose_lines_are_missing_is_not_explained(database: Database, keys: Keys) -> None:
    borrower = database.write(lambda session: lin(session, keys))
    with database.read() as connection:
        loan = balances_for(connection, borrower).loan("L-LIN-1")
        lines = lines_for(connection, borrower, "L-LIN-1")
    assert loan is not None

    assert loan_figure(loan, lines, "interest.owed") is not None
    assert loan_figure(loan, lines, "nonsense") is None
    assert whole_figure([loan], "nonsense", "CNY") is None
    with pytest.raises(DoesNotComeOut):
        loan_figure(loan, lines[1:], "principal.owed")


def test_a_day_has_exactly_the_lines_up_to_it(database: Database, keys: Keys) -> None:
    borrower = database.write(lambda session: lin(session, keys))
    with database.read() as connection:
        before = balances_as_of(connection, borrower, on=date(2026, 10, 14))
        after = balances_as_of(connection, borrower, on=date(2026, 10, 15))
        never = balances_as_of(connection, borrower, on=date(2025, 5, 9))

    loan, later = before.loan("L-LIN-1"), after.loan("L-LIN-1")
    assert loan is not None
    assert later is not None
    assert (loan.left, loan.due_now, loan.line_count) == (yuan(1_200_000), yuan(1_200_000), 1)
    assert (later.left, later.due_now, later.line_count) == (yuan(1_212_000), yuan(1_212_000), 3)
    assert loan.days_overdue == (date(2026, 10, 14) - date(2025, 6, 15)).days
    assert never.loans == ()


def test_today_is_the_stored_balance_whatever_was_posted_here(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> int:
        borrower = lin(session, keys)
        loan_id = balances_for(session.connection(), borrower).loan("L-LIN-1").loan_id  # type: ignore[union-attr]
        said: dict[str, Any] = {"posted_on": TODAY, "memo": "", "now": BANK_MORNING}
        paid = post_payment(
            session,
            loan_id=loan_id,
            parts={"interest": 9_000},
            suspense_minor=70,
            payment_id=None,
            line_ref="P1",
            **said,
        )
        post_refund(
            session, line_id=paid.line_id, parts={"interest": 500}, suspense_minor=0, line_ref="X1", **said
        )
        return borrower

    borrower = database.write(unit)

    with database.read() as connection:
        known, made = balances_for(connection, borrower), balances_as_of(connection, borrower, on=TODAY)
    stored = known.loan("L-LIN-1")
    assert stored is not None
    assert made.loan("L-LIN-1") == stored
    assert stored.overpaid == yuan(70)


def test_a_day_to_come_has_the_instalments_by_then_and_interest_only_as_an_estimate(
    database: Database, keys: Keys
) -> None:
    def unit(session: Session) -> int:
        from sqlalchemy import update

        from portal.accounts.models import Loan as LoanRow
        from portal.accounts.operations import rebalance

        borrower = zhao(session, keys)
        session.execute(update(LoanRow).values(matures_on=date(2027, 5, 15)))
        ids = list(session.scalars(select(LoanRow.id)))
        rebalance(session, loan_ids=ids, as_of=TODAY, now=BANK_MORNING)
        return borrower

    borrower = database.write(unit)
    on = date(2027, 1, 20)

    with database.read() as connection:
        now, then = balances_for(connection, borrower), balances_as_of(connection, borrower, on=on)
        (coming,) = ahead_for(connection, borrower, on=on).values()
        nothing = ahead_for(connection, borrower, on=TODAY)
    today, day = now.loans[0], then.loans[0]
    assert [part.due_on.isoformat() for part in coming.instalments] == ["2026-12-15", "2027-01-15"]
    assert day.due_now == today.due_now + coming.falls_due
    assert day.left == today.left
    assert coming.estimated == Money.sum(coming.estimate.values(), "CNY") > yuan(0)
    assert nothing == {}


@pytest.mark.slow
def test_on_the_business_date_it_is_the_banks_balance_of_every_loan(
    sqlite_database: Database, keys: Keys
) -> None:
    answer = apply_batch(sqlite_database, directory=HARBOUR, mapping="harbour", keys=keys, now=BANK_MORNING)
    assert isinstance(answer, Applied)
    with (HARBOUR / "balances.csv").open(encoding="gb18030", newline="") as stream:
        stated = {row["借据号"]: row for row in csv.DictReader(stream)}
    seen = 0

    with sqlite_database.read() as connection:
        for borrower in connection.scalars(select(Borrower.id)).all():
            for loan in balances_as_of(connection, borrower, on=TODAY).loans:
                row, seen = stated[loan.loan_ref], seen + 1
                for zh, name in (("本金", "principal"), ("利息", "interest"), ("罚息", "penalty_interest")):
                    part = loan.components[name]
                    found = [part.owed.plain(), part.paid.plain(), part.left.plain()]
                    assert found == [row[f"{what}{zh}"] for what in ("应还", "已还", "剩余")]
                charges = [loan.components[name] for name in ("fee", "cost")]
                assert Money.sum((one.owed for one in charges), "CNY").plain() == row["应还费用"]
                assert Money.sum((one.paid for one in charges), "CNY").plain() == row["已还费用"]
                assert loan.principal_due.plain() == row["到期未还本金"]
                assert loan.due_now.plain() == row["到期未还合计"]
                if seen % 9 == 0:  # every ninth loan, each of its figures down to the lines
                    lines = lines_for(connection, borrower, loan.loan_ref)
                    assert all(loan_figure(loan, lines, figure) for figure in figures.FIGURES)
    assert seen == len(stated) == 274
