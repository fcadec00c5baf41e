"""The bank's policy for plans: what it asks, whether terms meet it, and the nearest terms that do.

Pure. Every rule answers with a finding, met or not; findings hold codes and figures, words are for
the pages. Defaults are those of the design; each is a setting of the bank.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from portal.dates import Frequency, add_months
from portal.hardship.affordability import Affordability, assess
from portal.money import Money
from portal.plans.forming import covered_loans
from portal.plans.rules import REACH, Assessment, Finding, Ground, Means, Offer, Policy, Severity
from portal.plans.terms import Terms, TermsRequest
from portal.schedules.days import MONTHLY_KINDS, first_pay_day, working_dates
from portal.schedules.parts import Step, UnableToSchedule, Unschedulable, count_for

__all__ = [
    "Assessment",
    "Finding",
    "Ground",
    "Means",
    "Offer",
    "Policy",
    "Severity",
    "affordability_of",
    "check",
    "examine",
    "longest_count",
    "may_approve_alone",
    "nearest",
    "offer_of",
    "offers",
    "payable_of",
    "wished_count",
]

LATEST_PAY_DAY = 28
#: How many lower instalments the stepped suggestion begins with.
LOWER_STEPS = 12


def examine(request: TermsRequest, ground: Ground) -> Assessment:
    """Measure a request: all findings at once, also where no schedule can be made of it."""
    try:
        terms = ground.terms(request)
    except UnableToSchedule as unable:
        return Assessment(request, None, tuple(_unschedulable(unable, request, ground.policy)))
    return Assessment(request, terms, check(terms, ground))


def _unschedulable(unable: UnableToSchedule, request: TermsRequest, policy: Policy) -> Iterable[Finding]:
    if unable.reason is not Unschedulable.TOO_MANY:
        yield Finding(unable.reason.value, Severity.BLOCKS)
        return
    excess = unable.count - policy.max_instalments
    yield Finding("instalment_count", Severity.BLOCKS, unable.count, 1, policy.max_instalments, excess=excess)
    if request.amount is not None and request.amount < policy.minimum_instalment:
        yield Finding("instalment_minimum", Severity.BLOCKS, request.amount, policy.minimum_instalment)


def check(terms: Terms, ground: Ground) -> tuple[Finding, ...]:
    """Every rule's finding on `terms`, in the order the desk and the borrower read them."""
    findings = [
        _count(terms, ground),
        _minimum(terms, ground),
        _pay_day(terms),
        _frequency(terms, ground),
        *_dates(terms, ground),
        *_affordability(terms, ground),
        _two_people_amount(terms, ground),
        _concession(terms),
    ]
    return tuple(finding for finding in findings if finding is not None)


def _count(terms: Terms, ground: Ground) -> Finding:
    limit = ground.policy.max_instalments
    over = terms.count - limit
    severity = Severity.BLOCKS if over > 0 else Severity.FINE
    return Finding("instalment_count", severity, terms.count, 1, limit, excess=over if over > 0 else None)


def _minimum(terms: Terms, ground: Ground) -> Finding:
    """The last instalment may be a residue; a single one pays all there is and is never too small."""
    minimum = ground.policy.minimum_instalment
    smallest = min((part.amount for part in terms.instalments[:-1]), default=None)
    too_small = smallest is not None and smallest < minimum
    return Finding(
        "instalment_minimum",
        Severity.BLOCKS if too_small else Severity.FINE,
        smallest or terms.last.amount,
        minimum,
    )


def _pay_day(terms: Terms) -> Finding | None:
    if terms.frequency not in MONTHLY_KINDS:
        return None
    fine = 1 <= terms.pay_day <= LATEST_PAY_DAY
    return Finding("pay_day", Severity.FINE if fine else Severity.BLOCKS, terms.pay_day, 1, LATEST_PAY_DAY)


def _frequency(terms: Terms, ground: Ground) -> Finding | None:
    if terms.frequency in ground.policy.frequencies:
        return None
    return Finding("frequency", Severity.BLOCKS, terms.frequency.value)


def _dates(terms: Terms, ground: Ground) -> Iterable[Finding]:
    shape = TermsRequest(
        count=terms.count,
        pay_day=terms.pay_day,
        frequency=terms.frequency,
        upfront=terms.upfront,
        upfront_due_on=terms.upfront_due_on,
    )
    low, high = ground.first_window(shape)
    yield Finding("first_date", _within(terms.first.due_on, low, high), terms.first.due_on, low, high)
    if terms.upfront and terms.upfront_due_on:
        last = ground.working_days.next_open(ground.today + timedelta(days=ground.policy.first_within_days))
        due = terms.upfront_due_on
        yield Finding("upfront_date", _within(due, ground.today, last), due, ground.today, last)
    end, limit = terms.last.due_on, ground.last_possible
    yield Finding("last_date", Severity.BLOCKS if end > limit else Severity.FINE, end, None, limit)


