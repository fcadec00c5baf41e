"""Statements: opening + charged - paid - waived = closing for any ledger, any cut, and the whole export."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from portal.accounts import queries
from portal.accounts.balance import COMPONENTS, Line, LoanTerms, balance_of
from portal.accounts.models import Loan
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.keys import Keys
from portal.signing import canonical
from portal.statements.queries import Choice, statement_for
from portal.statements.sheet import (
    EFFECTS,
    NOTHING,
    PARTS,
    Entry,
    LoanFacts,
    LoanStatement,
    Statement,
    content_of,
    digest_of,
    entry_of,
    loan_statement,
    running,
    statement_from,
)
from tests.conftest import BANK_MORNING
from tests.intake.conftest import HARBOUR

TERMS = LoanTerms(120_000, Decimal("0.12"), "equal_principal", 15, 12, date(2027, 1, 15))
START = date(2026, 1, 10)
FACTS = LoanFacts("L-1", "消费贷", "loan", "0.12")
CHARGE_KINDS = {"interest": "interest", "penalty_interest": "penalty_interest", "fee": "fee", "cost": "cost"}


@st.composite
def ledgers(draw: st.DrawFn) -> list[Line]:
    """A loan paid out, then charges, payments, waivers and reversals of any of them, in order."""
    lines = [Line(START, "disbursement", {"principal": 120_000})]
    day = START
    for _ in range(draw(st.integers(0, 25))):
        day += timedelta(days=draw(st.integers(0, 40)))
        kind = draw(st.sampled_from([*CHARGE_KINDS, "payment", "waiver", "reversal"]))
        if kind == "reversal":
            undone = draw(st.sampled_from([line for line in lines if line.kind != "reversal"]))
            amounts = {name: -minor for name, minor in undone.amounts.items()}
            lines.append(Line(day, kind, amounts, -undone.suspense_minor, undone.kind))
        elif kind in CHARGE_KINDS:
            lines.append(Line(day, kind, {CHARGE_KINDS[kind]: draw(st.integers(1, 10**7))}))
        else:
            parts = draw(st.dictionaries(st.sampled_from(COMPONENTS), st.integers(1, 10**7), min_size=1))
            aside = -draw(st.integers(0, 500)) if kind == "payment" else 0
            lines.append(Line(day, kind, {name: -minor for name, minor in parts.items()}, aside))
    return lines


def entries_of(lines: list[Line]) -> list[Entry]:
    return [entry_of(line, line_ref=f"T{number}") for number, line in enumerate(lines)]


days = st.dates(START - timedelta(days=20), START + timedelta(days=900))


def assert_adds_up(loan: LoanStatement) -> None:
    assert loan.opening + loan.moved == loan.closing
    for name in PARTS:
        opening, moved, closing = (side.parts[name] for side in (loan.opening, loan.moved, loan.closing))
        assert opening.left + moved.owed - moved.paid - moved.forgiven == closing.left
        assert closing.owed - closing.paid - closing.forgiven == closing.left
    assert loan.due_now + loan.not_yet_due == loan.closing.left
    lefts = running(loan)
    assert (lefts[-1] if lefts else loan.opening.left) == loan.closing.left


@given(ledgers(), st.none() | days, days)
def test_opening_and_movement_make_closing_and_closing_is_the_balance(
    lines: list[Line], first: date | None, as_of: date
) -> None:
    made = loan_statement(FACTS, TERMS, entries_of(lines), first=first, as_of=as_of)

    assert_adds_up(made)
    known = balance_of(TERMS, lines, as_of=as_of)
    assert made.closing.parts == known.components
    assert made.closing.suspense == known.suspense
    assert (made.due_now, made.principal_due, made.days_overdue) == (
        known.due_now,
        known.principal_due,
        known.days_overdue,
    )
    assert len(made.entries) == sum(
        line.posted_on <= as_of and (first is None or first <= line.posted_on) for line in lines
    )


@given(ledgers(), days, days)
def test_two_periods_in_a_row_are_one_long_period(lines: list[Line], cut: date, as_of: date) -> None:
    entries = entries_of(lines)
    cut = min(cut, as_of)
    early = loan_statement(FACTS, TERMS, entries, first=None, as_of=cut)
    late = loan_statement(FACTS, TERMS, entries, first=cut + timedelta(days=1), as_of=as_of)
    whole = loan_statement(FACTS, TERMS, entries, first=None, as_of=as_of)

    assert early.closing == late.opening
    assert early.moved + late.moved == whole.moved
    assert early.entries + late.entries == whole.entries


@given(st.lists(ledgers(), min_size=1, max_size=3), st.none() | days, days)
def test_what_is_written_down_reads_back_the_same(
    books: list[list[Line]], first: date | None, as_of: date
) -> None:
    loans = tuple(
        loan_statement(
            LoanFacts(f"L-{number}", "经营贷", "card", "0.18"),
            TERMS,
            entries_of(lines),
            first=first,
            as_of=as_of,
        )
        for number, lines in enumerate(books)
    )
    made = Statement("harbour", "C1", "CNY", first, as_of, loans)

    content = content_of(made)

    assert statement_from(content) == made
    assert digest_of(content_of(statement_from(content))) == digest_of(content)
    assert canonical(content)  # no float anywhere: signing refuses those
    assert made.opening + made.moved == made.closing
    assert made.closing.left == sum(loan.closing.left for loan in loans)
    assert made.due_now + made.not_yet_due == made.closing.left


def test_a_reversal_moves_the_figure_of_what_it_undoes() -> None:
    lines = [
        Line(START, "disbursement", {"principal": 120_000}),
        Line(date(2026, 2, 15), "payment", {"principal": -10_000}, -500),
        Line(date(2026, 2, 16), "reversal", {"principal": 10_000}, 500, "payment"),
        Line(date(2026, 2, 17), "waiver", {"principal": -1}),
    ]

    made = loan_statement(FACTS, TERMS, entries_of(lines), first=date(2026, 2, 16), as_of=date(2026, 3, 1))

    assert [entry.effect for entry in made.entries] == ["paid", "forgiven"]
    assert set(EFFECTS) >= {entry.effect for entry in made.entries}
    assert (made.opening.paid, made.moved.paid, made.closing.paid) == (10_000, -10_000, 0)
    assert (made.opening.suspense, made.closing.suspense) == (500, 0)
    assert made.entries[0].total == 10_500
    assert running(made) == [120_000, 119_999]


def test_a_changed_figure_has_another_digest() -> None:
    made = loan_statement(
        FACTS, TERMS, entries_of([Line(START, "disbursement", {"principal": 1})]), first=None, as_of=START
    )
    content = content_of(Statement("harbour", "C1", "CNY", None, START, (made,)))
    before = digest_of(content)

    content["loans"][0]["entries"][0]["amounts"]["principal"] = 2

    assert digest_of(content) != before
    assert len(before) == 64
    assert NOTHING.left == 0


@pytest.mark.slow
def test_every_statement_of_the_whole_export_closes_on_the_balances(
    sqlite_database: Database, keys: Keys
) -> None:
    taken = apply_batch(sqlite_database, directory=HARBOUR, mapping="harbour", keys=keys, now=BANK_MORNING)
    assert isinstance(taken, Applied)
    seen = 0
    with sqlite_database.read() as connection:
        borrowers = connection.scalars(select(Loan.borrower_id).distinct()).all()
        for borrower_id in borrowers:
            for total in queries.balances_for(connection, borrower_id).totals:
                for first in (None, date(2026, 6, 1), date(2026, 11, 1)):
                    choice = Choice(total.currency, None, first, max(loan.as_of for loan in total.loans))
                    made = statement_for(connection, borrower_id, choice, issuer="harbour")
                    assert made is not None
                    for loan in made.loans:
                        assert_adds_up(loan)
                    assert (made.due_now, made.not_yet_due) == (total.due_now.minor, total.not_yet_due.minor)
                    for name, part in total.components.items():
                        closing = made.closing.parts[name]
                        assert (closing.owed, closing.paid, closing.forgiven, closing.left) == (
                            part.owed.minor,
                            part.paid.minor,
                            part.forgiven.minor,
                            part.left.minor,
                        )
                    seen += made.entry_count if first is None else 0
    assert len(borrowers) == 200
    assert seen == 9904
