"""What pays a loan off on a day: the engine's interest to it, and what the ledger would then hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from portal.accounts.balance import Line, balance_of
from portal.accounts.models import Loan, LoanRate
from portal.accounts.operations import post_payment
from portal.accounts.queries import balances_for
from portal.db import Database
from portal.interest.accrual import Stop, core_ledgers, ledger_for
from portal.interest.engine import BEARING, Compounding, InterestTerms, RateChange, accrued
from portal.interest.payoff import Payoff, payoff
from portal.interest.settlement import Settlement, settlement_for
from portal.keys import Keys
from portal.money import Money, Rounding, divide
from tests.accounts.loans import interest_terms, lines_of
from tests.people import lin, zhao

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
FEES = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.025")])


@st.composite
def cases(draw: st.DrawFn) -> tuple[InterestTerms, list[Line], date, date, Decimal]:
    """A loan with a ledger, the day of its last posting, and a day within the month after it or two."""
    terms = draw(interest_terms())
    lines = draw(lines_of(terms))
    since = terms.opened_on + timedelta(days=draw(st.integers(0, 500)))
    return terms, lines, since, since + timedelta(days=draw(st.integers(0, 61))), draw(FEES)


@given(cases())
def test_it_is_what_the_ledger_would_hold_if_the_bank_posted_on_that_day(
    case: tuple[InterestTerms, list[Line], date, date, Decimal],
) -> None:
    terms, lines, since, on, fee_rate = case
    found = payoff(terms, lines, since=since, on=on, fee_rate=fee_rate)

    posted = [
        Line(one.until, name, {name: one[name].minor})
        for one in found.accruals
        for name in BEARING
        if one[name].minor
    ]
    held = balance_of(terms.contract, [*lines, *posted], as_of=on)
    assert found.total == held.left + found.fee
    assert found.to_pay == max(0, found.total - held.suspense)
    assert {name: found.left[name] + found.accrued.get(name, 0) for name in found.left} == {
        name: sums.left for name, sums in held.components.items()
    }


@given(cases())
def test_a_day_later_it_is_dearer_by_the_engines_interest_of_the_day(
    case: tuple[InterestTerms, list[Line], date, date, Decimal],
) -> None:
    terms, lines, since, on, _ = case
    lines = [line for line in lines if line.posted_on <= on]
    today = payoff(terms, lines, since=since, on=on)
    tomorrow = payoff(terms, lines, since=since, on=on + timedelta(days=1))

    simple = terms.compounding is Compounding.SIMPLE
    if simple:
        engine = accrued(terms, lines, since=on, until=on + timedelta(days=1))
        assert today.per_day == sum((engine[name].exact for name in BEARING), Fraction(0))
    if len(tomorrow.accruals) == len(today.accruals):
        assert _exact(tomorrow) - _exact(today) == today.per_day
        change = sum(tomorrow.accrued.values()) - sum(today.accrued.values())
        assert abs(change - today.per_day) < 2 * terms.unit_minor  # each of two components is rounded once


def _exact(found: Payoff) -> Fraction:
    return sum((one[name].exact for one in found.accruals for name in BEARING), Fraction(0))


def _settled(database: Database, borrower: int, on: date, **more: object) -> Settlement:
    with database.read() as connection:
        found = settlement_for(connection, borrower, "L-LIN-1", on=on, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_left_and_the_days_since_the_last_posting(database: Database, keys: Keys) -> None:
    """12,000.00 overdue at 18 % since 15 October, posted on the 15th of each month: 31 days to the 15th of
    November, 15 from there to the 30th."""
    borrower = database.write(lambda session: lin(session, keys))

    found = _settled(database, borrower, date(2026, 11, 30))

    assert found.is_estimate
    assert [(one.since.isoformat(), one.until.isoformat()) for one in found.periods] == [
        ("2026-10-15", "2026-11-15"),
        ("2026-11-15", "2026-11-30"),
    ]
    assert found.accrued == Money(18_600 + 9_000, "CNY")
    assert found.per_day == Money(600, "CNY")
    assert found.total == Money(1_212_000 + 27_600, "CNY") == found.to_pay
    assert Money.sum((part.amount for part in found.parts), "CNY") + found.fee == found.total
    assert _settled(database, borrower, date(2026, 12, 1)).total - found.total == found.per_day


def test_a_plan_stops_it_and_a_fee_is_for_what_is_not_yet_due(database: Database, keys: Keys) -> None:
    def unit(session: Session) -> int:
        borrower = lin(session, keys)
        session.execute(update(Loan).where(Loan.loan_ref == "L-LIN-1").values(matures_on=date(2027, 5, 15)))
        return borrower

    borrower = database.write(unit)

    stopped = _settled(database, borrower, date(2026, 11, 30), stop=Stop(date(2026, 11, 20), interest=True))
    dear = _settled(database, borrower, date(2026, 11, 30), fee_rate=Decimal("0.01"))

    assert stopped.per_day == Money(0, "CNY")
    # 6 of 12 instalments have fallen due; 1 % of the other 6,000.00
    assert dear.fee == Money(6_000, "CNY")
    assert dear.total == _settled(database, borrower, date(2026, 11, 30)).total + dear.fee


def test_money_that_waits_on_the_loan_counts(database: Database, keys: Keys) -> None:
    borrower = database.write(lambda session: lin(session, keys))
    before = _settled(database, borrower, TODAY)
    database.write(
        lambda session: post_payment(
            session,
            loan_id=before.loan_id,
            parts={},
            suspense_minor=5_000,
            posted_on=TODAY,
            payment_id=None,
            line_ref="P1",
            memo="",
            now=NOW,
        )
    )

    after = _settled(database, borrower, TODAY)

    assert (after.total, after.overpaid) == (before.total, Money(5_000, "CNY"))
    assert after.to_pay == before.to_pay - Money(5_000, "CNY")


def test_nothing_of_others_and_nothing_before_the_books_end(database: Database, keys: Keys) -> None:
    def people(session: Session) -> tuple[int, int]:
        return lin(session, keys), zhao(session, keys)

    _, stranger = database.write(people)

    with database.read() as connection:
        assert settlement_for(connection, stranger, "L-LIN-1", on=TODAY) is None
        assert settlement_for(connection, stranger, "L-ZHAO-1", on=TODAY - timedelta(days=1)) is None


@pytest.fixture
def knobbed(database: Database, keys: Keys) -> int:
    """Lin, whose loan is rounded down to whole units, compounds, and became dearer on 1 November."""

    def unit(session: Session) -> int:
        borrower = lin(session, keys)
        session.execute(
            update(Loan)
            .where(Loan.loan_ref == "L-LIN-1")
            .values(rounding="floor", unit_minor=100, compounding="compound")
        )
        with_ref = session.query(Loan).filter_by(loan_ref="L-LIN-1").one()
        for from_on, rate, penalty in (
            (date(2026, 11, 1), Decimal("0.24"), None),
            (date(2026, 12, 1), Decimal("0.30"), Decimal("0.31")),
        ):
            values = {
                "loan_id": with_ref.id,
                "from_on": from_on,
                "annual_rate": rate,
                "penalty_rate": penalty,
            }
            session.execute(insert(LoanRate).values(created_at=NOW, **values))
        return borrower

    return database.write(unit)


def test_a_loans_own_knobs_and_rates_are_used_everywhere(database: Database, knobbed: int) -> None:
    with database.read() as connection:
        ledger = ledger_for(connection, knobbed, "L-LIN-1")
        (same,) = core_ledgers(connection, loan_ref="L-LIN-1")
        view = balances_for(connection, knobbed).loan("L-LIN-1")
    assert ledger is not None
    assert view is not None

    assert (ledger.terms.rounding, ledger.terms.unit_minor, ledger.terms.compounding) == (
        Rounding.FLOOR,
        100,
        Compounding.COMPOUND,
    )
    assert ledger.terms.rate_changes == (
        RateChange(date(2026, 11, 1), Decimal("0.24")),
        RateChange(date(2026, 12, 1), Decimal("0.30"), Decimal("0.31")),
    )
    assert same.terms == ledger.terms
    assert (view.annual_rate, view.rate_now, view.penalty_rate_now) == (
        Decimal("0.12"),
        Decimal("0.24"),
        Decimal("0.360"),
    )


def test_a_change_of_rate_within_a_period_splits_its_balance_days(database: Database, knobbed: int) -> None:
    """12,120.00 (it compounds) for 17 days at 18 % and 14 at 36 %, rounded down to whole units."""
    found = _settled(database, knobbed, TODAY)

    lines = found.periods[0].lines
    assert [(one.rate, one.balance_days.minor // 1_212_000) for one in lines] == [
        (Decimal("0.180"), 17),
        (Decimal("0.360"), 14),
    ]
    exact = Fraction(1_212_000 * 17 * 18, 36_000) + Fraction(1_212_000 * 14 * 36, 36_000)
    assert (
        sum(one.amount.minor for one in lines)
        == divide(exact.numerator, exact.denominator * 100, Rounding.FLOOR) * 100
    )