def _within(day: date, low: date, high: date) -> Severity:
    return Severity.FINE if low <= day <= high else Severity.BLOCKS


def affordability_of(terms: Terms, ground: Ground) -> Affordability | None:
    """How the plan's largest instalment sits in the stated month; None where nothing was stated."""
    if ground.means is None or ground.means.ordinary.currency != terms.currency:
        return None
    return assess(
        budget=ground.means.budget,
        ordinary_instalments=ground.means.ordinary,
        instalment=terms.largest,
        frequency=terms.frequency,
        limit_percent=ground.policy.share_percent,
    )


def _affordability(terms: Terms, ground: Ground) -> Iterable[Finding]:
    figures = affordability_of(terms, ground)
    if figures is None:
        return
    if figures.nothing_left:
        yield Finding("nothing_left_over", Severity.NEEDS_COMMENT, figures.left_over)
        return
    yield Finding(
        "share",
        Severity.FINE if figures.within_limit else Severity.NEEDS_COMMENT,
        figures.share_percent,
        None,
        figures.limit_percent,
    )
    yield Finding(
        "less_income",
        Severity.FINE if figures.less_income.holds else Severity.NOTE,
        figures.less_income.share_percent,
        None,
        figures.limit_percent,
    )
    yield Finding(
        "one_late",
        Severity.FINE if figures.one_late.holds else Severity.NOTE,
        figures.one_late.left,
        Money.zero(terms.currency),
    )


def _two_people_amount(terms: Terms, ground: Ground) -> Finding:
    limit = ground.policy.second_person_above
    severity = Severity.NEEDS_SECOND if terms.covered > limit else Severity.FINE
    return Finding("second_person_amount", severity, terms.covered, None, limit)


def _concession(terms: Terms) -> Finding | None:
    if not terms.has_concession:
        return None
    return Finding("concession", Severity.NEEDS_SECOND, terms.waived)


def may_approve_alone(assessment: Assessment, policy: Policy) -> bool:
    """Whether the bank's rule approves without a person: affordable, small, short, no concession."""
    terms = assessment.terms
    if not policy.automatic_approval or terms is None or not assessment.passes:
        return False
    last_allowed = add_months(terms.first.due_on, policy.automatic_max_months)
    return (
        all(finding.ok for finding in assessment.findings)
        and any(finding.code == "share" for finding in assessment.findings)
        and terms.payable <= policy.automatic_max_amount
        and terms.last.due_on < last_allowed
    )


