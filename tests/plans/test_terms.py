"""Terms: one text, one digest, and back again; the sum holds for every request (S1, S10)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dates import Frequency
from portal.money import Money
from portal.plans.policy import examine
from portal.plans.terms import Terms, TermsRequest
from portal.schedules.parts import Step
from tests.plans.scene import basis, ground, yuan

REQUESTS = st.builds(
    TermsRequest,
    amount=st.none(),
    count=st.integers(1, 80),
    pay_day=st.integers(1, 31),
    frequency=st.sampled_from(list(Frequency)),
    upfront=st.none() | st.integers(0, 10**6).map(lambda minor: Money(minor, "CNY")),
    step=st.none()
    | st.builds(Step, st.integers(1, 12), st.integers(1, 50_000).map(lambda m: Money(m, "CNY"))),
    freeze_interest=st.booleans(),
    waive=st.sampled_from([(), ("fee",), ("fee", "penalty_interest")]),
    whole_loan=st.booleans(),
)


@given(REQUESTS, st.integers(1, 10**8), st.integers(0, 10**5))
@settings(max_examples=100)
def test_upfront_and_instalments_make_what_is_payable(request: TermsRequest, due: int, fee: int) -> None:
    loans = (basis(due, fee=min(fee, due), left=due + 500),)

    terms = examine(request, ground(loans)).terms

    if terms is not None:
        assert terms.upfront + terms.instalments_total == terms.covered - terms.waived
        assert [part.number for part in terms.instalments] == list(range(1, terms.count + 1))
        assert Terms.parse(terms.canonical()) == terms


def test_any_change_changes_the_digest() -> None:
    terms = examine(TermsRequest(count=60), ground()).terms
    assert terms is not None

    others = [
        replace(terms, freeze_interest=True),
        replace(terms, pay_day=19),
        replace(terms, upfront=yuan("0.01")),
        replace(terms, instalments=terms.instalments[:-1]),
        replace(terms, loans=terms.loans[:1]),
    ]

    assert len({one.digest() for one in (terms, *others)}) == 6


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version":1}', "null"])
def test_a_text_of_no_terms_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Terms.parse(text)


def test_a_text_with_a_space_more_is_not_canonical() -> None:
    terms = examine(TermsRequest(count=60), ground()).terms
    assert terms is not None

    with pytest.raises(ValueError):
        Terms.parse(terms.canonical().replace(",", ", ", 1))
