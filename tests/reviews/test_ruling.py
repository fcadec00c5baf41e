"""The edges of what one person may grant, and of when terms can still be granted. No database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.money import Money
from portal.plans.terms import Terms, TermsRequest
from portal.reviews.four_eyes import Kind, why_two
from portal.reviews.ruling import outdated
from tests.plans.scene import POLICY, ground, yuan


@pytest.fixture(scope="module")
def terms() -> Terms:
    """Twelve instalments of both loans, nothing waived."""
    return ground().terms(TermsRequest(count=12))


@pytest.mark.parametrize("kind", [Kind.APPROVE, Kind.DECLINE])
def test_one_person_decides_up_to_the_limit_and_two_above_it(terms: Terms, kind: Kind) -> None:
    at_the_limit = replace(POLICY, second_person_above=terms.covered)
    a_fen_lower = replace(POLICY, second_person_above=terms.covered - Money(1, "CNY"))

    assert why_two(kind, terms, None, at_the_limit) == ()
    assert why_two(kind, terms, None, a_fen_lower) == ("above_limit",)


def test_terms_can_be_granted_until_the_day_before_their_first_payment(terms: Terms) -> None:
    first = terms.payments[0].due_on

    assert outdated(terms, ground(today=first - timedelta(days=1))) is None
    assert outdated(terms, ground(today=first)) == "first_date_passed"


def test_terms_that_cover_more_than_is_left_cannot_be_granted(terms: Terms) -> None:
    one, other = ground().loans
    less = replace(one, left=one.left - yuan("0.01"))

    assert outdated(terms, ground((less, other))) == "covers_too_much"
    assert outdated(terms, ground((other,))) == "covers_too_much"
