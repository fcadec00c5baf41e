"""May the borrower be contacted now? One answer with its reason, from the pack's data. Pure.

The same rule decides before a contact and measures it afterwards. A further contact in the history never
makes it more permissive, with one exception by its nature: somebody else may be asked only where the debtor
was tried in vain. Instants are aware; `at` is read on the borrower's wall clock, in its own zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from portal.jurisdictions import ContactLimit, Jurisdiction

CHANNELS = ("sms", "call", "letter", "visit", "lawyer_letter", "email")
#: What became of a contact. Of what the portal hands to a provider it may stay unknown.
OUTCOMES = (
    "answered",
    "refused",
    "no_answer",
    "left",
    "third_party",
    "delivered",
    "failed",
    "made",
    "unknown",
)
#: The borrower was spoken to.
SPOKEN = frozenset({"answered", "refused"})
#: Nobody was, as far as is known.
MISSED = frozenset({"no_answer", "left", "third_party", "failed", "unknown"})
#: What reaches a person at a certain minute; paper does not.
TIMED = frozenset({"sms", "call", "visit", "email"})
#: What rests while a hold is in force. A plain letter may go: it may be one that the law demands.
RESTED = frozenset({"sms", "call", "visit", "email", "lawyer_letter"})
#: A hold of this reason says that a number is somebody else's: nothing more is sent or rung there.
WRONG_NUMBER = "wrong_number"
BY_NUMBER = frozenset({"sms", "call"})

#: Days and nights that the search for the earliest instant goes through before it gives up.
_STEPS = 2_000
_HOURS = "this borrower's own choice"


@dataclass(frozen=True, slots=True)
class Past:
    """A contact that counts. `number`: its keyed digest, "" where it is not known; `to_third`: it was made
    to somebody else than the debtor."""

    channel: str
    at: datetime
    outcome: str
    number: str = ""
    to_third: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """A hold, from `since` until `until` (None: until somebody lifts it). `number`: the keyed digest of the
    one number that it rests, "" for any; `is_on_file`: it is still the borrower's by the bank's records, so
    that a contact whose number is not known is taken to be to it."""

    reason: str
    since: datetime
    until: datetime | None = None
    number: str = ""
    is_on_file: bool = True

    def covers(self, at: datetime) -> bool:
        """Whether it is in force at that instant."""
        return self.since <= at and (self.until is None or at < self.until)

    def is_of(self, number: str) -> bool:
        """Whether it rests contacts to that number."""
        return not self.number or (number == self.number if number else self.is_on_file)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the borrower asked for: channels that are not used, and hours inside those of the law."""

    without: frozenset[str] = frozenset()
    opens: time | None = None
    closes: time | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Something that stands against a contact. `until`: the first instant at which it no longer does, None
    where no instant is known; `over`: minutes outside the hours, or contacts above the limit."""

    reason: str
    source: str
    until: datetime | None
    over: int = 0
    #: the reason of a hold
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How far a limit is used up, as in calls today 2 of 3."""

    code: str
    used: int
    most: int
    days: int
    source: str


@dataclass(frozen=True, slots=True)
class MayContact:
    """The answer. `reason` is "" where the contact may be made, ``asked_for`` where the person has just
    asked for it; `earliest`: the first instant from `at` on at which it may, None where none is known."""

    allowed: bool
    reason: str
    earliest: datetime | None
    counted: tuple[Count, ...] = ()
    against: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """The contact in question. `pressing`: it is about what is owed, not an answer to the borrower."""

    channel: str
    number: str = ""
    pressing: bool = True
    to_third: bool = False
    #: once made, what became of it; "" while it is planned
    outcome: str = ""


@dataclass(frozen=True)
class Ground:
    """What the answer rests on. `history` holds what counts: contacts by the bank that were not asked for."""

    pack: Jurisdiction
    history: Sequence[Past] = ()
    holds: Sequence[Rest] = ()
    wishes: Wishes = field(default_factory=Wishes)


def decide(
    history: Sequence[Past],
    *,
    at_local: datetime,
    channel: str,
    number: str = "",
    pack: Jurisdiction,
    holds: Sequence[Rest] = (),
    wishes: Wishes | None = None,
    asked_for: bool = False,
    pressing: bool = True,
    to_third: bool = False,
) -> MayContact:
    """Whether a contact may be made at `at_local`, why not, and from when on.

    All contacts of a day count against one on that day, also those later in it, so that a plan is weighed
    with the others. A code a person has just asked for is no contact (`asked_for`).
    """
    ground = Ground(pack, history, holds, wishes or Wishes())
    contact = Contact(channel, number, pressing, to_third)
    counted = counts(ground, contact, at_local)
    if asked_for:
        return MayContact(True, "asked_for", at_local, counted)
    against = tuple(against_at(ground, contact, at_local))
    if not against:
        return MayContact(True, "", at_local, counted)
    return MayContact(False, against[0].reason, _earliest(ground, contact, at_local), counted, against)


