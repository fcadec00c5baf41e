"""The settlement figure as a statement keeps it: per loan, what pays it off on the day that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from portal.interest.settlement import Settlement


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """One loan: `parts` are (left in the books, accrued until the day) by component, minor units.

    Interest accrues from `since`; `is_estimate` says that the bank has not posted it. `per_day` is what
    one day more adds. Left + accrued + fee - overpaid = to_pay, and never below nought.
    """

    loan_ref: str
    product_class: str
    on: date
    since: date
    parts: Mapping[str, tuple[int, int]]
    fee: int
    overpaid: int
    to_pay: int
    per_day: int
    is_estimate: bool

    @property
    def left(self) -> int:
        """What the books hold."""
        return sum(left for left, _accrued in self.parts.values())

    @property
    def accrued(self) -> int:
        """What accrues until the day."""
        return sum(accrued for _left, accrued in self.parts.values())


def row_of(settlement: Settlement) -> SettlementRow:
    """A settlement figure as plain data."""
    return SettlementRow(
        loan_ref=settlement.loan_ref,
        product_class=settlement.product_class,
        on=settlement.on,
        since=settlement.since,
        parts={part.component: (part.left.minor, part.accrued.minor) for part in settlement.parts},
        fee=settlement.fee.minor,
        overpaid=settlement.overpaid.minor,
        to_pay=settlement.to_pay.minor,
        per_day=settlement.per_day.minor,
        is_estimate=settlement.is_estimate,
    )


def content_of(row: SettlementRow) -> dict[str, Any]:
    """A row as it is signed: texts, whole numbers, nothing else."""
    return {
        "loan": row.loan_ref,
        "product_class": row.product_class,
        "on": row.on.isoformat(),
        "since": row.since.isoformat(),
        "parts": {name: list(pair) for name, pair in row.parts.items()},
        "fee": row.fee,
        "overpaid": row.overpaid,
        "to_pay": row.to_pay,
        "per_day": row.per_day,
        "is_estimate": row.is_estimate,
    }


def row_from(content: Mapping[str, Any]) -> SettlementRow:
    """The row that `content_of` wrote down."""
    return SettlementRow(
        loan_ref=content["loan"],
        product_class=content["product_class"],
        on=date.fromisoformat(content["on"]),
        since=date.fromisoformat(content["since"]),
        parts={name: (pair[0], pair[1]) for name, pair in content["parts"].items()},
        fee=content["fee"],
        overpaid=content["overpaid"],
        to_pay=content["to_pay"],
        per_day=content["per_day"],
        is_estimate=content["is_estimate"],
    )
