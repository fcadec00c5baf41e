"""A generated day: everything is matched once or is a difference, and the differences explain the gap."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from portal.reconciliation.comparison import Entry, Kind, Movement, Posted, reconcile

KEYS = st.sampled_from([f"k{number}" for number in range(5)])
AMOUNTS = st.integers(1, 4)
SIGNS = {
    "charge": 1,
    "refund": -1,
    "refund_failed": 1,
    "dispute": -1,
    "dispute_won": 1,
    "payout": -1,
    "fee": -1,
    "other": 1,
}


@st.composite
def movements(draw: st.DrawFn) -> list[Movement]:
    """Few keys and few amounts, so that copies, splits and near misses are common."""
    made = []
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(sorted(SIGNS)))
        gross = SIGNS[kind] * draw(AMOUNTS)
        fee = draw(st.integers(0, 2))
        net = gross - fee + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
        made.append(Movement(f"txn_{number}", kind, draw(KEYS), gross, fee, net, draw(st.booleans())))
    return made


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["charge", "refund", "refund_failed", "dispute", "dispute_won"]))
        made.append(Entry(f"e{number}", kind, draw(KEYS), SIGNS[kind] * draw(AMOUNTS), draw(st.booleans())))
    return made


@st.composite
def lines(draw: st.DrawFn, prefix: str) -> list[Posted]:
    return [
        Posted(f"{prefix}{number}", draw(KEYS), draw(AMOUNTS), draw(st.booleans()), draw(st.integers(0, 9)))
        for number in range(draw(st.integers(0, 8)))
    ]


@given(movements(), entries(), lines("l"), lines("c"))
def test_every_row_is_matched_once_or_is_a_difference(
    theirs: list[Movement], ours: list[Entry], here: list[Posted], there: list[Posted]
) -> None:
    result = reconcile(theirs, ours, here, there)

    subjects = Counter(one.subject for one in result.differences)
    assert set(subjects.values()) <= {1}
    paired = Counter(movement for movement, _ in result.matched)
    named = Counter(
        str(one.facts["movement"])
        for one in result.differences
        if "movement" in one.facts and one.kind is not Kind.NET_DIFFERS
    )
    for one in theirs:
        if one.in_day and one.kind != "payout":
            assert paired[one.movement_id] + named[one.movement_id] == 1
    paired = Counter(entry for _, entry in result.matched)
    named = Counter(
        str(one.facts["entry"]) for one in result.differences if not one.is_core and "entry" in one.facts
    )
    for entry in ours:
        if entry.in_day:
            assert paired[entry.entry_id] + named[entry.entry_id] == 1
    paired = Counter(line for line, _ in result.at_core)
    for line in here:
        if line.in_day:
            assert paired[line.line_id] + subjects[f"ours:{line.line_id}:core"] == 1


@given(movements(), entries(), lines("l"), lines("c"))
def test_the_differences_explain_both_gaps_to_the_cent(
    theirs: list[Movement], ours: list[Entry], here: list[Posted], there: list[Posted]
) -> None:
    result = reconcile(theirs, ours, here, there)

    assert result.gap(core=False) == result.equation.gap
    assert result.gap(core=True) == result.posted_by_core - result.posted_here


@given(movements(), entries(), lines("l"), lines("c"), st.randoms())
def test_the_order_of_the_rows_changes_no_sum(
    theirs: list[Movement], ours: list[Entry], here: list[Posted], there: list[Posted], shuffler
) -> None:  # type: ignore[no-untyped-def]
    first = reconcile(theirs, ours, here, there)
    for rows in (theirs, ours, here, there):
        shuffler.shuffle(rows)
    second = reconcile(theirs, ours, here, there)

    assert first.equation == second.equation
    assert len(first.matched) == len(second.matched)
    assert sum(d.gap for d in first.differences) == sum(d.gap for d in second.differences)


@given(entries())
def test_books_that_agree_have_no_difference(ours: list[Entry]) -> None:
    theirs = [Movement(f"t{e.entry_id}", e.kind, e.key, e.amount, 0, e.amount, e.in_day) for e in ours]

    result = reconcile(theirs, ours, [], [])

    assert result.differences == ()
    assert result.equation.gap == 0


def test_what_one_day_calls_tomorrow_the_next_calls_yesterday() -> None:
    late = Movement("txn_1", "charge", "pi_1", 500, 10, 490)
    ours = Entry("P-1", "charge", "pi_1", 500, in_day=False)
    first = reconcile([late], [ours], [], [])
    second = reconcile(
        [Movement("txn_1", "charge", "pi_1", 500, 10, 490, in_day=False)],
        [Entry("P-1", "charge", "pi_1", 500)],
        [],
        [],
    )

    assert [one.kind for one in (*first.differences, *second.differences)] == [Kind.OTHER_DAY] * 2
    assert first.equation.gap == 500
    assert second.equation.gap == -500


def test_a_fee_of_its_own_is_listed_and_leaves_no_gap() -> None:
    result = reconcile([Movement("txn_1", "fee", "", -50, 0, -50)], [], [], [])

    assert [one.kind for one in result.differences] == [Kind.FEE_LINE]
    assert (result.equation.fees, result.equation.gap) == (50, 0)
