"""The wishes of a proposal as a form: what people type becomes a TermsRequest, and back into an address."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, SelectMultipleField, StringField, TextAreaField, ValidationError

from portal.dates import Frequency
from portal.money import Money
from portal.plans.terms import TermsRequest
from portal.schedules.parts import Step
from portal.web.forms import Form, MoneyField

FREQUENCIES = {
    Frequency.WEEKLY.value: _l("every week"),
    Frequency.FORTNIGHTLY.value: _l("every two weeks"),
    Frequency.FOUR_WEEKLY.value: _l("every four weeks"),
    Frequency.MONTHLY.value: _l("every month"),
    Frequency.QUARTERLY.value: _l("every three months"),
}
#: The pay day that is offered first.
USUAL_DAY = 18
OWN = "own"
COMMENT_LENGTH = 1000


class WholeField(StringField):
    """A whole number as people type it; `number` holds it, what was typed stays in `data`."""

    def __init__(self, label: Any, *, low: int, high: int, words: Any, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.low, self.high, self.words = low, high, words
        self.number: int | None = None

    def pre_validate(self, form: Any) -> None:
        """Read the number; nothing typed is no number, anything else but one in range an error."""
        typed = unicodedata.normalize("NFKC", self.data or "").strip()
        if typed == "":
            return
        if not re.fullmatch(r"[0-9]{1,4}", typed) or not self.low <= int(typed) <= self.high:
            raise ValidationError(self.words)
        self.number = int(typed)


class ChoiceField(StringField):
    """One of the rhythms, as a list to choose from."""

    choices = tuple(FREQUENCIES.items())


class ProposeForm(Form):
    """Everything a proposal can ask for. All of it may stand in the address; the comment may not."""

    plan = StringField()
    amount = MoneyField(_l("How much each time"), optional=True)
    count = WholeField(
        _l("or how many instalments"),
        low=1,
        high=600,
        words=_l("Enter the number of instalments as a whole number, for example 24."),
    )
    day = WholeField(
        _l("Pay day"),
        low=1,
        high=28,
        words=_l("Choose a day from 1 to 28: every month has these."),
    )
    frequency = ChoiceField(_l("How often"))
    upfront = MoneyField(_l("A first payment before the instalments (you can leave this out)"), optional=True)
    step_count = WholeField(
        _l("Pay less at first: number of instalments"),
        low=1,
        high=599,
        words=_l("Enter the number of instalments as a whole number, for example 12."),
    )
    step_amount = MoneyField(_l("each of these"), optional=True)
    loans = SelectMultipleField(_l("Which loan accounts"), choices=(), validate_choice=False)
    whole = BooleanField(_l("Also cover what is not yet due on these accounts"))
    freeze = BooleanField(_l("Stop ordinary interest while I keep the plan"))
    waive = SelectMultipleField(_l("Waive"), choices=(), validate_choice=False)
    comment = TextAreaField(_l("How will you manage this payment?"))

    def check(self, comment_needed: bool = False) -> bool:
        """Whether everything could be read and fits together; words stand at the fields."""
        fine = bool(self.validate())
        if self.is_own:
            fine = self._check_own() and fine
        if len(self.comment.data or "") > COMMENT_LENGTH:
            self.comment.errors = [_l("This is longer than 1,000 characters. Please shorten it.")]
        elif comment_needed and not (self.comment.data or "").strip():
            self.comment.errors = [_l("Say in a sentence or two how you will manage this payment.")]
        if "sent" in self.given and not self.loans.data:
            self.loans.errors = [_l("Choose at least one loan account.")]
        return bool(fine and not self.problems())

    def _check_own(self) -> bool:
        has_amount, has_count = bool((self.amount.data or "").strip()), bool((self.count.data or "").strip())
        if not has_amount and not has_count:
            self.amount.errors = [_l("Enter an amount, or the number of instalments.")]
        elif has_amount and has_count:
            self.count.errors = [_l("Enter either an amount or a number of instalments, not both.")]
        if bool(self.step_count.number) != bool(self.step_amount.money):
            if not self.step_amount.errors and not self.step_count.errors:
                self.step_amount.errors = [_l("Enter both: how many instalments, and how much each.")]
        elif self.step_count.number and not has_count:
            self.step_count.errors = [
                _l("To pay less at first, enter the number of instalments instead of an amount.")
            ]
        return not bool(self.problems())

    @property
    def is_own(self) -> bool:
        """Whether the person shapes the plan, and does not take an offered one."""
        return bool(self.plan.data == OWN)

    def base(self) -> TermsRequest:
        """What is asked beside amounts and dates: pay day, which loans, what the bank is to give up.

        Its count only holds the place."""
        return TermsRequest(
            count=1,
            pay_day=self.day.number or USUAL_DAY,
            loan_refs=tuple(self.loans.data or ()),
            whole_loan=bool(self.whole.data),
            freeze_interest=bool(self.freeze.data),
            waive=tuple(name for name in ("fee", "penalty_interest") if name in (self.waive.data or ())),
        )

    def request(self) -> TermsRequest:
        """What the fields ask for; call after `check`. An offered plan takes its count and the pay day."""
        base = self.base()
        return self._own(base) if self.is_own else base.with_count(_count(self.plan.data))

    def _own(self, base: TermsRequest) -> TermsRequest:
        step = None
        if self.step_count.number and self.step_amount.money:
            step = Step(self.step_count.number, self.step_amount.money)
        how_often = self.frequency.data if self.frequency.data in FREQUENCIES else Frequency.MONTHLY.value
        return replace(
            base,
            amount=self.amount.money,
            count=None if self.amount.money else self.count.number,
            frequency=Frequency(how_often),
            upfront=self.upfront.money,
            step=step,
        )

    @property
    def given(self) -> Mapping[str, Any]:
        """What came with the request, to tell an unticked box from a first visit."""
        return self._given

    _given: Mapping[str, Any] = {}


def _count(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,3}", text) else 0


def form_of(given: MultiDict[str, str], *, currency: str, loan_refs: tuple[str, ...]) -> ProposeForm:
    """The form over an address or a body; on a first visit every loan with something due is ticked."""
    filled = MultiDict(given)
    filled.setdefault("frequency", Frequency.MONTHLY.value)
    filled.setdefault("day", str(USUAL_DAY))
    if "sent" not in given and "loans" not in given:
        filled.setlist("loans", list(loan_refs))
    form = ProposeForm(filled)
    form._given = given
    for field in (form.amount, form.upfront, form.step_amount):
        field.currency = currency
    return form


def address_of(request: TermsRequest, currency: str) -> dict[str, Any]:
    """The parameters that lead to a request again."""

    def plain(amount: Money | None) -> str | None:
        return amount.plain() if amount else None

    return {
        "sent": "1",
        "plan": OWN,
        "amount": plain(request.amount),
        "count": request.count,
        "day": request.pay_day,
        "frequency": request.frequency.value,
        "upfront": plain(request.upfront),
        "step_count": request.step.count if request.step else None,
        "step_amount": plain(request.step.amount) if request.step else None,
        "loans": list(request.loan_refs or ()),
        "whole": "1" if request.whole_loan else None,
        "freeze": "1" if request.freeze_interest else None,
        "waive": list(request.waive),
        "currency": currency,
    }
