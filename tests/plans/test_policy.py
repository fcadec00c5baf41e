"""The bank's rules: every finding at once, and offers and nearest plans that always pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dates import Frequency
from portal.hardship.affordability import Budget
from portal.money import Money
from portal.plans.policy import (
    Finding,
    Means,
    Policy,
    Severity,
    examine,
    may_approve_alone,
    nearest,
    offers,
)
from portal.plans.terms import TermsRequest
from portal.schedules.parts import Step
from tests.plans.scene import BANK, MEANS, POLICY, TODAY, basis, ground, yuan

MONEY = st.integers(1, 10**9).map(lambda minor: Money(minor, "CNY"))
CHOICE = st.one_of(
    st.tuples(MONEY, st.none()), st.tuples(st.none(), st.integers(-1, 10_000)), st.just((None, None))
)


@st.composite
def requests(draw: st.DrawFn) -> TermsRequest:
    amount, count = draw(CHOICE)
    return TermsRequest(
        amount=amount,
        count=count,
        pay_day=draw(st.integers(-3, 40)),
        frequency=draw(st.sampled_from(list(Frequency))),
        first_due_on=draw(st.none() | st.dates(date(2026, 11, 1), date(2027, 6, 1)) | st.dates()),
        upfront=draw(st.none() | MONEY),
        upfront_due_on=draw(st.none() | st.dates(date(2026, 11, 1), date(2027, 6, 1)) | st.dates()),
        step=draw(st.none() | st.builds(Step, st.integers(1, 20), MONEY)),
        waive=draw(st.sampled_from([(), ("fee",)])),
        loan_refs=draw(st.sampled_from([None, ("L1",), ("L1", "L9")])),
    )


GROUNDS = st.builds(
    lambda due, income: ground(
        (basis(due, fee=min(due, 100)),),
        means=Means(Budget(Money(income, "CNY"), yuan("3000.00"), yuan("0.00")), yuan("0.00")),
    ),
    st.integers(1, 10**9),
    st.integers(0, 3_000_000),
)


def finding(findings: tuple[Finding, ...], code: str) -> Finding:
    return next(one for one in findings if one.code == code)


def test_the_picture_800_a_month_takes_81_instalments_21_too_many() -> None:
    assessment = examine(TermsRequest(amount=yuan("800.00")), ground())

    count = finding(assessment.findings, "instalment_count")
    assert (count.plan, count.high, count.excess, count.blocks) == (81, 60, 21, True)
    assert finding(assessment.findings, "share").plan == 29
    assert finding(assessment.findings, "last_date").plan == date(2033, 8, 18)
    assert not assessment.passes


def test_the_picture_nearest_plans_are_the_longest_and_the_stepped_one() -> None:
    longest, lower_start = nearest(TermsRequest(amount=yuan("800.00")), ground())

    assert (longest.terms.count, longest.terms.usual) == (60, yuan("1072.56"))
    assert [lower_start.terms.instalments[n].amount.plain() for n in (0, 11, 12)] == [
        "800.00",
        "800.00",
        "1140.71",
    ]


def test_the_picture_offers_are_60_54_and_48() -> None:
    made = offers(ground())

    assert [(o.terms.count, o.terms.usual.plain(), o.share_percent) for o in made] == [
        (60, "1072.56", 38),
        (54, "1191.74", 43),
        (48, "1340.71", 48),
    ]


@given(GROUNDS, st.integers(1, 28), st.sampled_from(list(Frequency)))
@settings(max_examples=60)
def test_every_offer_passes(where: object, pay_day: int, frequency: Frequency) -> None:
    made = offers(where, pay_day=pay_day, frequency=frequency)  # type: ignore[arg-type]

    assert made
    for offer in made:
        again = examine(offer.request, where)  # type: ignore[arg-type]
        assert again.passes
        assert again.terms == offer.terms


@given(requests(), GROUNDS)
@settings(max_examples=150)
def test_every_nearest_plan_passes_and_a_refused_request_has_one(
    request: TermsRequest, where: object
) -> None:
    assessment = examine(request, where)  # type: ignore[arg-type]

    suggestions = nearest(request, where)  # type: ignore[arg-type]

    if not assessment.passes:
        assert suggestions
    for offer in suggestions:
        again = examine(offer.request, where)  # type: ignore[arg-type]
        assert again.passes
        assert again.terms == offer.terms


@given(requests(), GROUNDS)
@settings(max_examples=200)
def test_what_passes_ends_and_pays_everything(request: TermsRequest, where: object) -> None:
    assessment = examine(request, where)  # type: ignore[arg-type]
    terms = assessment.terms

    if assessment.passes and terms is not None:
        days = [part.due_on for part in terms.instalments]
        assert terms.upfront + terms.instalments_total == terms.payable
        assert 1 <= terms.count <= POLICY.max_instalments
        assert days == sorted(set(days))
        assert days[0] > TODAY
        assert days[-1] <= date(2031, 11, 20)
        assert all(part.amount.minor > 0 for part in terms.instalments)
        assert all(part.amount >= POLICY.minimum_instalment for part in terms.instalments[:-1])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (TermsRequest(count=61), "instalment_count"),
        (TermsRequest(amount=yuan("0.01")), "instalment_count"),
        (TermsRequest(amount=yuan("99.99")), "instalment_minimum"),
        (TermsRequest(count=12, pay_day=29), "pay_day"),
        (TermsRequest(count=12, pay_day=23, first_due_on=date(2026, 11, 23)), "first_date"),
        (TermsRequest(count=12, first_due_on=date(2027, 2, 18)), "first_date"),
        (TermsRequest(count=12, upfront=yuan("64353.87")), "upfront_too_large"),
        (TermsRequest(count=12, upfront=yuan("1.00"), upfront_due_on=date(2027, 3, 1)), "upfront_date"),
        (TermsRequest(count=0), "below_one_unit"),
        (TermsRequest(), "choice_missing"),
        (TermsRequest(count=3, amount=yuan("500.00")), "choice_missing"),
        (TermsRequest(count=12, loan_refs=("L9",)), "unknown_loan"),
        (TermsRequest(count=12, loan_refs=()), "nothing_due"),
    ],
)
def test_each_rule_blocks_under_its_own_code(request_: TermsRequest, code: str) -> None:
    assessment = examine(request_, ground())

    assert code in [one.code for one in assessment.findings if one.blocks]
    assert nearest(request_, ground()) or code == "nothing_due"


def test_several_faults_are_all_told_at_once() -> None:
    request = TermsRequest(count=70, pay_day=30, first_due_on=date(2027, 3, 1))

    blocked = {one.code for one in examine(request, ground()).findings if one.blocks}

    assert {"instalment_count", "pay_day", "first_date", "last_date"} <= blocked


def test_above_half_of_what_is_left_over_asks_for_a_comment_and_does_not_block() -> None:
    assessment = examine(TermsRequest(count=24), ground())

    assert finding(assessment.findings, "share").severity is Severity.NEEDS_COMMENT
    assert assessment.passes
    assert assessment.needs_comment


def test_nothing_left_over_is_said_once_and_is_no_error() -> None:
    broke = Means(Budget(yuan("1000.00"), yuan("2500.00"), yuan("0.00")), yuan("0.00"))

    assessment = examine(TermsRequest(count=60), ground(means=broke))

    assert [one.code for one in assessment.findings if not one.ok] == ["nothing_left_over"]
    assert assessment.passes


def test_a_concession_and_a_large_amount_need_two_people() -> None:
    waived = examine(TermsRequest(count=60, waive=("fee",)), ground())
    large = examine(TermsRequest(count=60), ground((basis(20_000_001),), means=None))
    just_not = examine(TermsRequest(count=60), ground((basis(20_000_000),), means=None))

    assert waived.needs_second
    assert large.needs_second
    assert not just_not.needs_second


def test_after_an_upfront_payment_the_first_instalment_is_30_to_60_days_later() -> None:
    request = TermsRequest(
        count=58, upfront=yuan("3000.00"), upfront_due_on=date(2026, 12, 16), waive=("fee",)
    )

    terms = examine(request, ground()).terms

    assert terms is not None
    assert (terms.first.due_on, terms.last.due_on) == (date(2027, 1, 18), date(2031, 10, 20))
    assert (terms.payable, terms.usual, terms.last.amount) == (
        yuan("63903.87"),
        yuan("1050.07"),
        yuan("1049.88"),
    )


@pytest.mark.parametrize("day", [date(2026, 9, 24), date(2027, 1, 28), date(2026, 2, 10)])
def test_every_pay_day_finds_a_first_date_even_around_long_holidays(day: date) -> None:
    for pay_day in range(1, 29):
        assert examine(TermsRequest(count=3, pay_day=pay_day), ground(today=day)).passes


def test_automatic_approval_is_off_until_the_bank_turns_it_on() -> None:
    small = ground((basis(600_000),))
    assessment = examine(TermsRequest(count=12), small)
    willing = replace(POLICY, automatic_approval=True)

    assert not may_approve_alone(assessment, POLICY)
    assert may_approve_alone(assessment, willing)
    assert not may_approve_alone(examine(TermsRequest(count=13), small), willing)
    assert not may_approve_alone(examine(TermsRequest(count=12, freeze_interest=True), small), willing)
    assert not may_approve_alone(examine(TermsRequest(count=12), ground((basis(2_000_001),))), willing)
    assert not may_approve_alone(
        examine(TermsRequest(count=12), ground((basis(600_000),), means=None)), willing
    )


def test_defaults_stand_in_for_what_the_bank_does_not_set_and_the_law_caps_the_years() -> None:
    assert Policy.of(replace(BANK, policy={})) == replace(POLICY)
    assert Policy.of(replace(BANK, policy={"max_years": 9})).max_years == 5


def test_means_of_the_picture() -> None:
    assert MEANS.budget.income - MEANS.budget.spending - MEANS.budget.priority == yuan("2800.00")
