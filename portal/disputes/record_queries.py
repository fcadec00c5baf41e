"""Records of visits and the answers to them, side by side, each with whether its signature holds. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select
from sqlalchemy.orm import Session

from portal.borrowers.models import Borrower
from portal.disputes import answering, recording, words
from portal.disputes.answering import OWN_WORDS
from portal.disputes.models import Complaint, VisitAnswer, VisitDraft, VisitRecord
from portal.disputes.record import breaches_said, breaches_written, contradicted
from portal.disputes.recording import Draft
from portal.keys import Keys
from portal.signing import KeyRing
from portal.visits.models import Officer, Visit


@dataclass(frozen=True)
class RecordView:
    """One version of a record."""

    reference: str
    version: int
    written_at: datetime
    officer_ref: str
    outcome: str
    choices: Mapping[str, list[str]]
    texts: Mapping[str, str]
    started_at: datetime
    ended_at: datetime
    is_late: bool
    key_id: str
    signature: str
    is_signed: bool

    @property
    def breaches(self) -> tuple[str, ...]:
        """What it says itself was against the rules of conduct."""
        return breaches_written(self.choices, self.outcome)


@dataclass(frozen=True)
class AnswerView:
    """One version of the borrower's answer. `complaint`: the reference of the complaint made from it."""

    reference: str
    version: int
    written_at: datetime
    record_version: int
    confirms: bool
    items: Mapping[str, str]
    item_words: Mapping[str, str]
    own_words: str
    ratings: Mapping[str, str]
    breaches: tuple[str, ...]
    complaint: str
    key_id: str
    signature: str
    is_signed: bool

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The items that were different."""
        return contradicted(self.items)


@dataclass(frozen=True)
class Story:
    """One visit with everything that was written down about it, the newest first."""

    visit_ref: str
    starts_at: datetime
    ends_at: datetime
    state: str
    officer_ref: str
    records: tuple[RecordView, ...]
    answers: tuple[AnswerView, ...]
    customer_ref: str = ""
    name: str = ""

    @property
    def latest(self) -> RecordView | None:
        """The version that counts."""
        return self.records[0] if self.records else None

    @property
    def is_answered(self) -> bool:
        """Whether the latest version was answered."""
        return bool(self.records and self.answers) and (
            self.answers[0].record_version == self.records[0].version
        )


def story_for(
    connection: Connection | Session, keys: Keys, ring: KeyRing, borrower_id: int, visit_ref: str
) -> Story | None:
    """The borrower's own visit; None for anybody else's."""
    return _story(connection, keys, ring, (Visit.visit_ref == visit_ref) & (Visit.borrower_id == borrower_id))


def unanswered_for(connection: Connection | Session, borrower_id: int) -> frozenset[str]:
    """The numbers of the borrower's visits with a record that was never answered."""
    rows = connection.scalars(
        select(Visit.visit_ref)
        .join(VisitRecord, VisitRecord.visit_id == Visit.id)
        .outerjoin(VisitAnswer, VisitAnswer.visit_id == Visit.id)
        .where(VisitRecord.borrower_id == borrower_id, VisitAnswer.id.is_(None))
    )
    return frozenset(rows)


def story_at_desk(
    connection: Connection | Session, keys: Keys, ring: KeyRing, visit_ref: str
) -> Story | None:
    """Any visit, with whom it was announced to."""
    return _story(connection, keys, ring, Visit.visit_ref == visit_ref, keys_of_person=keys)


def records_of(
    connection: Connection | Session, keys: Keys, ring: KeyRing, visit_id: int, visit_ref: str
) -> tuple[RecordView, ...]:
    """Every version of a visit's record, the newest first: what the officer who writes it sees."""
    rows = connection.execute(
        select(VisitRecord.__table__, Officer.officer_ref)
        .join(Officer, Officer.id == VisitRecord.officer_id)
        .where(VisitRecord.visit_id == visit_id)
        .order_by(VisitRecord.version.desc())
    )
    return tuple(_record(row, keys, ring, visit_ref) for row in rows)


