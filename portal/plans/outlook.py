"""What paying more than the instalment would do to a plan, for each choice: told before anything is paid. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from portal.money import Money
from portal.schedules.extra import ExtraChoice, place_payment


@dataclass(frozen=True, slots=True)
class OpenInstalment:
    """An instalment with something left to pay."""

    number: int
    due_on: date
    left: Money


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan after a payment: the next payment, the last day, how many are left and the largest of them."""

    choice: ExtraChoice
    #: what of the payment is more than what is overdue and the next instalment
    extra: Money
    next_due_on: date
    next_left: Money
    last_due_on: date
    count: int
    largest: Money


def due_first(due_days: Sequence[date], today: date) -> int:
    """How many of the open instalments any payment meets first: those due by `today`, at least the next one."""
    return max(sum(day <= today for day in due_days), min(len(due_days), 1))


def placed(
    instalments: Sequence[OpenInstalment], minor: int, choice: ExtraChoice, *, today: date
) -> tuple[int, ...]:
    """How much of a payment each open instalment is met by; what exceeds them all meets none."""
    first = due_first([part.due_on for part in instalments], today)
    return place_payment([part.left.minor for part in instalments], minor, first, choice)


def outlooks(instalments: Sequence[OpenInstalment], amount: Money, *, today: date) -> tuple[Outlook, ...]:
    """One outlook for each choice; none where there is nothing to choose: the payment is not more than what is
    due first, or pays it all."""
    first = due_first([part.due_on for part in instalments], today)
    due = Money.sum((part.left for part in instalments[:first]), amount.currency)
    whole = Money.sum((part.left for part in instalments), amount.currency)
    if not due < amount < whole:
        return ()
    return tuple(_outlook(instalments, amount, choice, amount - due, today) for choice in ExtraChoice)


def _outlook(
    instalments: Sequence[OpenInstalment], amount: Money, choice: ExtraChoice, extra: Money, today: date
) -> Outlook:
    met = placed(instalments, amount.minor, choice, today=today)
    left = [
        (part.due_on, part.left - Money(minor, amount.currency))
        for part, minor in zip(instalments, met, strict=True)
        if minor < part.left.minor
    ]
    return Outlook(
        choice=choice,
        extra=extra,
        next_due_on=left[0][0],
        next_left=left[0][1],
        last_due_on=left[-1][0],
        count=len(left),
        largest=max(amount for _, amount in left),
    )