def counts(ground: Ground, contact: Contact, at: datetime) -> tuple[Count, ...]:
    """How far each limit on the channel is used up on the day of `at`."""
    return tuple(
        Count(
            limit.code, used(ground.history, limit, contact.number, at), limit.most, limit.days, limit.source
        )
        for limit in ground.pack.contact_limits
        if limit.channel == contact.channel
    )


def used(history: Sequence[Past], limit: ContactLimit, number: str, at: datetime) -> int:
    """How many contacts count against a limit on the day of `at`. Where it is one for each number, a
    contact without a number counts for all of them."""
    last = at.date()
    first = last - timedelta(days=limit.days - 1)
    return sum(
        1
        for past in history
        if past.channel == limit.channel
        and not past.to_third
        and counts_as(limit, past.outcome)
        and not (limit.per_number and number and past.number and past.number != number)
        and first <= past.at.astimezone(at.tzinfo).date() <= last
    )


def counts_as(limit: ContactLimit, outcome: str) -> bool:
    """Whether a contact of this outcome is one of those that the limit counts."""
    sorts = {"spoken": SPOKEN, "missed": MISSED}
    return limit.counts == "every" or outcome in sorts[limit.counts]


def against_at(ground: Ground, contact: Contact, at: datetime) -> Iterator[Block]:
    """Everything that stands against the contact at that instant, what lasts longest first."""
    if contact.pressing and contact.channel in ground.wishes.without:
        yield Block("opt_out", _HOURS, None)
    yield from _holds(ground, contact, at)
    if contact.to_third:
        yield from _third_parties(ground, contact, at)
    yield from _limits(ground, contact, at)
    if contact.channel in TIMED:
        yield from _hours(ground, contact, at)


def _holds(ground: Ground, contact: Contact, at: datetime) -> Iterator[Block]:
    for hold in ground.holds:
        by_number = hold.reason == WRONG_NUMBER
        to_it = contact.channel in BY_NUMBER and hold.is_of(contact.number)
        rests = to_it if by_number else contact.pressing and contact.channel in RESTED
        if rests and hold.covers(at):
            until = hold.until.astimezone(at.tzinfo) if hold.until else None
            yield Block("hold", "rule of this portal: contacts rest", until, detail=hold.reason)


def _limits(ground: Ground, contact: Contact, at: datetime) -> Iterator[Block]:
    for limit in ground.pack.contact_limits:
        if limit.channel != contact.channel or contact.to_third or not contact.pressing:
            continue
        if contact.outcome and not (limit.bars_every or counts_as(limit, contact.outcome)):
            continue
        over = used(ground.history, limit, contact.number, at) + 1 - limit.most
        if over > 0:
            yield Block(limit.code, limit.source, _midnight_after(at), over)


def _hours(ground: Ground, contact: Contact, at: datetime) -> Iterator[Block]:
    hours, wishes = ground.pack.contact_hours, ground.wishes
    yield from _outside("hours", hours.source, hours.opens, hours.closes, at)
    if contact.pressing and wishes.opens is not None and wishes.closes is not None:
        yield from _outside("preferred_hours", _HOURS, wishes.opens, wishes.closes, at)


def _outside(reason: str, source: str, opens: time, closes: time, at: datetime) -> Iterator[Block]:
    now = at.time()
    if opens <= now < closes:
        return
    day = at.date() if now < opens else at.date() + timedelta(days=1)
    over = min((_minutes(opens) - _minutes(now)) % 1440, (_minutes(now) - _minutes(closes)) % 1440 + 1)
    yield Block(reason, source, datetime.combine(day, opens, at.tzinfo), over)


def _minutes(of: time) -> int:
    return of.hour * 60 + of.minute


def _third_parties(ground: Ground, contact: Contact, at: datetime) -> Iterator[Block]:
    rule = ground.pack.third_parties
    theirs = (past for past in ground.history if past.to_third and past.at <= at)
    if any(past.outcome == "refused" and past.number == contact.number for past in theirs):
        yield Block("third_party_refused", rule.source, None)
    last = at.date()
    first = last - timedelta(days=rule.days - 1)
    tried = [
        past
        for past in ground.history
        if not past.to_third
        and past.channel in ("call", "visit")
        and first <= past.at.astimezone(at.tzinfo).date() <= last
    ]
    if any(past.outcome in SPOKEN for past in tried):
        yield Block("debtor_reached", rule.source, None)
    elif len(tried) < rule.attempts:
        yield Block("debtor_not_tried", rule.source, None)


def _midnight_after(at: datetime) -> datetime:
    return datetime.combine(at.date() + timedelta(days=1), time(0), at.tzinfo)


def _earliest(ground: Ground, contact: Contact, at: datetime) -> datetime | None:
    """Each block lasts without a gap until its end, so going from end to end misses nothing."""
    for _ in range(_STEPS):
        ends = [block.until for block in against_at(ground, contact, at)]
        if not ends:
            return at
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return None
        at = max(known)
    return None
