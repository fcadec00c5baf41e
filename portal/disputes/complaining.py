"""Somebody complains: about a visit, a call, a message, a figure or anything else; kept once, with its clock running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access.codes import new_reference
from portal.accounts.models import LedgerLine, Loan
from portal.audit import Actor
from portal.contacts.models import Contact
from portal.contacts.operations import place_hold
from portal.db import upsert
from portal.disputes import words
from portal.disputes.complaints import ABOUT, COMPONENTS, LONGEST, OF_CONDUCT, conduct_of
from portal.disputes.deadlines import SIMPLE, times_of
from portal.disputes.lifecycle import LIFECYCLE
from portal.disputes.models import Complaint, VisitAnswer, VisitRecord
from portal.disputes.operations import FIGURE_DISPUTED, House, keep_step, record_step
from portal.disputes.record import breaches_said
from portal.documents.card_numbers import has_card_number
from portal.visits import operations as visits
from portal.visits.models import Visit

#: The first step's action: the complaint itself.
SEND = "send"


class UnableToComplain(Exception):
    """Nothing was kept; `problems`: field -> ``missing``, ``long``, ``card_number``, ``gone``."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Wish:
    """What somebody complains about. `of` names the visit, the contact or the loan account."""

    about: str
    text: str
    of: str = ""
    conduct: Sequence[str] = ()
    #: of a figure: the part, and the numbers of the entries
    component: str = ""
    lines: Sequence[str] = ()
    #: of a visit that nobody announced: when it was, as it was typed
    when: str = ""


@dataclass
class _Subject:
    """The rows that a complaint is about."""

    visit_id: int | None = None
    contact_id: int | None = None
    loan_id: int | None = None
    answer_id: int | None = None
    points: dict[str, Any] = field(default_factory=dict)


def complain(
    session: Session, *, house: House, borrower_id: int, wish: Wish, form_key: str, now: datetime
) -> str:
    """Keep a complaint; its reference. The same form again gives the first one. Raises UnableToComplain."""
    form_digest = house.keys.digest("complaint.form", f"{borrower_id} {form_key}")
    first = session.scalar(select(Complaint.reference).where(Complaint.form_digest == form_digest))
    if first is not None:
        return str(first)
    problems = problems_of(wish)
    subject = _Subject() if problems else _subject(session, borrower_id, wish, problems)
    if problems:
        raise UnableToComplain(problems)
    is_conduct = wish.about == "stranger" or bool(subject.points.get("conduct"))
    said = {"text": wish.text.strip(), "when": wish.when.strip()}
    return _receive(
        session,
        house,
        borrower_id,
        about=wish.about,
        subject=subject,
        is_conduct=is_conduct,
        said=said,
        form_digest=form_digest,
        now=now,
    )


def complain_of_answer(
    session: Session, *, house: House, borrower_id: int, answer_reference: str, now: datetime
) -> str:
    """Make a complaint from an answer to a record, without typing anything again; its reference.

    One answer makes one complaint: again gives the first one. Raises UnableToComplain.
    """
    row = session.execute(
        select(
            VisitAnswer.id,
            VisitAnswer.visit_id,
            VisitAnswer.items,
            VisitAnswer.ratings,
            VisitAnswer.words_sealed,
            VisitRecord.choices,
        )
        .join(VisitRecord, VisitRecord.id == VisitAnswer.record_id)
        .where(VisitAnswer.reference == answer_reference, VisitAnswer.borrower_id == borrower_id)
    ).one_or_none()
    if row is None:
        raise UnableToComplain({"of": "gone"})
    first = session.scalar(select(Complaint.reference).where(Complaint.answer_id == row.id))
    if first is not None:
        return str(first)
    kinds = list(breaches_said(row.items, row.ratings, row.choices))
    said = words.unseal(house.keys, words.RECORD, row.words_sealed)
    return _receive(
        session,
        house,
        borrower_id,
        about="visit",
        subject=_Subject(visit_id=row.visit_id, answer_id=row.id, points={"conduct": kinds}),
        is_conduct=bool(kinds),
        said={"text": said.get("own_words", ""), "when": ""},
        form_digest=house.keys.digest("complaint.answer", answer_reference),
        now=now,
    )


