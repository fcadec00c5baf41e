"""Terms: exactly what is proposed, approved and agreed, as one frozen value with one text and one digest.

A changed mind is another Terms in the next round; nothing here is ever edited.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from portal.dates import Frequency
from portal.money import Money
from portal.schedules.parts import Step

#: Raised when the canonical text changes its shape; old texts keep theirs.
TEXT_VERSION = 1


@dataclass(frozen=True, slots=True)
class LoanBasis:
    """What one loan brings to a plan on the day of the balance: the two amounts a plan may cover."""

    loan_id: int
    loan_ref: str
    product_class: str
    due_now: Money
    left: Money
    #: what is left of the components that can be waived: ("fee", 450.00), ("penalty_interest", 0.00)
    waivable: tuple[tuple[str, Money], ...] = ()
    #: the structure of `due_now` and of `left`, by component
    due_parts: tuple[tuple[str, Money], ...] = ()
    left_parts: tuple[tuple[str, Money], ...] = ()


@dataclass(frozen=True, slots=True)
class TermsRequest:
    """What a person chose. Exactly one of `amount` and `count` is set; amounts follow from the balance."""

    amount: Money | None = None
    count: int | None = None
    pay_day: int = 18
    frequency: Frequency = Frequency.MONTHLY
    #: the first instalment is on the first pay day from then on; None: the first the bank's rules allow
    first_due_on: date | None = None
    upfront: Money | None = None
    upfront_due_on: date | None = None
    step: Step | None = None
    freeze_interest: bool = False
    #: components asked to be waived in full: "fee", "penalty_interest"
    waive: tuple[str, ...] = ()
    #: None: every loan with something due
    loan_refs: tuple[str, ...] | None = None
    #: True: the whole loan, not only what is due now
    whole_loan: bool = False

    def with_count(self, count: int) -> TermsRequest:
        """The same wishes with a chosen count instead of a chosen amount."""
        return replace(self, count=count, amount=None, step=None)


@dataclass(frozen=True, slots=True)
class CoveredLoan:
    """One loan under the plan: what it covers of it, and what of that the bank is to waive."""

    loan_id: int
    loan_ref: str
    product_class: str
    covered: Money
    waived: tuple[tuple[str, Money], ...] = ()
    #: the structure of what is covered, by component, as the agreement states it
    parts: tuple[tuple[str, Money], ...] = ()

    @property
    def waived_total(self) -> Money:
        """What is waived on this loan."""
        return Money.sum((amount for _, amount in self.waived), self.covered.currency)


@dataclass(frozen=True, slots=True)
class Instalment:
    """Number 1 is the first after the upfront payment; number 0 is the upfront payment itself."""

    number: int
    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one round. `upfront` + instalments = covered - waived, exactly (S1)."""

    currency: str
    as_of: date
    loans: tuple[CoveredLoan, ...]
    upfront: Money
    upfront_due_on: date | None
    frequency: Frequency
    pay_day: int
    instalments: tuple[Instalment, ...]
    freeze_interest: bool
    freeze_penalty: bool
    whole_loan: bool

    @property
    def covered(self) -> Money:
        """What the plan covers, before anything is waived."""
        return Money.sum((loan.covered for loan in self.loans), self.currency)

    @property
    def waived(self) -> Money:
        """What the bank gives up."""
        return Money.sum((loan.waived_total for loan in self.loans), self.currency)

    @property
    def payable(self) -> Money:
        """What the borrower pays in all: covered less waived."""
        return self.covered - self.waived

    @property
    def instalments_total(self) -> Money:
        """The sum of the instalments, the upfront payment not counted."""
        return Money.sum((part.amount for part in self.instalments), self.currency)

    @property
    def count(self) -> int:
        """How many instalments, the upfront payment not counted."""
        return len(self.instalments)

    @property
    def usual(self) -> Money:
        """The ordinary instalment: the first one after any lower first steps."""
        return self.instalments[-2].amount if self.count > 1 else self.instalments[-1].amount

    @property
    def first(self) -> Instalment:
        """The first instalment."""
        return self.instalments[0]

    @property
    def last(self) -> Instalment:
        """The last instalment, which takes the residue."""
        return self.instalments[-1]

    @property
    def largest(self) -> Money:
        """The largest instalment; affordability looks at this one."""
        return max(part.amount for part in self.instalments)

    @property
    def product_classes(self) -> tuple[str, ...]:
        """The product classes under the plan, each once, in order of the loans."""
        return tuple(dict.fromkeys(loan.product_class for loan in self.loans))

    @property
    def has_concession(self) -> bool:
        """Whether the bank gives something up: interest frozen or an amount waived."""
        return self.freeze_interest or bool(self.waived)

    @property
    def payments(self) -> tuple[Instalment, ...]:
        """Everything that falls due, the upfront payment as number 0 first."""
        if not self.upfront or self.upfront_due_on is None:
            return self.instalments
        return (Instalment(0, self.upfront_due_on, self.upfront), *self.instalments)

    def as_request(self) -> TermsRequest:
        """A request that leads to terms like these: where changing some of them begins."""
        step = None
        lower = [part.amount for part in self.instalments if part.amount == self.first.amount]
        if self.count > 2 and self.first.amount != self.usual and len(lower) < self.count - 1:
            step = Step(len(lower), self.first.amount)
        return TermsRequest(
            count=self.count,
            pay_day=self.pay_day,
            frequency=self.frequency,
            upfront=self.upfront or None,
            step=step,
            freeze_interest=self.freeze_interest,
            waive=tuple(dict.fromkeys(name for loan in self.loans for name, _ in loan.waived)),
            loan_refs=tuple(loan.loan_ref for loan in self.loans),
            whole_loan=self.whole_loan,
        )

    def canonical(self) -> str:
        """One text for these terms and no others: JSON, sorted keys, amounts in minor units."""
        content = {
            "version": TEXT_VERSION,
            "currency": self.currency,
            "as_of": self.as_of.isoformat(),
            "loans": [_loan_text(loan) for loan in self.loans],
            "upfront": self.upfront.minor,
            "upfront_due_on": self.upfront_due_on.isoformat() if self.upfront_due_on else None,
            "frequency": self.frequency.value,
            "pay_day": self.pay_day,
            "instalments": [
                [part.number, part.due_on.isoformat(), part.amount.minor] for part in self.instalments
            ],
            "freeze_interest": self.freeze_interest,
            "freeze_penalty": self.freeze_penalty,
            "whole_loan": self.whole_loan,
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of the canonical text, 64 hex digits: what approvals and acceptances name."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Terms:
        """The terms whose canonical text this is; ValueError when it is not one."""
        try:
            terms = _from_content(json.loads(text))
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not the text of any terms: {error}") from None
        if terms.canonical() != text:
            raise ValueError("not the canonical text of these terms")
        return terms


def _loan_text(loan: CoveredLoan) -> dict[str, Any]:
    return {
        "id": loan.loan_id,
        "ref": loan.loan_ref,
        "product_class": loan.product_class,
        "covered": loan.covered.minor,
        "waived": {component: amount.minor for component, amount in loan.waived},
        "parts": {component: amount.minor for component, amount in loan.parts},
    }


def _from_content(content: dict[str, Any]) -> Terms:
    currency = content["currency"]
    due = content["upfront_due_on"]
    return Terms(
        currency=currency,
        as_of=date.fromisoformat(content["as_of"]),
        loans=tuple(_loan_from(item, currency) for item in content["loans"]),
        upfront=Money(content["upfront"], currency),
        upfront_due_on=date.fromisoformat(due) if due else None,
        frequency=Frequency(content["frequency"]),
        pay_day=content["pay_day"],
        instalments=tuple(
            Instalment(number, date.fromisoformat(day), Money(minor, currency))
            for number, day, minor in content["instalments"]
        ),
        freeze_interest=content["freeze_interest"],
        freeze_penalty=content["freeze_penalty"],
        whole_loan=content["whole_loan"],
    )


def _loan_from(item: dict[str, Any], currency: str) -> CoveredLoan:
    return CoveredLoan(
        loan_id=item["id"],
        loan_ref=item["ref"],
        product_class=item["product_class"],
        covered=Money(item["covered"], currency),
        waived=_parts_from(item["waived"], currency),
        parts=_parts_from(item["parts"], currency),
    )


def _parts_from(minor_by_component: dict[str, int], currency: str) -> tuple[tuple[str, Money], ...]:
    return tuple((component, Money(minor, currency)) for component, minor in minor_by_component.items())
