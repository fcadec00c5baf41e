"""Reproducing a bank's posted interest: equal lines, and every way in which one can differ is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import Line
from portal.interest.engine import InterestTerms, expected_postings
from portal.interest.reproduction import Entry, reproduce
from tests.accounts.loans import interest_terms, lines_of
from tests.interest.test_interest import LENT, TERMS

AS_OF = date(2026, 3, 20)


def _bank(terms: InterestTerms, events: Sequence[Line], as_of: date) -> list[Entry]:
    """The ledger of a bank that follows the terms."""
    entries = [Entry(f"E{number}", line) for number, line in enumerate(events)]
    for number, one in enumerate(expected_postings(terms, events, as_of=as_of)):
        line = Line(one.posted_on, one.component, {one.component: one.amount.minor})
        entries.append(Entry(f"P{number}", line))
    return entries


def test_a_ledger_that_follows_its_terms_is_reproduced() -> None:
    found = reproduce(TERMS, _bank(TERMS, [LENT], AS_OF), as_of=AS_OF)

    assert (found.lines, found.equal, found.differences, found.waiting) == (3, 3, (), ())


def test_a_changed_cent_is_named_with_its_day_its_line_and_by_how_much() -> None:
    entries = _bank(TERMS, [LENT], AS_OF)
    entries[3] = replace(
        entries[3], line=Line(date(2026, 3, 5), "penalty_interest", {"penalty_interest": 1_051})
    )

    found = reproduce(TERMS, entries, as_of=AS_OF)

    assert (found.lines, found.equal) == (3, 2)
    first = found.first_difference
    assert first is not None
    assert (first.posted_on, first.component, first.line_refs) == (
        date(2026, 3, 5),
        "penalty_interest",
        ("P2",),
    )
    assert (first.posted_minor, first.expected_minor, first.difference_minor) == (1_051, 1_050, 1)
    assert first.posting is not None
    assert first.posting.amount.parts[0].minor_days == 28 * 100_000


def test_a_line_that_is_missing_and_one_that_is_too_many_are_differences() -> None:
    entries = _bank(TERMS, [LENT], AS_OF)
    extra = Entry("X1", Line(date(2026, 2, 20), "interest", {"interest": 5}))

    found = reproduce(TERMS, [*(one for one in entries if one.line_ref != "P1"), extra], as_of=AS_OF)

    assert [(one.posted_on, one.line_refs, one.difference_minor) for one in found.differences] == [
        (date(2026, 2, 20), ("X1",), 5),
        (date(2026, 3, 5), (), -7_700),
    ]
    assert found.differences[0].posting is None


def test_what_falls_on_the_last_day_itself_waits_until_it_is_posted() -> None:
    events = _bank(TERMS, [LENT], date(2026, 2, 5))

    found = reproduce(TERMS, events, as_of=date(2026, 3, 5))

    assert found.differences == ()
    assert [one.component for one in found.waiting] == ["interest", "penalty_interest"]
    assert len(reproduce(TERMS, events, as_of=date(2026, 3, 6)).differences) == 2


def test_a_reversed_line_does_not_stand_and_its_correction_does() -> None:
    day = date(2026, 2, 5)
    entries = [
        Entry("1", LENT),
        Entry("2", Line(day, "interest", {"interest": 9_999}), reversed=True),
        Entry("3", Line(day, "reversal", {"interest": -9_999}, reverses_kind="interest")),
        Entry("4", Line(day, "interest", {"interest": 8_700})),
    ]

    found = reproduce(TERMS, entries, as_of=date(2026, 2, 28))

    assert (found.lines, found.equal) == (1, 1)


def test_lines_after_the_day_are_left_alone() -> None:
    late = Entry("9", Line(date(2026, 3, 21), "interest", {"interest": 1}))

    assert reproduce(TERMS, [*_bank(TERMS, [LENT], AS_OF), late], as_of=AS_OF).differences == ()


@given(st.data())
def test_any_loan_is_reproduced_and_any_changed_cent_found(data: st.DataObject) -> None:
    terms = data.draw(interest_terms())
    events = [
        line for line in data.draw(lines_of(terms)) if line.kind not in ("interest", "penalty_interest")
    ]
    as_of = terms.opened_on.replace(year=terms.opened_on.year + 1, day=28)
    entries = _bank(terms, events, as_of)

    assert reproduce(terms, entries, as_of=as_of).differences == ()

    posted = [number for number, one in enumerate(entries) if one.line_ref.startswith("P")]
    if posted:
        number = data.draw(st.sampled_from(posted))
        one = entries[number]
        by = data.draw(st.sampled_from([-1, 1]))
        amounts = {one.line.kind: one.line.amounts[one.line.kind] + by}
        entries[number] = replace(one, line=replace(one.line, amounts=amounts))
        first = reproduce(terms, entries, as_of=as_of).first_difference
        assert first is not None
        assert (first.line_refs, first.difference_minor) == ((one.line_ref,), by)
