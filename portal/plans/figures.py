"""Every figure of a plan as the sum of what it is made of: its instalments, and what was counted towards each.

Pure. Codes: ``plan.total``, ``plan.paid``, ``plan.left``, and ``plan.part`` for what is open of one instalment.
"""

from __future__ import annotations

from portal.accounts.figures import Explained, Summand
from portal.plans.progress import PlanView


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
