"""The pure figures of a loan: worked examples, and what must hold for any ledger."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import (
    CHARGES,
    COMPONENTS,
    METHODS,
    LedgerFault,
    Line,
    LoanTerms,
    Totals,
    balance_of,
    days_overdue,
    instalments,
    principal_due,
)

TERMS = LoanTerms(120_000, Decimal("0.12"), "equal_principal", 31, 12, date(2027, 1, 31))
AS_OF = date(2026, 6, 15)


def _line(day: date, kind: str, reverses: str | None = None, **amounts: int) -> Line:
    return Line(day, kind, amounts, reverses_kind=reverses)


def test_owed_paid_and_left_stand_apart_and_reversals_take_back_what_they_name() -> None:
    lines = [
        _line(date(2026, 1, 10), "disbursement", principal=120_000),
        _line(date(2026, 2, 28), "interest", interest=1_000),
        _line(date(2026, 3, 1), "payment", principal=-10_000, interest=-1_000),
        _line(date(2026, 3, 2), "reversal", "payment", principal=10_000, interest=1_000),
        _line(date(2026, 3, 3), "payment", principal=-10_000, interest=-400),
        _line(date(2026, 3, 4), "waiver", interest=-500),
    ]

    figures = balance_of(TERMS, lines, as_of=AS_OF)

    interest = figures.components["interest"]
    assert (interest.owed, interest.paid, interest.forgiven, interest.left) == (1_000, 400, 500, 100)
    assert (figures.owed, figures.paid, figures.forgiven, figures.left) == (121_000, 10_400, 500, 110_100)
    assert figures.principal_due == 30_000  # February to May, one of them paid
    assert figures.due_now == 30_100
    assert figures.not_yet_due == 80_000
    assert figures.days_overdue == (AS_OF - date(2026, 3, 31)).days
    assert figures.line_count == 6


def test_lines_after_the_date_are_not_in_its_figures() -> None:
    lines = [
        _line(date(2026, 1, 10), "disbursement", principal=120_000),
        _line(date(2026, 3, 1), "payment", principal=-10_000),
        _line(date(2026, 6, 16), "payment", principal=-50_000),
    ]

    assert balance_of(TERMS, lines, as_of=AS_OF).paid == 10_000
    assert balance_of(TERMS, lines, as_of=date(2026, 6, 16)).paid == 60_000


def test_an_instalment_is_due_on_its_day_and_overdue_from_the_next() -> None:
    due_on = date(2026, 2, 28)

    assert principal_due(TERMS, settled=0, as_of=due_on - timedelta(days=1)) == 0
    assert principal_due(TERMS, settled=0, as_of=due_on) == 10_000
    assert days_overdue(TERMS, settled=0, as_of=due_on) == 0
    assert days_overdue(TERMS, settled=0, as_of=due_on + timedelta(days=1)) == 1
    assert days_overdue(TERMS, settled=9_999, as_of=due_on + timedelta(days=1)) == 1
    assert days_overdue(TERMS, settled=10_000, as_of=due_on + timedelta(days=1)) == 0


def test_instalments_fall_on_the_pay_day_or_the_months_last_and_the_remainder_is_in_the_last() -> None:
    terms = LoanTerms(100_000, Decimal("0.05"), "equal_principal", 31, 3, date(2026, 4, 30))

    assert [(part.due_on, part.principal_minor) for part in instalments(terms)] == [
        (date(2026, 2, 28), 33_333),
        (date(2026, 3, 31), 33_333),
        (date(2026, 4, 30), 33_334),
    ]


def test_an_annuity_repays_more_principal_each_month() -> None:
    terms = LoanTerms(100_000, Decimal("0.12"), "equal_instalments", 10, 3, date(2026, 4, 10))

    # 340.02 a month at one percent: 1000.00 -> 669.98 -> 336.66 -> 0
    assert [part.principal_minor for part in instalments(terms)] == [33_002, 33_332, 33_666]


def test_a_bullet_loan_has_one_instalment_at_maturity() -> None:
    terms = LoanTerms(100_000, Decimal("0.12"), "bullet", 10, 24, date(2026, 4, 10))

    assert [(part.due_on, part.principal_minor) for part in instalments(terms)] == [
        (date(2026, 4, 10), 100_000)
    ]


@pytest.mark.parametrize(("kind", "reverses"), [("reversal", None), ("reversal", "reversal"), ("gift", None)])
def test_a_line_that_cannot_be_is_an_error_and_not_a_figure(kind: str, reverses: str | None) -> None:
    with pytest.raises(LedgerFault):
        balance_of(TERMS, [_line(date(2026, 1, 10), kind, reverses, principal=1)], as_of=AS_OF)


MINOR = st.integers(min_value=0, max_value=10**12)
DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2028, 12, 31))


@st.composite
def terms(draw: st.DrawFn) -> LoanTerms:
    count = draw(st.integers(min_value=1, max_value=120))
    pay_day = draw(st.integers(min_value=1, max_value=31))
    month = draw(DAYS)
    last = min(pay_day, calendar.monthrange(month.year, month.month)[1])
    return LoanTerms(
        principal_minor=draw(st.integers(min_value=1, max_value=10**12)),
        annual_rate=Decimal(draw(st.integers(min_value=0, max_value=3600))).scaleb(-4),
        method=draw(st.sampled_from(METHODS)),
        pay_day=pay_day,
        term_count=count,
        matures_on=month.replace(day=last),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[Line]:
    """Charges, payments and waivers that never take more than is left, and reversals of payments."""
    lines: list[Line] = []
    left = dict.fromkeys(COMPONENTS, 0)
    for _ in range(draw(st.integers(min_value=1, max_value=25))):
        kind = draw(st.sampled_from(["charge", "payment", "waiver", "reversal"]))
        day, component = draw(DAYS), draw(st.sampled_from(COMPONENTS))
        if kind == "charge":
            minor = draw(MINOR)
            charged = {"principal": "disbursement"}.get(component, component)
            lines.append(Line(day, charged, {component: minor}))
            left[component] += minor
        elif kind == "reversal":
            paid = [line for line in lines if line.kind == "payment"]
            done = [line for line in lines if line.kind == "reversal"]
            if len(paid) > len(done):
                original = paid[len(done)]
                undone = {name: -minor for name, minor in original.amounts.items()}
                lines.append(Line(day, "reversal", undone, -original.suspense_minor, "payment"))
                for name, minor in undone.items():
                    left[name] += minor
        else:
            minor = draw(st.integers(min_value=0, max_value=left[component]))
            over = draw(MINOR) if kind == "payment" else 0
            lines.append(Line(day, kind, {component: -minor}, -over))
            left[component] -= minor
    return lines


@given(terms(), ledgers(), DAYS)
def test_owed_is_paid_and_forgiven_and_left_in_every_component(
    loan: LoanTerms, lines: list[Line], as_of: date
) -> None:
    figures = balance_of(loan, lines, as_of=as_of)
    taken = [line for line in lines if line.posted_on <= as_of]

    for name, sums in figures.components.items():
        assert sums.owed == sums.paid + sums.forgiven + sums.left
        assert sums.left == sum(line.amounts.get(name, 0) for line in taken)
    assert figures.suspense == -sum(line.suspense_minor for line in taken)
    assert figures.left - figures.suspense == sum(
        sum(line.amounts.values()) + line.suspense_minor for line in taken
    )


@given(terms(), ledgers())
def test_nothing_is_negative_and_due_now_is_never_more_than_left(loan: LoanTerms, lines: list[Line]) -> None:
    figures = balance_of(loan, lines, as_of=date.max)

    assert min(sums.left for sums in figures.components.values()) >= 0
    assert 0 <= figures.principal_due <= figures.components["principal"].left
    assert 0 <= figures.due_now <= figures.left
    assert figures.not_yet_due >= 0
    assert figures.suspense >= 0


@given(terms(), ledgers(), st.randoms())
def test_the_order_of_lines_does_not_matter(loan: LoanTerms, lines: list[Line], random: object) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert balance_of(loan, shuffled, as_of=date.max) == balance_of(loan, lines, as_of=date.max)


@given(terms(), ledgers(), st.integers(min_value=0, max_value=25))
def test_sums_taken_in_two_parts_are_the_sums_taken_at_once(
    loan: LoanTerms, lines: list[Line], cut: int
) -> None:
    totals = Totals()
    for part in (lines[:cut], lines[cut:]):
        for line in part:
            totals.add(effect=line.effect, amounts=line.amounts, suspense_minor=line.suspense_minor)

    assert totals.figures(loan, as_of=date.max) == balance_of(loan, lines, as_of=date.max)


@given(terms())
def test_instalments_sum_to_the_principal_and_end_at_maturity(loan: LoanTerms) -> None:
    parts = list(instalments(loan))

    assert sum(part.principal_minor for part in parts) == loan.principal_minor
    assert parts[-1].due_on == loan.matures_on
    assert all(part.principal_minor >= 0 for part in parts)
    assert [part.due_on for part in parts] == sorted({part.due_on for part in parts})


@given(terms(), MINOR, DAYS)
def test_days_overdue_and_principal_due_agree(loan: LoanTerms, settled: int, as_of: date) -> None:
    """Overdue days count from an instalment that is due; without principal due there are none."""
    due = principal_due(loan, settled=settled, as_of=as_of)
    days = days_overdue(loan, settled=settled, as_of=as_of)

    assert days >= 0
    if due == 0:
        assert days == 0
    assert principal_due(loan, settled=settled + due, as_of=as_of) == 0
    assert days_overdue(loan, settled=settled + due, as_of=as_of) == 0


@given(terms(), MINOR, MINOR, DAYS)
def test_paying_more_never_makes_more_due(loan: LoanTerms, one: int, more: int, as_of: date) -> None:
    assert principal_due(loan, settled=one + more, as_of=as_of) <= principal_due(
        loan, settled=one, as_of=as_of
    )
    assert days_overdue(loan, settled=one + more, as_of=as_of) <= days_overdue(loan, settled=one, as_of=as_of)


def test_charges_are_the_kinds_that_name_a_component() -> None:
    assert {"disbursement", "interest", "penalty_interest", "fee", "cost"} == CHARGES
