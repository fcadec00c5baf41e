"""Allocation: which part of what is owed a payment settles, in the order the law or the contract gives.

Pure. The order itself is data of the jurisdiction pack, by product class and days overdue; here it is
only followed: what is due first, principal that is not yet due afterwards, and money that nothing
can take is kept as suspense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.jurisdictions import Jurisdiction
from portal.money import Money

COMPONENTS = ("cost", "fee", "penalty_interest", "interest", "principal")


@dataclass(frozen=True)
class Debt:
    """What is left on one loan, in minor units by component, and how much of the principal is due."""

    loan_id: int
    loan_ref: str
    product_class: str
    days_overdue: int
    annual_rate: Decimal
    left: Mapping[str, int]
    due_principal: int


@dataclass(frozen=True)
class Step:
    """`amount` went to `component`, of which `left_minor` is still to pay; `due` is False in advance."""

    component: str
    due: bool
    amount: Money
    left_minor: int


@dataclass(frozen=True)
class Allocation:
    """Where a payment went on one loan. Sum of the parts + suspense = amount, always (M4)."""

    amount: Money
    parts: Mapping[str, int]
    suspense: Money
    rule: str
    source: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Placed:
    """The allocation of one loan within a payment."""

    debt: Debt
    allocation: Allocation


def allocate(
    amount: Money,
    left: Mapping[str, int],
    due_principal: int,
    *,
    product_class: str,
    days_overdue: int,
    pack: Jurisdiction,
) -> Allocation:
    """Place `amount` on one loan of which `left` (minor units by component) is unpaid.

    Due claims are filled completely one after the other in the pack's order, then principal that is
    not yet due; the rest is suspense. Nothing is rounded. Raises ValueError for an amount that is
    not above zero, a negative component, or more due principal than principal.

    Article 561: costs 3,000, interest 5,000 and principal 100,000 receive 30,000.

    >>> from portal.jurisdictions import pack
    >>> left = {"cost": 300_000, "interest": 500_000, "principal": 10_000_000}
    >>> placed = allocate(
    ...     Money(3_000_000, "CNY"), left, 10_000_000, product_class="loan", days_overdue=40, pack=pack("cn"))
    >>> [(step.component, step.amount.minor) for step in placed.steps]
    [('cost', 300000), ('interest', 500000), ('principal', 2200000)]
    """
    _refuse_impossible(amount, left, due_principal)
    rule = pack.allocation_order(product_class, days_overdue)
    steps: list[Step] = []
    rest = amount.minor
    for component, due, claim in _claims(rule.components, left, due_principal):
        taken = min(rest, claim)
        if taken:
            rest -= taken
            still = left[component] - taken - sum(s.amount.minor for s in steps if s.component == component)
            steps.append(Step(component, due, Money(taken, amount.currency), still))
    return Allocation(
        amount=amount,
        parts=_sums(steps),
        suspense=Money(rest, amount.currency),
        rule=rule.code,
        source=rule.source,
        steps=tuple(steps),
    )


def place(amount: Money, debts: Sequence[Debt], *, pack: Jurisdiction) -> tuple[Placed, ...]:
    """Place `amount` on several loans: what is due on each before anything in advance.

    Among the loans the pack's order of several debts decides (art. 560: the dearest, then the longest
    overdue; the loans here are equally unsecured). What no loan can take is suspense of
    the first. Loans that receive nothing are left out. Raises ValueError without a loan.
    """
    if not debts:
        raise ValueError("a payment needs a loan to go to")
    ordered = sorted(debts, key=lambda debt: _turn(debt, pack.several_debts.value))
    shares = dict.fromkeys((debt.loan_id for debt in ordered), 0)
    rest = amount.minor
    for limit_of in (_due, _left):
        for debt in ordered:
            taken = min(rest, limit_of(debt) - shares[debt.loan_id])
            shares[debt.loan_id] += taken
            rest -= taken
    shares[ordered[0].loan_id] += rest
    return tuple(
        Placed(debt, _on(debt, Money(shares[debt.loan_id], amount.currency), pack))
        for debt in ordered
        if shares[debt.loan_id]
    )


def facts_of(placed: Sequence[Placed]) -> dict[str, Any]:
    """The placement as it is stored with the payment: codes and integers, no words."""
    return {
        "loans": [
            {
                "loan_id": one.debt.loan_id,
                "loan_ref": one.debt.loan_ref,
                "product_class": one.debt.product_class,
                "days_overdue": one.debt.days_overdue,
                "rule": one.allocation.rule,
                "source": one.allocation.source,
                "amount_minor": one.allocation.amount.minor,
                "suspense_minor": one.allocation.suspense.minor,
                "left_after_minor": _left(one.debt) - sum(one.allocation.parts.values()),
                "steps": [
                    {
                        "component": step.component,
                        "due": step.due,
                        "amount_minor": step.amount.minor,
                        "left_minor": step.left_minor,
                    }
                    for step in one.allocation.steps
                ],
            }
            for one in placed
        ]
    }


def _on(debt: Debt, share: Money, pack: Jurisdiction) -> Allocation:
    return allocate(
        share,
        debt.left,
        debt.due_principal,
        product_class=debt.product_class,
        days_overdue=debt.days_overdue,
        pack=pack,
    )


def _claims(
    components: Sequence[str], left: Mapping[str, int], due_principal: int
) -> list[tuple[str, bool, int]]:
    """Every claim in its turn: (component, due, minor units). All that is charged is due, but principal."""
    claims = [
        (component, True, due_principal if component == "principal" else left.get(component, 0))
        for component in components
    ]
    return [*claims, ("principal", False, left.get("principal", 0) - due_principal)]


def _sums(steps: Sequence[Step]) -> dict[str, int]:
    parts: dict[str, int] = {}
    for step in steps:
        parts[step.component] = parts.get(step.component, 0) + step.amount.minor
    return parts


def _due(debt: Debt) -> int:
    return _left(debt) - debt.left.get("principal", 0) + debt.due_principal


def _left(debt: Debt) -> int:
    return sum(debt.left.values())


def _turn(debt: Debt, criteria: Sequence[str]) -> tuple[Decimal | int | str, ...]:
    """Sorts the loan that a payment reaches first to the front; `designated` was settled before, and
    security and shares do not tell the loans here apart."""
    by_criterion: dict[str, Decimal | int] = {
        "due": 0 if _due(debt) else 1,
        "heaviest_burden": -debt.annual_rate,
        "earliest_due": -debt.days_overdue,
    }
    return (*(by_criterion[name] for name in criteria if name in by_criterion), debt.loan_ref)


def _refuse_impossible(amount: Money, left: Mapping[str, int], due_principal: int) -> None:
    if amount.minor <= 0:
        raise ValueError("a payment is above zero")
    if not set(left) <= set(COMPONENTS) or min(left.values(), default=0) < 0:
        raise ValueError("what is left is counted by component and never below zero")
    if not 0 <= due_principal <= left.get("principal", 0):
        raise ValueError("no more principal can be due than is left")
