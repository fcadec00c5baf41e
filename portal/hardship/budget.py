"""The monthly lines people are asked for, and how what they typed becomes amounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.money import AmountError, Money

#: Why somebody fell behind; words in the templates.
REASONS = (
    "income_lost",
    "income_less",
    "illness",
    "bereavement",
    "family",
    "disaster",
    "business",
    "other",
)

#: Reasons that tell something about health: sending them needs the separate consent (PIPL art. 29).
SENSITIVE_REASONS = frozenset({"illness", "bereavement"})

#: kind -> labels, in the order of the page. Codes are stored; words are in the templates.
LINES: dict[str, tuple[str, ...]] = {
    "income": ("salary", "business", "pension", "benefits", "other_income"),
    "spending": ("food", "utilities", "transport", "medical", "children", "other_spending"),
    "priority_debt": ("rent", "mortgage", "maintenance", "other_debts"),
}

KIND_OF = {label: kind for kind, labels in LINES.items() for label in labels}
#: The place of each line on its page.
POSITION = {label: place for labels in LINES.values() for place, label in enumerate(labels)}


@dataclass(frozen=True, slots=True)
class Typed:
    """What could be read of a page of amounts: amounts by label (None: left blank), and for the rest
    the AmountError's reason by label."""

    amounts: Mapping[str, Money | None]
    problems: Mapping[str, str]

    @property
    def all_blank(self) -> bool:
        """Whether nothing at all was typed."""
        return not self.problems and all(amount is None for amount in self.amounts.values())


def read_amounts(texts: Mapping[str, str], currency: str) -> Typed:
    """Read a page of monthly amounts. Blank is "not said"; a typed nought is nought.

    >>> typed = read_amounts({"salary": "３,500", "pension": "", "business": "0", "benefits": "x"}, "CNY")
    >>> typed.amounts["salary"].minor, typed.amounts["pension"], typed.amounts["business"].minor
    (350000, None, 0)
    >>> dict(typed.problems)
    {'benefits': 'form'}
    """
    amounts: dict[str, Money | None] = {}
    problems: dict[str, str] = {}
    for label, text in texts.items():
        try:
            amounts[label] = Money.from_person(text, currency)
        except AmountError as error:
            if error.reason == "empty":
                amounts[label] = None
            elif error.reason == "zero":
                amounts[label] = Money.zero(currency)
            else:
                problems[label] = error.reason
    return Typed(amounts, problems)
