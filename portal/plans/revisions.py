"""A plan's schedule after a change of a plan in force, as one text and one digest. Pure.

The agreed terms stay what they are; each change is a value of its own that names the one before it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from portal.money import Money
from portal.plans.terms import Instalment

#: Raised when the canonical text changes its shape; old texts keep theirs.
TEXT_VERSION = 1


class ChangeKind(StrEnum):
    """What the borrower changed; stable codes, worded at the edge."""

    PAY_DAY = "pay_day"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Revision:
    """The whole schedule from one change on: every instalment, those that stayed among them."""

    plan: str
    currency: str
    #: 1 for the plan's first change
    number: int
    kind: ChangeKind
    #: the first instalment that has another day
    first_moved: int
    pay_day: int
    #: what was agreed, and the schedule that this one takes the place of; the terms' own for the first change
    terms_hash: str
    before_hash: str
    instalments: tuple[Instalment, ...]

    @property
    def total(self) -> Money:
        """What is to be paid in all; the same before and after."""
        return Money.sum((part.amount for part in self.instalments), self.currency)

    def canonical(self) -> str:
        """One text for this schedule and no other: JSON, sorted keys, amounts in minor units."""
        content = {
            "version": TEXT_VERSION,
            "plan": self.plan,
            "currency": self.currency,
            "number": self.number,
            "kind": self.kind.value,
            "first_moved": self.first_moved,
            "pay_day": self.pay_day,
            "terms": self.terms_hash,
            "before": self.before_hash,
            "instalments": [
                [part.number, part.due_on.isoformat(), part.amount.minor] for part in self.instalments
            ],
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of the canonical text, 64 hex digits: what the receipt's signature names."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Revision:
        """The schedule whose canonical text this is; ValueError when it is not one."""
        content: dict[str, Any] = json.loads(text)
        currency = content["currency"]
        revision = cls(
            plan=content["plan"],
            currency=currency,
            number=content["number"],
            kind=ChangeKind(content["kind"]),
            first_moved=content["first_moved"],
            pay_day=content["pay_day"],
            terms_hash=content["terms"],
            before_hash=content["before"],
            instalments=tuple(
                Instalment(number, date.fromisoformat(day), Money(minor, currency))
                for number, day, minor in content["instalments"]
            ),
        )
        if revision.canonical() != text:
            raise ValueError("not the canonical text of this schedule")
        return revision


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change that was made, with the bank's signed receipt for it."""

    reference: str
    revision: Revision
    made_at: datetime
    key_id: str
    signature: str


def receipt_content(reference: str, plan: str, schedule_hash: str, made_at: datetime) -> dict[str, Any]:
    """What the signature of a change's receipt covers; through the digest, every day and amount."""
    return {
        "kind": "plan_change",
        "reference": reference,
        "plan": plan,
        "schedule": schedule_hash,
        "made_at": made_at.isoformat(),
    }
