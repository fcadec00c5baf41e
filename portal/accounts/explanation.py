"""Figures that explain themselves: *then + charged - paid = now*, and how principal falls due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from portal.money import Money

CHARGES = ("interest", "penalty_interest", "fee", "cost")


class PostedLine(Protocol):
    """What an explanation needs of a ledger line."""

    @property
    def kind(self) -> str: ...
    @property
    def amounts(self) -> Mapping[str, Money]: ...
    @property
    def total(self) -> Money: ...


@dataclass(frozen=True, slots=True)
class SinceNotice:
    """How the figure of a notice became the one of today; `then` and all parts sum to `now`.

    `other` is what the parts leave over: nothing, unless principal was paid ahead of its due date
    or the notice stated something that the ledger does not bear out.
    """

    then: Money
    charged: Mapping[str, Money]
    counts: Mapping[str, int]
    fallen_due: Money
    paid: Money
    forgiven: Money
    other: Money
    now: Money


def since_notice(
    lines: Iterable[PostedLine], *, then: Money, fallen_due: Money, now: Money
) -> SinceNotice:
    """The itemisation from `then` to `now`; `lines` are those posted after the notice's day.

    A reversed payment lowers what was paid; a reversed charge lowers that charge.
    """
    currency = then.currency
    charged = {name: Money.zero(currency) for name in CHARGES}
    counts = dict.fromkeys((*CHARGES, "paid", "forgiven"), 0)
    paid = forgiven = Money.zero(currency)
    for line in lines:
        if line.kind == "disbursement":
            continue
        if line.kind == "waiver":
            forgiven -= line.total
            counts["forgiven"] += 1
        elif line.kind == "payment" or (line.kind == "reversal" and line.total.minor > 0):
            paid -= line.total
            counts["paid"] += 1
        else:
            for name in CHARGES:
                charged[name] += line.amounts[name]
                counts[name] += bool(line.amounts[name])
    explained = Money.sum((then, *charged.values(), fallen_due), currency) - paid - forgiven
    return SinceNotice(then, charged, counts, fallen_due, paid, forgiven, now - explained, now)