def draft_of(connection: Connection | Session, keys: Keys, officer_id: int, visit_id: int) -> Draft | None:
    """What the officer has begun to write about a visit."""
    sealed = connection.scalar(
        select(VisitDraft.content_sealed).where(
            VisitDraft.visit_id == visit_id, VisitDraft.officer_id == officer_id
        )
    )
    if sealed is None:
        return None
    content = json.loads(keys.unseal(words.RECORD, sealed))
    choices = {name: tuple(codes) for name, codes in content["choices"].items()}
    return Draft(content["outcome"], choices, content["texts"], content["started"], content["ended"])


def _story(
    connection: Connection | Session,
    keys: Keys,
    ring: KeyRing,
    which: ColumnElement[bool],
    *,
    keys_of_person: Keys | None = None,
) -> Story | None:
    statement: Select[*tuple[Any, ...]] = (
        select(
            Visit.id,
            Visit.visit_ref,
            Visit.starts_at,
            Visit.ends_at,
            Visit.state,
            Officer.officer_ref,
            Borrower.customer_ref,
            Borrower.name_sealed,
        )
        .join(Officer, Officer.id == Visit.lead_officer_id)
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .where(which)
    )
    visit = connection.execute(statement).one_or_none()
    if visit is None:
        return None
    return Story(
        visit.visit_ref,
        visit.starts_at,
        visit.ends_at,
        visit.state,
        visit.officer_ref,
        records_of(connection, keys, ring, visit.id, visit.visit_ref),
        _answers(connection, keys, ring, visit.id, visit.visit_ref),
        visit.customer_ref if keys_of_person else "",
        keys_of_person.unseal("borrower.name", visit.name_sealed) if keys_of_person else "",
    )


def _record(row: Any, keys: Keys, ring: KeyRing, visit_ref: str) -> RecordView:
    said = words.unseal(keys, words.RECORD, row.words_sealed)
    facts = recording.facts_of(row, visit_ref, row.officer_ref)
    return RecordView(
        reference=row.reference,
        version=row.version,
        written_at=row.created_at,
        officer_ref=row.officer_ref,
        outcome=row.outcome,
        choices=row.choices,
        texts={name: text for name, text in said.items() if name != words.SALT},
        started_at=row.started_at,
        ended_at=row.ended_at,
        is_late=row.is_late,
        key_id=row.key_id,
        signature=row.signature,
        is_signed=words.is_signed(ring, key_id=row.key_id, signature=row.signature, facts=facts, words=said),
    )


def _answers(
    connection: Connection | Session, keys: Keys, ring: KeyRing, visit_id: int, visit_ref: str
) -> tuple[AnswerView, ...]:
    rows = connection.execute(
        select(
            VisitAnswer.__table__,
            VisitRecord.version.label("record_version"),
            VisitRecord.reference.label("record_reference"),
            VisitRecord.choices,
            Complaint.reference.label("complaint"),
        )
        .join(VisitRecord, VisitRecord.id == VisitAnswer.record_id)
        .outerjoin(Complaint, Complaint.answer_id == VisitAnswer.id)
        .where(VisitAnswer.visit_id == visit_id)
        .order_by(VisitAnswer.version.desc())
    )
    return tuple(_answer(row, keys, ring, visit_ref) for row in rows)


def _answer(row: Any, keys: Keys, ring: KeyRing, visit_ref: str) -> AnswerView:
    said = words.unseal(keys, words.RECORD, row.words_sealed)
    facts = answering.facts_of(row, visit_ref, row.record_reference)
    return AnswerView(
        reference=row.reference,
        version=row.version,
        written_at=row.created_at,
        record_version=row.record_version,
        confirms=row.confirms,
        items=row.items,
        item_words={name: text for name, text in said.items() if name not in (OWN_WORDS, words.SALT)},
        own_words=said.get(OWN_WORDS, ""),
        ratings=row.ratings,
        breaches=breaches_said(row.items, row.ratings, row.choices),
        complaint=row.complaint or "",
        key_id=row.key_id,
        signature=row.signature,
        is_signed=words.is_signed(ring, key_id=row.key_id, signature=row.signature, facts=facts, words=said),
    )
