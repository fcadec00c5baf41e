"""The decision form: what a reviewer typed, kept as typed, and the change of terms it comes to."""

from __future__ import annotations

import unicodedata
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, RadioField, SelectMultipleField, StringField, TextAreaField, ValidationError

from portal.plans.policy import LATEST_PAY_DAY
from portal.plans.terms import Terms
from portal.reviews.four_eyes import FIRST, SECOND, Kind
from portal.reviews.offers import Change, change_of
from portal.reviews.reasons import OWN_REASONS, PAPERS, QUESTIONS
from portal.web.forms import Form, MoneyField

#: No plan has more instalments than this; the bank's own limit is a finding, not an error.
MOST_INSTALMENTS = 600


class WholeField(StringField):
    """A small whole number as people type it; full-width digits are understood. `number` holds it."""

    def __init__(self, label: Any = None, *, most: int, optional: bool = False, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.most = most
        self.optional = optional
        self.number: int | None = None

    def pre_validate(self, form: Any) -> None:
        """Read the number; an unreadable one becomes a worded error."""
        typed = unicodedata.normalize("NFKC", self.data or "").strip()
        if typed == "" and self.optional:
            return
        if not (typed.isascii() and typed.isdigit() and len(typed) < 5 and 1 <= int(typed) <= self.most):
            raise ValidationError(_l("Enter a whole number from 1 to %(most)s.", most=self.most))
        self.number = int(typed)


class DecisionForm(Form):
    """One form for every answer; the fields of the other answers stay where they are."""

    kind = RadioField(_l("Decision"), choices=[kind.value for kind in Kind], validate_choice=False)
    upfront = MoneyField(_l("Upfront payment (yuan)"), optional=True)
    count = WholeField(_l("Number of instalments"), most=MOST_INSTALMENTS, optional=True)
    amount = MoneyField(_l("Or amount each (yuan)"), optional=True)
    pay_day = WholeField(_l("Pay day"), most=LATEST_PAY_DAY)
    freeze_interest = BooleanField(_l("Freeze interest while the plan is kept"))
    waive_fee = BooleanField(_l("Waive the charges"))
    waive_penalty_interest = BooleanField(_l("Waive the penalty interest"))
    asked = SelectMultipleField(
        _l("What is missing"),
        choices=[f"paper:{code}" for code in PAPERS] + [f"answer:{code}" for code in QUESTIONS],
        validate_choice=False,
    )
    reasons = SelectMultipleField(_l("Your own reasons"), choices=list(OWN_REASONS), validate_choice=False)
    note = TextAreaField(_l("Words to the borrower"))

    @classmethod
    def of(cls, terms: Terms) -> DecisionForm:
        """The form before anybody typed: the counter-offer starts from the borrower's own terms."""
        change = change_of(terms)
        return cls(
            formdata=None,
            upfront=change.upfront.plain() if change.upfront else "",
            count=str(change.count),
            pay_day=str(change.pay_day),
            freeze_interest=change.freeze_interest,
            waive_fee="fee" in change.waive,
            waive_penalty_interest="penalty_interest" in change.waive,
        )

    def chosen(self, stage: int) -> Kind | None:
        """The decision chosen, when it is one of this stage."""
        words = {kind.value: kind for kind in (FIRST if stage == 1 else SECOND)}
        return words.get(self.kind.data or "")

    def change(self) -> Change | None:
        """The counter-offer's change; None when a field of it cannot be read (each with its error)."""
        fields = (self.upfront, self.count, self.amount, self.pay_day)
        if not all([field.validate(self) for field in fields]):
            return None
        if self.count.number is None and self.amount.money is None:
            self.count.errors = [str(_l("Enter the number of instalments, or an amount."))]
            return None
        waive = {"fee": self.waive_fee.data, "penalty_interest": self.waive_penalty_interest.data}
        return Change(
            upfront=self.upfront.money,
            count=None if self.amount.money else self.count.number,
            amount=self.amount.money,
            pay_day=self.pay_day.number or 1,
            freeze_interest=bool(self.freeze_interest.data),
            waive=tuple(sorted(code for code, is_waived in waive.items() if is_waived)),
        )
