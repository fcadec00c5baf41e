"""Working a decision out: what was seen against what is, what is missing, what would be granted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from portal.plans.policy import Assessment, Ground, check
from portal.plans.terms import Terms
from portal.reviews import reasons as codes
from portal.reviews.four_eyes import Kind, why_two
from portal.reviews.offers import Change, assess_counter, blocking, nearest_to, request_of

#: The longest word to a borrower.
LONGEST_NOTE = 2000


class ScreenIsOld(Exception):
    """What was on the screen is not what would be decided. `what`: ``terms``, ``offer`` (the
    counter-offer comes out differently now) or ``figures`` (the ledger moved since)."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Incomplete(Exception):
    """A decision that cannot be sent like this. `problems` are stable codes: ``reasons``, ``asked``,
    ``note``, ``note_long``, ``offer_same``, ``offer_blocked``, ``covers_too_much``, ``first_date_passed``."""

    def __init__(self, *problems: str) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Choice:
    """What a reviewer sent, and what was on the screen: the proposal's version, the hash of the terms
    (for a second person the hash of what would be granted), of the offer, and the ledger's versions."""

    kind: Kind
    version: int
    terms_hash_seen: str
    figures_seen: str
    form_key: str
    note: str = ""
    #: own reason codes for a refusal; for a request ``paper:<kind>`` and ``answer:<topic>``
    reasons: tuple[str, ...] = ()
    change: Change | None = None
    offer_hash_seen: str = ""


@dataclass(frozen=True)
class Proposed:
    """The round that is decided on."""

    terms: Terms
    terms_hash: str
    #: the bank's calendar day on which it was sent: its own delay speaks against nobody
    sent_on: date


@dataclass(frozen=True)
class First:
    """A first decision that waits for the second person."""

    kind: Kind
    attempt: int
    terms_hash: str
    offer: Terms | None
    nearest: Terms | None
    reasons: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Ruling:
    """A decision worked out and checked, before anything is written. `waits`: a second person follows."""

    kind: Kind
    stage: int
    attempt: int
    note: str
    reasons: tuple[str, ...] = ()
    offer: Terms | None = None
    #: the offer measured against the policy: what the desk's queue shows of it
    assessment: Assessment | None = None
    nearest: Terms | None = None
    waits: bool = False

    @property
    def effective(self) -> bool:
        """Whether it stands once written."""
        return not self.waits and self.kind in (Kind.APPROVE, Kind.COUNTER, Kind.DECLINE)


def first_ruling(choice: Choice, proposed: Proposed, *, attempt: int, ground: Ground) -> Ruling:
    """The first person's decision, complete and checked. Raises ScreenIsOld or Incomplete."""
    if choice.terms_hash_seen != proposed.terms_hash:
        raise ScreenIsOld("terms")
    bare = Ruling(choice.kind, 1, attempt, _note(choice))
    match choice.kind:
        case Kind.APPROVE:
            _refuse_outdated(proposed.terms, ground)
            ruling = bare
        case Kind.COUNTER:
            assessment = _offer(proposed, choice, ground)
            ruling = replace(bare, offer=assessment.terms, assessment=assessment)
        case Kind.ASK:
            ruling = replace(bare, reasons=_asked(choice))
        case _:
            ruling = _declined(bare, choice, proposed, ground)
    return replace(ruling, waits=bool(why_two(choice.kind, proposed.terms, ruling.offer, ground.policy)))


def second_ruling(choice: Choice, proposed: Proposed, first: First, *, ground: Ground) -> Ruling:
    """The second person's word on the first decision: the very same, or sent back with a reason.

    Raises ScreenIsOld or Incomplete.
    """
    granted = first.offer.digest() if first.offer else first.terms_hash
    if choice.terms_hash_seen != granted or first.terms_hash != proposed.terms_hash:
        raise ScreenIsOld("terms")
    if choice.kind is Kind.SEND_BACK:
        if not _note(choice):
            raise Incomplete("note")
        return Ruling(Kind.SEND_BACK, 2, first.attempt, _note(choice))
    if first.kind is not Kind.DECLINE:
        _refuse_outdated(first.offer or proposed.terms, ground)
    assessment = None
    if first.offer:
        assessment = Assessment(request_of(first.offer), first.offer, check(first.offer, ground))
    return Ruling(
        first.kind, 2, first.attempt, first.note, first.reasons, first.offer, assessment, first.nearest
    )


def against(proposed: Proposed, ground: Ground) -> tuple[str, ...]:
    """What the rules find against the proposal, measured on the day it was sent."""
    return codes.found_against(check(proposed.terms, as_sent(proposed, ground)))


def as_sent(proposed: Proposed, ground: Ground) -> Ground:
    """The same ground on the day the proposal was sent."""
    return replace(ground, today=min(ground.today, proposed.sent_on))


def outdated(granted: Terms, ground: Ground) -> str | None:
    """Why terms cannot be granted any more: ``first_date_passed``, ``covers_too_much``; None: they can."""
    if granted.payments[0].due_on <= ground.today:
        return "first_date_passed"
    left = {basis.loan_id: basis.left for basis in ground.loans}
    if any(loan.loan_id not in left or loan.covered > left[loan.loan_id] for loan in granted.loans):
        return "covers_too_much"
    return None


def _refuse_outdated(granted: Terms, ground: Ground) -> None:
    problem = outdated(granted, ground)
    if problem:
        raise Incomplete(problem)


def _note(choice: Choice) -> str:
    note = choice.note.replace("\r\n", "\n").strip()
    if len(note) > LONGEST_NOTE:
        raise Incomplete("note_long")
    return note


def _offer(proposed: Proposed, choice: Choice, ground: Ground) -> Assessment:
    if choice.change is None:
        raise Incomplete("offer_blocked")
    assessment = assess_counter(proposed.terms, choice.change, ground)
    if assessment.terms is None or blocking(assessment):
        raise Incomplete("offer_blocked")
    if assessment.terms.digest() == proposed.terms_hash:
        raise Incomplete("offer_same")
    if assessment.terms.digest() != choice.offer_hash_seen:
        raise ScreenIsOld("offer")
    return assessment


def _asked(choice: Choice) -> tuple[str, ...]:
    wanted = codes.asked(choice.reasons)
    if not wanted:
        raise Incomplete("asked")
    return wanted


def _declined(bare: Ruling, choice: Choice, proposed: Proposed, ground: Ground) -> Ruling:
    found = codes.declining(check(proposed.terms, as_sent(proposed, ground)), choice.reasons)
    problems = [] if found else ["reasons"]
    if not bare.note:
        problems.append("note")
    if problems:
        raise Incomplete(*problems)
    nearest = nearest_to(proposed.terms, ground)
    return replace(bare, reasons=found, nearest=nearest.terms if nearest else None)
