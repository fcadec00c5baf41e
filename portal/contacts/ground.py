"""What the rule on contacts rests on, read for one borrower or many, and the one answer over the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeVar

from sqlalchemy import Connection, select, true
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.contacts.models import Contact, ContactWish, Hold
from portal.contacts.rule import MayContact, Past, Rest, Wishes, decide
from portal.jurisdictions import Jurisdiction

T = TypeVar("T")

_NO_CALLS, _NO_MESSAGES, _NO_VISITS = frozenset({"call"}), frozenset({"sms", "email"}), frozenset({"visit"})


@dataclass(frozen=True, slots=True)
class Logged:
    """A contact as the rule looks at it. `by_bank`: made by the bank, and nobody had just asked for it."""

    contact_id: int
    borrower_id: int
    past: Past
    by_bank: bool
    pressing: bool

    @property
    def counts(self) -> bool:
        """Whether it counts against a limit. A call does whatever it was about: the phone has rung."""
        return self.by_bank and (self.pressing or self.past.channel == "call")


@dataclass(frozen=True)
class Wished:
    """What was wished for from an instant on."""

    since: datetime
    wishes: Wishes


NO_WISHES = Wishes()


def may_contact(
    connection: Connection | Session,
    borrower_id: int,
    *,
    channel: str,
    number_digest: str = "",
    at: datetime,
    pack: Jurisdiction,
    asked_for: bool = False,
    pressing: bool = True,
    to_third: bool = False,
) -> MayContact:
    """Whether this borrower may be contacted at `at`, an instant in the zone of the borrower's wall clock
    (`clock.local(...)`); why not, and the earliest instant from then on."""
    return answer(
        read(connection, [borrower_id], since=at - reach(pack)),
        borrower_id,
        channel=channel,
        number=number_digest,
        at=at,
        pack=pack,
        asked_for=asked_for,
        pressing=pressing,
        to_third=to_third,
    )


@dataclass(frozen=True)
class Grounds:
    """Everything the rule needs about some borrowers."""

    contacts: Mapping[int, tuple[Logged, ...]]
    holds: Mapping[int, tuple[Rest, ...]]
    wishes: Mapping[int, tuple[Wished, ...]]

    def wishes_at(self, borrower_id: int, at: datetime) -> Wishes:
        """What was wished for at an instant."""
        known = [one.wishes for one in self.wishes.get(borrower_id, ()) if one.since <= at]
        return known[-1] if known else NO_WISHES

    def history(self, borrower_id: int) -> tuple[Past, ...]:
        """The contacts that count, the oldest first."""
        return tuple(one.past for one in self.contacts.get(borrower_id, ()) if one.counts)


def answer(
    grounds: Grounds,
    borrower_id: int,
    *,
    channel: str,
    number: str,
    at: datetime,
    pack: Jurisdiction,
    asked_for: bool = False,
    pressing: bool = True,
    to_third: bool = False,
    besides: tuple[Past, ...] = (),
) -> MayContact:
    """The rule's answer on grounds that were read; `besides`: contacts under way."""
    return decide(
        grounds.history(borrower_id) + besides,
        at_local=at,
        channel=channel,
        number=number,
        pack=pack,
        holds=grounds.holds.get(borrower_id, ()),
        wishes=grounds.wishes_at(borrower_id, at),
        asked_for=asked_for,
        pressing=pressing,
        to_third=to_third,
    )


def reach(pack: Jurisdiction) -> timedelta:
    """How far back the history matters; whoever refused for the debtor is asked never again, so that is
    read without an end."""
    days = max([limit.days for limit in pack.contact_limits] + [pack.third_parties.days])
    return timedelta(days=days + 1)


def read(connection: Connection | Session, borrower_ids: Collection[int], *, since: datetime) -> Grounds:
    """Contacts from `since` on (those with third parties without an end), all holds and all wishes."""
    return Grounds(
        contacts=_grouped(_contacts(connection, borrower_ids, since)),
        holds=_grouped(_holds(connection, borrower_ids)),
        wishes=_grouped(_wishes(connection, borrower_ids)),
    )


def _grouped(pairs: Iterable[tuple[int, T]]) -> dict[int, tuple[T, ...]]:
    found: dict[int, list[T]] = defaultdict(list)
    for borrower_id, one in pairs:
        found[borrower_id].append(one)
    return {borrower_id: tuple(ones) for borrower_id, ones in found.items()}


def _contacts(
    connection: Connection | Session, borrower_ids: Collection[int], since: datetime
) -> Iterable[tuple[int, Logged]]:
    rows = connection.execute(
        select(
            Contact.id,
            Contact.borrower_id,
            Contact.channel,
            Contact.at,
            Contact.outcome,
            Contact.number_digest,
            Contact.party,
            Contact.direction,
            Contact.asked_for,
            Contact.pressing,
        )
        .where(Contact.borrower_id.in_(borrower_ids), (Contact.at >= since) | (Contact.party == "third"))
        .order_by(Contact.borrower_id, Contact.at, Contact.id)
    )
    for row in rows:
        past = Past(row.channel, row.at, row.outcome, row.number_digest, row.party == "third")
        by_bank = row.direction == "out" and not row.asked_for
        yield row.borrower_id, Logged(row.id, row.borrower_id, past, by_bank, row.pressing)


def _holds(connection: Connection | Session, borrower_ids: Collection[int]) -> Iterable[tuple[int, Rest]]:
    """Their own holds; and the stops of numbers that are theirs too by the bank's records: *never again to
    this number* holds for whomever the next file names with it."""
    own, theirs = Hold.borrower_id == Borrower.id, Hold.number_digest == Borrower.phone_digest
    columns = (
        Borrower.id,
        Hold.reason,
        Hold.created_at,
        Hold.ends_at,
        Hold.lifted_at,
        Hold.number_digest,
        theirs,
    )
    of_number = (Hold.number_digest != "") & (Hold.kind == "stop") & (Hold.borrower_id != Borrower.id)
    for joined, extra in ((own, true()), (theirs, of_number)):
        rows = connection.execute(
            select(*columns).join(Hold, joined).where(Borrower.id.in_(borrower_ids), extra).order_by(Hold.id)
        )
        for borrower_id, reason, since, ends_at, lifted_at, number, on_file in rows:
            ends = [end for end in (ends_at, lifted_at) if end is not None]
            yield borrower_id, Rest(reason, since, min(ends) if ends else None, number, bool(on_file))


def _wishes(connection: Connection | Session, borrower_ids: Collection[int]) -> Iterable[tuple[int, Wished]]:
    rows = connection.execute(
        select(ContactWish.__table__)
        .where(ContactWish.borrower_id.in_(borrower_ids))
        .order_by(ContactWish.id)
    )
    for row in rows:
        wishes = wishes_of(row.no_calls, row.no_messages, row.no_visits, row.opens_minute, row.closes_minute)
        yield row.borrower_id, Wished(row.created_at, wishes)


def wishes_of(
    no_calls: bool, no_messages: bool, no_visits: bool, opens_minute: int | None, closes_minute: int | None
) -> Wishes:
    """A row of wishes as the rule looks at it."""
    without = frozenset[str]()
    without |= _NO_CALLS if no_calls else without
    without |= _NO_MESSAGES if no_messages else without
    without |= _NO_VISITS if no_visits else without
    return Wishes(without, clock(opens_minute), clock(closes_minute))


def clock(minute: int | None) -> time | None:
    """A minute of the day as a time."""
    return None if minute is None else time(minute // 60, minute % 60)