def offers(
    ground: Ground,
    *,
    pay_day: int = 18,
    frequency: Frequency = Frequency.MONTHLY,
    base: TermsRequest | None = None,
) -> tuple[Offer, ...]:
    """Up to three plans that pass: the longest affordable one and the two next shorter (60, 54, 48).

    Where even the longest asks more than the share, it alone is offered; nothing due, none. `base` holds
    what else the person wishes (what is covered, upfront, waived); it stands in for day and frequency.
    """
    base = _mended(base or TermsRequest(count=1, pay_day=pay_day, frequency=frequency), ground)
    longest = longest_count(base, ground)
    counts = dict.fromkeys(count for count in (longest, longest * 9 // 10, longest * 8 // 10) if count > 0)
    made = [offer for count in counts if (offer := offer_of(base.with_count(count), ground)) is not None]
    affordable = [offer for offer in made if offer.share_percent is None or _affordable(offer, ground)]
    return tuple(affordable or made[:1])


def _affordable(offer: Offer, ground: Ground) -> bool:
    return not Assessment(offer.request, offer.terms, check(offer.terms, ground)).needs_comment


def offer_of(request: TermsRequest, ground: Ground) -> Offer | None:
    """The request as an offer when it passes, else None."""
    assessment = examine(request, ground)
    if assessment.terms is None or not assessment.passes:
        return None
    figures = affordability_of(assessment.terms, ground)
    return Offer(request, assessment.terms, figures.share_percent if figures else None)


def nearest(request: TermsRequest, ground: Ground) -> tuple[Offer, ...]:
    """The nearest plans that pass when `request` does not, at most two; none when it passes as it is.

    In turn: the same wish with what the rules forbid put right, the longest plan the rules allow, and
    a plan that begins with the wished amount and pays more later.
    """
    own = examine(request, ground)
    if own.passes and not own.needs_comment:
        return ()
    mended = _mended(request, ground)
    wishes = [mended] if mended != request else []
    longest = longest_count(mended, ground)
    if longest:
        wishes.append(mended.with_count(longest))
        wishes.extend(_with_lower_start(mended, request.amount, longest))
    found: dict[str, Offer] = {}
    for wish in wishes:
        offer = offer_of(wish, ground)
        if offer is not None and (own.terms is None or offer.terms != own.terms):
            found.setdefault(offer.terms.digest(), offer)
    return tuple(found.values())[:2]


def _with_lower_start(mended: TermsRequest, amount: Money | None, longest: int) -> Iterable[TermsRequest]:
    if amount is not None and longest > LOWER_STEPS:
        yield replace(mended.with_count(longest), step=Step(LOWER_STEPS, amount))


def _mended(request: TermsRequest, ground: Ground) -> TermsRequest:
    """The request with each forbidden choice replaced by the nearest allowed one; amount and count stay."""
    known = {loan.loan_ref for loan in ground.loans}
    refs = request.loan_refs
    mended = replace(
        request,
        pay_day=min(max(request.pay_day, 1), LATEST_PAY_DAY),
        frequency=request.frequency if request.frequency in ground.policy.frequencies else Frequency.MONTHLY,
        loan_refs=refs if refs is None or known.issuperset(refs) else None,
    )
    if not payable_of(mended, ground):
        mended = replace(mended, waive=(), loan_refs=None)
    if not _upfront_fits(mended, ground):
        mended = replace(mended, upfront=None, upfront_due_on=None)
    elif mended.upfront_due_on is not None and not _upfront_day_fits(mended.upfront_due_on, ground):
        mended = replace(mended, upfront_due_on=None)
    low, high = ground.first_window(mended)
    if mended.first_due_on is not None and not _first_fits(mended, mended.first_due_on, low, high, ground):
        mended = replace(mended, first_due_on=None)
    return mended


def _first_fits(request: TermsRequest, chosen: date, low: date, high: date, ground: Ground) -> bool:
    if not low - REACH <= chosen <= high:
        return False
    first = first_pay_day(chosen, pay_day=request.pay_day, frequency=request.frequency)
    return low <= ground.working_days.next_open(first) <= high


def _upfront_fits(request: TermsRequest, ground: Ground) -> bool:
    payable = payable_of(request, ground)
    return request.upfront is not None and 0 < request.upfront.minor < payable.minor


def _upfront_day_fits(day: date, ground: Ground) -> bool:
    return ground.today <= day <= ground.today + timedelta(days=ground.policy.first_within_days)


def payable_of(request: TermsRequest, ground: Ground) -> Money:
    """What the request's loans come to, less what it asks to be waived; nought when there is nothing."""
    currency = ground.policy.minimum_instalment.currency
    try:
        covered = covered_loans(request, ground.loans)
    except UnableToSchedule:
        return Money.zero(currency)
    currency = covered[0].covered.currency if covered else currency
    return Money.sum((loan.covered - loan.waived_total for loan in covered), currency)


def longest_count(request: TermsRequest, ground: Ground) -> int:
    """The most instalments the rules allow for the request's amount, days and frequency; 0 for none."""
    upfront = request.upfront.minor if request.upfront else 0
    total = payable_of(request, ground).minor - upfront
    if total <= 0:
        return 0
    by_size = max(1, total // ground.policy.minimum_instalment.minor)
    most = min(ground.policy.max_instalments, by_size)
    first = first_pay_day(
        request.first_due_on or ground.first_window(request)[0],
        pay_day=request.pay_day,
        frequency=request.frequency,
    )
    dates = working_dates(
        first, most, request.frequency, pay_day=request.pay_day, working_days=ground.working_days
    )
    return sum(day <= ground.last_possible for day in dates)


def wished_count(request: TermsRequest, ground: Ground) -> int | None:
    """How many instalments the wished amount would take, however many; None where nothing was wished."""
    if request.count is not None:
        return request.count
    upfront = request.upfront or Money.zero(ground.policy.minimum_instalment.currency)
    total = payable_of(request, ground)
    if request.amount is None or request.amount.minor <= 0 or total <= upfront:
        return None
    return count_for(total - upfront, request.amount)