def problems_of(wish: Wish) -> dict[str, str]:
    """What of a complaint is missing or cannot be kept, before anything is looked up."""
    problems: dict[str, str] = {}
    if wish.about not in ABOUT:
        problems["about"] = "missing"
    if not wish.text.strip() and not [code for code in conduct_of(wish.about) if code in wish.conduct]:
        problems["text"] = "missing"
    if wish.about == "figure" and wish.component not in COMPONENTS:
        problems["component"] = "missing"
    if wish.about == "stranger" and not wish.when.strip():
        problems["when"] = "missing"
    for name, text, most in (("text", wish.text, LONGEST), ("when", wish.when, 100)):
        if len(text) > most:
            problems[name] = "long"
        elif has_card_number(text):
            problems[name] = "card_number"
    return problems


def _subject(session: Session, borrower_id: int, wish: Wish, problems: dict[str, str]) -> _Subject:
    """The borrower's own row that it is about; a name that is nobody's or somebody else's is a problem."""
    subject = _Subject()
    if wish.about in OF_CONDUCT:
        subject.points["conduct"] = [code for code in conduct_of(wish.about) if code in wish.conduct]
    if wish.about in ("visit", "stranger") and wish.of:
        own = select(Visit.id).where(Visit.visit_ref == wish.of, Visit.borrower_id == borrower_id)
        subject.visit_id = session.scalar(own)
    elif wish.about in ("call", "message") and wish.of:
        mine = (Contact.id == int(wish.of if wish.of.isdecimal() else 0)) & (
            Contact.borrower_id == borrower_id
        )
        subject.contact_id = session.scalar(select(Contact.id).where(mine))
    elif wish.about == "figure":
        subject.loan_id = session.scalar(
            select(Loan.id).where(Loan.loan_ref == wish.of, Loan.borrower_id == borrower_id)
        )
        subject.points = {"component": wish.component, "lines": _lines(session, subject.loan_id, wish.lines)}
    found = (subject.visit_id, subject.contact_id, subject.loan_id)
    if (wish.of or wish.about in ("figure", "visit")) and wish.about != "other" and not any(found):
        problems["of"] = "gone" if wish.of else "missing"
    return subject


def _lines(session: Session, loan_id: int | None, wanted: Sequence[str]) -> list[str]:
    if loan_id is None or not wanted:
        return []
    rows = session.scalars(
        select(LedgerLine.line_ref)
        .where(LedgerLine.loan_id == loan_id, LedgerLine.line_ref.in_(list(wanted)[:200]))
        .order_by(LedgerLine.line_ref)
    )
    return list(rows)


def _receive(
    session: Session,
    house: House,
    borrower_id: int,
    *,
    about: str,
    subject: _Subject,
    is_conduct: bool,
    said: Mapping[str, str],
    form_digest: str,
    now: datetime,
) -> str:
    due_on = times_of(house.pack).due_on(now.astimezone(house.zone).date(), SIMPLE)
    row = session.execute(
        upsert(Complaint)
        .values(
            created_at=now,
            reference=new_reference("C"),
            borrower_id=borrower_id,
            about=about,
            **vars(subject),
            is_conduct=is_conduct,
            state=LIFECYCLE.initial,
            track=SIMPLE,
            due_on=due_on,
            version=1,
            outcome="",
            taken_by="",
            asked_by="",
            form_digest=form_digest,
        )
        .on_conflict_do_nothing()
        .returning(Complaint.id, Complaint.reference)
    ).one_or_none()
    if row is None:  # the same form, or the same answer, a moment earlier
        same = Complaint.form_digest == form_digest
        if subject.answer_id is not None:
            same = same | (Complaint.answer_id == subject.answer_id)
        return str(session.scalar(select(Complaint.reference).where(same)))
    actor = Actor("borrower", str(borrower_id))
    keep_step(
        session, house.keys, row.id, 0, SEND, staff_ref="", outcome="", due_on=due_on, said=said, now=now
    )
    record_step(session, actor, SEND, row.id, now, about=about, borrower=borrower_id)
    if about == "figure" and house.pack.figure_dispute.value == "stop":
        _rest(session, borrower_id, row.id, now)
    return str(row.reference)


def _rest(session: Session, borrower_id: int, complaint_id: int, now: datetime) -> None:
    """Contacts about what is owed, and visits, rest until the disputed figure is answered."""
    actor = Actor("borrower", str(borrower_id))
    place_hold(
        session,
        borrower_id=borrower_id,
        kind="pause",
        reason=FIGURE_DISPUTED,
        source=f"complaint:{complaint_id}",
        now=now,
        actor=actor,
    )
    visits.pause_visits(session, borrower_id=borrower_id, reason=FIGURE_DISPUTED, actor=actor, now=now)
