"""Every figure of a plan as the sum of what it is made of: its instalments, and what was counted towards each.

Pure. Codes: ``plan.total``, ``plan.paid``, ``plan.left``, and ``plan.part`` for what is open of one instalment;
of terms, proposed or agreed, ``terms.covered``, ``terms.loan`` for what they cover of one loan, ``terms.waived`` and
``terms.payable``.
"""

from __future__ import annotations

from portal.accounts.figures import Explained, Summand
from portal.money import Money
from portal.plans.progress import PlanView
from portal.plans.terms import Terms


def plan_figure(plan: PlanView, code: str, number: int = 0) -> Explained | None:
    """A figure of the plan; `number` is the instalment of ``plan.part``. None for one there is not."""
    if code == "plan.total":
        parts = tuple(Summand(part.amount, due_on=part.due_on) for part in plan.instalments)
        return Explained(code, plan.total, parts)
    if code == "plan.paid":
        paid = (part for part in plan.instalments if part.paid)
        return Explained(code, plan.paid, tuple(Summand(part.paid, due_on=part.due_on) for part in paid))
    if code == "plan.left":
        return Explained(
            code, plan.left, (Summand(plan.total, "plan.total"), Summand(-plan.paid, "plan.paid"))
        )
    if code == "plan.part":
        part = next((part for part in plan.instalments if part.number == number), None)
        if part is not None:
            summands = (Summand(part.amount, due_on=part.due_on), Summand(-part.paid, "plan.counted"))
            return Explained(code, part.amount - part.paid, summands)
    return None


def terms_figure(terms: Terms, code: str, loan_ref: str = "") -> Explained | None:
    """A figure of terms as they were sent, offered or agreed; `loan_ref` is the loan of ``terms.loan``. None for
    one there is not, or whose parts were not kept."""
    if code == "terms.covered":
        loans = (Summand(loan.covered, "terms.loan", loan.loan_ref) for loan in terms.loans)
        return Explained(code, terms.covered, tuple(loans))
    if code == "terms.payable":
        waived = (Summand(-terms.waived, "terms.waived"),) if terms.waived else ()
        return Explained(code, terms.payable, (Summand(terms.covered, "terms.covered"), *waived))
    if code == "terms.waived":
        parts = [(loan.loan_ref, name, amount) for loan in terms.loans for name, amount in loan.waived]
        summands = tuple(Summand(amount, f"terms.given.{name}", loan_ref) for loan_ref, name, amount in parts)
        return Explained(code, terms.waived, summands)
    loan = next((loan for loan in terms.loans if loan.loan_ref == loan_ref), None)
    if (
        code != "terms.loan"
        or loan is None
        or Money.sum((part for _, part in loan.parts), terms.currency) != loan.covered
    ):
        return None
    return Explained(
        code, loan.covered, tuple(Summand(amount, f"terms.part.{name}") for name, amount in loan.parts)
    )
