"""Forms: WTForms with our own words, amounts as people type them, and CSRF left to the door."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, StringField, ValidationError
from wtforms.widgets import TextInput

from portal.money import AmountError, Money

AMOUNT_WORDS = {
    "empty": _l("Enter an amount."),
    "form": _l("Enter the amount as digits with at most two decimals, for example 1,200 or 850.50."),
    "sign": _l("Enter an amount above zero."),
    "zero": _l("Enter an amount above zero."),
    "large": _l("This amount is too large."),
}


def whole_number(text: str | None) -> int:
    """A whole number that a page of ours put into a field or an address; 0 for anything else.

    >>> whole_number("42"), whole_number("-1"), whole_number("٣"), whole_number("9" * 30)
    (42, 0, 0, 0)
    """
    typed = text or ""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 15 else 0


#: Longer than the address of any page of ours.
LONGEST_PATH = 500
#: One slash, and no second one where a browser would read a host; a backslash counts as a slash there.
_PATH = re.compile(r"/(?:[^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*)?")


def own_path(text: str | None) -> str | None:
    """`text` where it is an address within this portal that a redirect may name; else nothing.

    >>> own_path("/my/plan?all=1"), own_path("//evil.example"), own_path("https://evil.example")
    ('/my/plan?all=1', None, None)
    """
    return text if text and len(text) <= LONGEST_PATH and _PATH.fullmatch(text) else None


class Form(FlaskForm):
    """A form whose origin and token portal.web.security has already checked."""

    class Meta:
        csrf = False
        locales = False

    def problems(self) -> list[tuple[Field, str]]:
        """Every field at fault with its first word, in the order of the page: the error summary."""
        return [(field, str(field.errors[0])) for field in self if field.errors]


class MoneyField(StringField):
    """An amount as people type it. `money` holds the Money; what was typed stays in `data`."""

    widget = TextInput()

    def __init__(
        self, label: Any = None, *, currency: str = "CNY", optional: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(label, **kwargs)
        self.currency = currency
        self.optional = optional
        self.money: Money | None = None

    def pre_validate(self, form: Any) -> None:
        """Read the amount; an unreadable one becomes a worded error."""
        typed = (self.data or "").strip()
        if self.optional and typed == "":
            return
        try:
            self.money = Money.from_person(typed, self.currency)
        except AmountError as error:
            raise ValidationError(AMOUNT_WORDS[error.reason]) from None
