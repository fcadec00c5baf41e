"""From a person's wishes to exact terms: which loans, what of them, in which parts, on which days. Pure."""

from __future__ import annotations

from datetime import date

from portal.dates import WorkingDays
from portal.money import Money
from portal.plans.terms import CoveredLoan, Instalment, LoanBasis, Terms, TermsRequest
from portal.schedules.days import first_pay_day, working_dates
from portal.schedules.parts import UnableToSchedule, Unschedulable, by_amount, by_count, stepped


def covered_loans(request: TermsRequest, loans: tuple[LoanBasis, ...]) -> tuple[CoveredLoan, ...]:
    """The loans the request takes in, with what is covered and what is asked to be waived of each."""
    known = {loan.loan_ref for loan in loans}
    if request.loan_refs is not None and not known.issuperset(request.loan_refs):
        raise UnableToSchedule(Unschedulable.UNKNOWN_LOAN)
    wanted = known if request.loan_refs is None else set(request.loan_refs)
    chosen = (_cover(request, loan) for loan in loans if loan.loan_ref in wanted)
    return tuple(loan for loan in chosen if loan.covered.minor > 0)


def _cover(request: TermsRequest, loan: LoanBasis) -> CoveredLoan:
    covered = loan.left if request.whole_loan else loan.due_now
    asked = ((component, amount) for component, amount in loan.waivable if component in request.waive)
    waived = tuple(sorted((component, amount) for component, amount in asked if amount.minor > 0))
    parts = loan.left_parts if request.whole_loan else loan.due_parts
    known = tuple(sorted((component, amount) for component, amount in parts if amount.minor))
    return CoveredLoan(loan.loan_id, loan.loan_ref, loan.product_class, covered, waived, known)


def amounts_for(request: TermsRequest, total: Money) -> tuple[Money, ...]:
    """The instalment amounts the request asks for over `total`."""
    if request.count is not None and request.amount is None:
        if request.step is not None:
            return stepped(total, request.count, request.step)
        return by_count(total, request.count)
    if request.amount is not None and request.count is None:
        return by_amount(total, request.amount)
    raise UnableToSchedule(Unschedulable.CHOICE_MISSING)


def terms_for(
    request: TermsRequest,
    loans: tuple[LoanBasis, ...],
    *,
    as_of: date,
    first_earliest: date,
    upfront_due_on: date | None,
    working_days: WorkingDays,
) -> Terms:
    """The exact terms a request comes to on one day's balance; UnableToSchedule when there are none.

    `first_earliest` and `upfront_due_on` are what the bank's rules give where the person chose nothing.
    """
    covered = covered_loans(request, loans)
    if not covered:
        raise UnableToSchedule(Unschedulable.NOTHING_DUE)
    currency = covered[0].covered.currency
    payable = Money.sum((loan.covered - loan.waived_total for loan in covered), currency)
    upfront = request.upfront or Money.zero(currency)
    if payable.minor <= 0:
        raise UnableToSchedule(Unschedulable.NOTHING_DUE)
    if upfront.minor < 0 or upfront >= payable:
        raise UnableToSchedule(Unschedulable.UPFRONT_TOO_LARGE)
    amounts = amounts_for(request, payable - upfront)
    first = first_pay_day(
        request.first_due_on or first_earliest, pay_day=request.pay_day, frequency=request.frequency
    )
    dates = working_dates(
        first, len(amounts), request.frequency, pay_day=request.pay_day, working_days=working_days
    )
    return Terms(
        currency=currency,
        as_of=as_of,
        loans=covered,
        upfront=upfront,
        upfront_due_on=(request.upfront_due_on or upfront_due_on) if upfront else None,
        frequency=request.frequency,
        pay_day=request.pay_day,
        instalments=tuple(
            Instalment(number, due_on, amount)
            for number, (due_on, amount) in enumerate(zip(dates, amounts, strict=True), start=1)
        ),
        freeze_interest=request.freeze_interest,
        freeze_penalty=True,
        whole_loan=request.whole_loan,
    )
