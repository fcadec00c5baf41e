"""Terms side by side: the picture's eight rows, and every move with its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.plans.comparison import Move, Term, Tone, compare
from portal.plans.terms import Terms, TermsRequest
from tests.plans.scene import PICTURE, ground, yuan

WITH_PARTS = tuple(
    replace(loan, due_parts=(("fee", loan.waivable[0][1]), ("principal", loan.due_now - loan.waivable[0][1])))
    for loan in PICTURE
)


def terms(request: TermsRequest) -> Terms:
    return ground(WITH_PARTS).terms(request)


ASKED = terms(TermsRequest(count=60, freeze_interest=True))
OFFERED = terms(
    TermsRequest(
        count=58,
        upfront=yuan("3000.00"),
        upfront_due_on=date(2026, 12, 16),
        waive=("fee",),
        freeze_interest=True,
    )
)


def rows(asked: Terms, offered: Terms) -> dict[str, Term]:
    return {row.code: row for row in compare(asked, offered)}


def test_the_picture() -> None:
    found = rows(ASKED, OFFERED)

    assert (found["upfront"].move, found["upfront"].tone) == (Move.ADDED, Tone.WARN)
    assert (found["count"].move, found["count"].difference) == (Move.LESS, 2)
    assert (found["each"].move, found["each"].difference) == (Move.FOLLOWS_LESS, yuan("22.49"))
    assert (found["first"].move, found["first"].difference) == (Move.LATER, 31)
    assert (found["last"].move, found["last"].difference) == (Move.EARLIER, 29)
    assert (found["waive_fee"].move, found["waive_fee"].difference) == (Move.GIVEN, yuan("450.00"))
    assert found["interest"].move is Move.AGREED
    assert found["pay_day"].move is Move.UNCHANGED


def test_what_was_asked_and_not_given_is_said() -> None:
    asked = terms(TermsRequest(count=60, waive=("fee",), freeze_interest=True))

    found = rows(asked, terms(TermsRequest(count=60)))

    assert (found["waive_fee"].move, found["interest"].move) == (Move.NOT_GIVEN, Move.NOT_GIVEN)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_same_terms_are_unchanged_and_others_are_not(a: int, b: int, up_a: int, up_b: int) -> None:
    left = terms(TermsRequest(count=a, upfront=yuan("0.01") if up_a % 2 else None))
    right = terms(TermsRequest(count=b, upfront=yuan("0.01") if up_b % 2 else None))

    moved = [row for row in compare(left, right) if row.changed]

    assert bool(moved) == (left != right)
    assert all(row.tone is Tone.NA for row in compare(left, left))


def test_terms_lead_back_to_a_request_that_makes_them_again() -> None:
    for one in (ASKED, OFFERED):
        request = replace(one.as_request(), upfront_due_on=one.upfront_due_on)
        assert terms(request) == one
