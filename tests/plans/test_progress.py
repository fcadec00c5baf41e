"""A plan's progress: statuses from dates and payments alone, the table's window, the calendar's squares."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from portal.plans import progress
from portal.plans.progress import Status
from portal.plans.queries import InstalmentView, PlanView, masked_name
from portal.plans.terms import TermsRequest
from tests.plans.people import NOW
from tests.plans.scene import ground, yuan

TERMS = ground().terms(TermsRequest(count=30, upfront=yuan("3000.00")))


def plan(*, paid: int = 0) -> PlanView:
    """The plan with its first `paid` payments made in full."""
    zero = yuan("0.00")
    return PlanView(
        plan_id=1,
        reference="P-1",
        borrower_id=1,
        proposal_id=1,
        state="active",
        currency="CNY",
        made_at=NOW,
        ended_at=None,
        terms=TERMS,
        terms_hash=TERMS.digest(),
        instalments=tuple(
            InstalmentView(part.number, part.due_on, part.amount, part.amount if n < paid else zero, None)
            for n, part in enumerate(TERMS.payments)
        ),
        loan_ids=(1, 2),
        loans=("a", "b"),
    )


def statuses(today: date, *, paid: int = 0) -> list[Status]:
    return [row.status for row in progress.rows_of(plan(paid=paid), today=today, grace_days=3)]


def test_one_is_next_and_the_rest_are_ahead() -> None:
    found = statuses(date(2026, 11, 25), paid=1)

    assert found[:3] == [Status.PAID, Status.NEXT, Status.AHEAD]
    assert found.count(Status.NEXT) == 1


@pytest.mark.parametrize(
    ("days", "status"), [(0, Status.NEXT), (1, Status.GRACE), (3, Status.GRACE), (4, Status.LATE)]
)
def test_three_days_of_grace(days: int, status: Status) -> None:
    assert statuses(TERMS.payments[0].due_on + timedelta(days=days))[0] is status


def test_the_window_keeps_what_needs_looking_at_and_the_last() -> None:
    rows = progress.rows_of(plan(paid=10), today=date(2026, 11, 25), grace_days=3)

    window = progress.windowed(rows, show_all=False)
    everything = progress.windowed(rows, show_all=True)

    assert rows[10] in window.middle
    assert (*window.before, *window.middle, *window.after, *window.last) == rows
    assert window.last == rows[-1:]
    assert everything.middle == rows


def test_the_calendar_has_a_square_for_every_month_with_a_payment() -> None:
    rows = progress.rows_of(plan(paid=2), today=date(2026, 11, 25), grace_days=3)

    years = progress.calendar_of(rows)

    assert sum(cell.count for _, cells in years for cell in cells) == len(rows)
    assert [year for year, _ in years] == sorted({row.due_on.year for row in rows})
    assert years[0][1][0].is_upfront
    assert years[-1][1][-1].is_last


def test_a_moved_date_says_from_where() -> None:
    rows = progress.rows_of(plan(), today=date(2026, 11, 25), grace_days=3)

    moved = [row for row in rows if row.moved_from]
    assert moved
    assert all(row.moved_from and row.moved_from.day == 18 and row.moved_from < row.due_on for row in moved)


def test_a_part_paid_instalment_shows_what_is_left() -> None:
    whole = plan()
    part = replace(whole.instalments[0], paid=yuan("1.00"))

    row = progress.rows_of(
        replace(whole, instalments=(part, *whole.instalments[1:])), today=date(2026, 11, 25), grace_days=3
    )[0]

    assert row.is_part_paid
    assert row.left == yuan("2999.00")


def test_names_are_masked_to_their_first_character() -> None:
    assert [masked_name(name) for name in ("蒋曦静", "林晓", "阿卜杜拉·买买提")] == ["蒋**", "林*", "阿**"]
