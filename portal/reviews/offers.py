"""A counter-offer: the borrower's terms with what the reviewer changed, ready to be recomputed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from portal.money import Money
from portal.plans.policy import Assessment, Finding, Ground, Offer, Severity, examine, nearest
from portal.plans.terms import Terms, TermsRequest


@dataclass(frozen=True, slots=True)
class Change:
    """What a reviewer typed. Exactly one of `count` and `amount` is set."""

    upfront: Money | None
    count: int | None
    amount: Money | None
    pay_day: int
    freeze_interest: bool
    waive: tuple[str, ...]


def request_of(terms: Terms) -> TermsRequest:
    """The wish that leads to these terms' shape: same loans, count, pay day and requests."""
    return TermsRequest(
        count=terms.count,
        pay_day=terms.pay_day,
        frequency=terms.frequency,
        upfront=terms.upfront or None,
        freeze_interest=terms.freeze_interest,
        waive=tuple(sorted({component for loan in terms.loans for component, _ in loan.waived})),
        loan_refs=tuple(loan.loan_ref for loan in terms.loans),
        whole_loan=terms.whole_loan,
    )


def change_of(terms: Terms) -> Change:
    """The fields of the counter-offer as they stand before anybody typed: the borrower's own terms."""
    request = request_of(terms)
    return Change(
        upfront=request.upfront,
        count=request.count,
        amount=None,
        pay_day=request.pay_day,
        freeze_interest=request.freeze_interest,
        waive=request.waive,
    )


def counter_request(proposed: Terms, change: Change) -> TermsRequest:
    """The borrower's terms with the reviewer's change, as a wish to be computed on today's figures."""
    return replace(
        request_of(proposed),
        upfront=change.upfront,
        count=change.count,
        amount=None if change.count is not None else change.amount,
        pay_day=change.pay_day,
        freeze_interest=change.freeze_interest,
        waive=change.waive,
    )


def assess_counter(proposed: Terms, change: Change, ground: Ground) -> Assessment:
    """The counter-offer's exact terms and every finding of the policy on them."""
    return examine(counter_request(proposed, change), ground)


def blocking(assessment: Assessment) -> tuple[Finding, ...]:
    """The findings that keep an offer from being sent."""
    return tuple(finding for finding in assessment.findings if finding.severity is Severity.BLOCKS)


def nearest_to(proposed: Terms, ground: Ground) -> Offer | None:
    """The nearest plan that would pass, for a refusal; None where the rules know of none."""
    return next(iter(nearest(request_of(proposed), ground)), None)
